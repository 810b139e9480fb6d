"""`UniqueKey`: a set of columns by which the database knows one row, read from the table of a model."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final

import attrs
from sqlalchemy import Index, Table, UniqueConstraint

from pgauthkit.errors import NotAUniqueKeyError

__all__ = ["UniqueKey", "find_key", "unique_keys"]

_UNLESS_DELETED: Final = "deleted_at IS NULL"


@attrs.frozen
class UniqueKey:
    """The columns of a primary key, a unique constraint or a unique index.

    Attributes:
        columns: the names of their attributes.
        unless_deleted: it holds among the rows that are not deleted, and for them only.
    """

    columns: tuple[str, ...]
    unless_deleted: bool = False


def unique_keys(table: Table, names: Mapping[Any, str], *, soft: bool) -> Iterator[UniqueKey]:
    """Return every unique key of a table, the primary key first.

    Args:
        table: of a model.
        names: of its columns' attributes.
        soft: whether rows are deleted softly, so that a partial index over the others counts.
    """
    yield UniqueKey(tuple(names[column] for column in table.primary_key))
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint):
            yield UniqueKey(tuple(names[column] for column in constraint.columns))
    for index in table.indexes:
        columns = [names.get(expression) for expression in index.expressions]
        predicate = _predicate(index, table)
        if index.unique and all(columns) and (predicate is None or (soft and predicate == _UNLESS_DELETED)):
            yield UniqueKey(tuple(filter(None, columns)), unless_deleted=predicate is not None)


def find_key(
    keys: Sequence[UniqueKey], names: Collection[str], *, model: str, table: str, deleted_too: bool
) -> UniqueKey:
    """Return the unique key that has exactly these columns.

    Args:
        keys: of the model.
        names: of the columns.
        model: for the message.
        table: for the error.
        deleted_too: it must hold for deleted rows as well.

    Raises:
        NotAUniqueKeyError: there is none.
    """
    matching = [key for key in keys if set(key.columns) == set(names)]
    usable = [key for key in matching if not (key.unless_deleted and deleted_too)]
    if usable:
        return min(usable, key=lambda key: key.unless_deleted)
    known = "; ".join(", ".join(key.columns) for key in keys if not (key.unless_deleted and deleted_too))
    reason = "unique only among the rows that are not deleted" if matching else "no unique key"
    message = f"({', '.join(names)}) is {reason} of {model}; unique are: {known}."
    raise NotAUniqueKeyError(message, columns=tuple(names), table=table)


def _predicate(index: Index, table: Table) -> str | None:
    predicate = index.dialect_options["postgresql"]["where"]
    return None if predicate is None else str(predicate).replace(f"{table}.", "")
