"""`UniqueKey`: a set of columns by which the database knows one row, read from the table of a model."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Any, Final, cast

import attrs
from sqlalchemy import Column, Index, Table, UnaryExpression, UniqueConstraint
from sqlalchemy.dialects.postgresql import dialect
from sqlalchemy.sql import ClauseElement, operators

from pgauthkit.errors import NotAUniqueKeyError

__all__ = ["UniqueKey", "find_key", "unique_keys"]

# They say how an index is sorted, and nothing of what is unique.
_SORTING: Final = frozenset({operators.asc_op, operators.desc_op, operators.nulls_first_op, operators.nulls_last_op})


@attrs.frozen
class UniqueKey:
    """The columns of a primary key, a unique constraint or a unique index.

    Attributes:
        columns: the names of their attributes.
        unless_deleted: it holds among the rows that are not deleted, and for them only.
        where: the rows that it holds for, as SQL; None for all of them.
        nulls: NULL equals NULL in it (NULLS NOT DISTINCT).
    """

    columns: tuple[str, ...]
    unless_deleted: bool = False
    where: str | None = None
    nulls: bool = False

    def holds(self, *, deleted_too: bool, partial: bool) -> bool:
        """Tell whether it is of use: for deleted rows as well, or, with `partial`, for some rows only."""
        return self.where is None or (not deleted_too and (self.unless_deleted or partial))


def unique_keys(
    table: Table, names: Mapping[Any, str], primary_key: tuple[str, ...], deleted_at: Column[Any] | None
) -> Iterator[UniqueKey]:
    """Return every unique key of a table, the primary key first; not those of columns that are not mapped.

    Args:
        table: of a model.
        names: of its columns' attributes.
        primary_key: the attributes that the model knows a row by; its table, as a view, may have no primary key.
        deleted_at: the column that says when a row was deleted softly.
    """
    yield UniqueKey(primary_key)
    unless_deleted = None if deleted_at is None else _sql(deleted_at.is_(None))
    for item in (*table.constraints, *table.indexes):
        if not isinstance(item, UniqueConstraint | Index) or (isinstance(item, Index) and not item.unique):
            continue
        expressions = item.expressions if isinstance(item, Index) else item.columns
        columns = [names.get(_unsorted(expression, table)) for expression in expressions]
        options = item.dialect_options["postgresql"]
        predicate = options["where"] if isinstance(item, Index) else None
        where = None if predicate is None else _sql(predicate)
        if all(columns):
            is_soft = where is not None and _bare(where, table) == _bare(str(unless_deleted), table)
            yield UniqueKey(tuple(filter(None, columns)), is_soft, where, bool(options["nulls_not_distinct"]))


def find_key(
    keys: Sequence[UniqueKey],
    names: Collection[str],
    *,
    model: str,
    table: str,
    deleted_too: bool,
    partial: bool = False,
) -> UniqueKey:
    """Return the unique key that has exactly these columns.

    Args:
        keys: of the model.
        names: of the columns.
        model: for the message.
        table: for the error.
        deleted_too: it must hold for deleted rows as well.
        partial: it may hold for some rows only, as ON CONFLICT can name them.

    Raises:
        NotAUniqueKeyError: there is none.
    """
    matching = [key for key in keys if set(key.columns) == set(names)]
    usable = [key for key in matching if key.holds(deleted_too=deleted_too, partial=partial)]
    if usable:
        return min(usable, key=lambda key: (key.where is not None, not key.unless_deleted))
    known = "; ".join(", ".join(key.columns) for key in keys if key.holds(deleted_too=deleted_too, partial=partial))
    soft = any(key.unless_deleted for key in matching)
    some = "the rows that are not deleted" if soft else "some rows, for upsert alone,"
    reason = f"unique only among {some}" if matching else "no unique key"
    message = f"({', '.join(names)}) is {reason} of {model}; unique are: {known}."
    raise NotAUniqueKeyError(message, columns=tuple(names), table=table)


def _unsorted(expression: Any, table: Table) -> object:  # noqa: ANN401 - a column, or an SQL expression
    element = expression
    while isinstance(element, UnaryExpression) and element.modifier in _SORTING:
        element = cast("Any", element).element
    # As `desc("name")` has it, which SQLAlchemy does not resolve in an index.
    name = getattr(cast("object", element), "element", None)
    return table.columns.get(name) if isinstance(name, str) else cast("object", element)


def _sql(predicate: ClauseElement) -> str:
    """Return a predicate as the index has it: ON CONFLICT does not recognise it where parameters stand for values."""
    named = cast("type[Any]", dialect)(paramstyle="named")  # which does not double the percent signs
    return cast(
        "str", named.statement_compiler(named, None).process(predicate, include_table=False, literal_binds=True)
    )


def _bare(predicate: str, table: Table) -> str:
    return predicate.replace('"', "").replace(f"{table}.", "").strip("() ").lower()
