"""Batches: rows of a host, made ready to be sent as columns."""

from collections.abc import Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from operator import itemgetter
from typing import Any, TypeAlias, TypeVar

import attrs
from sqlalchemy import ColumnElement

from pgauthkit.errors import RepositoryError
from pgauthkit.identifiers import new_id, new_ids
from pgauthkit.repositories.generic.arrays import Constant
from pgauthkit.repositories.generic.assignments import evaluated, evaluated_rows, validated_columns
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.keys import UniqueKey
from pgauthkit.repositories.generic.typed import own_type, same
from pgauthkit.repositories.generic.values import check_column, is_json

__all__ = ["Group", "Row", "batches", "completed", "computed", "groups", "refuse_duplicates", "refuse_missing"]

T = TypeVar("T")
Row: TypeAlias = Mapping[str, Any]
Columns: TypeAlias = Mapping[str, Sequence[Any]]


@attrs.frozen
class Group:
    """Rows that give the same columns, as these columns; whole columns are much the quicker to work on.

    Attributes:
        size: how many rows.
        columns: by name; there may be none. Some may be `Constant`.
    """

    size: int
    columns: Columns


def batches(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    """Return the rows, so many at a time.

    Raises:
        RepositoryError: the size is not positive.
    """
    if size < 1:
        raise RepositoryError("batch_size is not positive.")
    left = iter(rows)
    while batch := list(islice(left, size)):
        yield batch


def groups(of: Description[Any], rows: Sequence[Row]) -> list[Group]:
    """Return validated rows as columns, with those that give the same columns together.

    None does not count where the column has a default, as with `create`, where SQLAlchemy leaves such a column out.

    Raises:
        RepositoryError: there is no such column.
    """
    found = _alike(of, rows)
    for names in found:
        of.require(names)
    return [Group(len(alike), _validated(of, _columns(of, names, alike))) for names, alike in found.items()]


def completed(of: Description[Any], group: Group) -> Columns:
    """Return the columns of a group, checked, and with them the defaults that Python computes.

    Raises:
        RepositoryError: a value cannot be stored.
        ValueTooLongError: a value is too long, out of range, or out of scale.
    """
    for name, values in group.columns.items():
        check_column(of.columns[name], values)
    first = {name: Constant(value, group.size) for name, value in of.version.items() if name not in group.columns}
    missing = [(name, default) for name, default in _missing(of, group.columns) if _is_python(default)]
    return {**first, **group.columns, **{name: _defaults(default, group) for name, default in missing}}


def computed(of: Description[Any], given: Iterable[str]) -> dict[str, ColumnElement[Any]]:
    """Return the defaults that are SQL expressions, of the columns that are not among these."""
    return {name: evaluated(default, {}) for name, default in _missing(of, given) if not _is_python(default)}


def refuse_duplicates(of: Description[Any], unique: UniqueKey, found: Iterable[Group]) -> None:
    """Make sure that every row has the key, and no two have the same.

    Raises:
        RepositoryError: the message has no values in it.
    """
    key, seen = unique.columns, set[tuple[Any, ...]]()
    for group in found:
        refuse_missing(of, group.columns, key)
        columns = [group.columns[name] for name in key]
        full = [name for name, values in zip(key, columns, strict=True) if unique.nulls or None not in values]
        refuse_missing(of, full, key)
        before = len(seen)
        seen.update(zip(*map(partial(_comparable, of), key, columns), strict=True))
        if len(seen) < before + group.size:
            message = f"Two rows of a batch for {of.name} have the same {', '.join(key)}."
            raise RepositoryError(message, columns=key, table=of.table.name)


def refuse_missing(of: Description[Any], names: Collection[str], wanted: Iterable[str]) -> None:
    """Make sure that a row gives the columns wanted.

    Raises:
        RepositoryError: one is missing.
    """
    if missing := [name for name in wanted if name not in names]:
        message = f"A row for {of.name} has no value for {', '.join(missing)}."
        raise RepositoryError(message, columns=missing, table=of.table.name)


def _alike(of: Description[Any], rows: Sequence[Row]) -> dict[tuple[str, ...], Sequence[Row]]:
    """Return the rows by the columns that they give; mostly all give the same, which is quick to see."""
    defaulted = {
        name
        for name, column in of.columns.items()
        if (column.default or column.server_default) and (is_json(column) or not column.type.should_evaluate_none)
    }
    names = rows[0].keys()
    if len(set(map(frozenset, set(map(tuple, rows))))) == 1:
        doubtful = names & defaulted
        if not any(row[name] is None for name in doubtful for row in rows):
            return {(*of.kind, *(name for name in names if name not in of.kind)): rows}
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        full = {**of.kind, **row}
        kept = {name: value for name, value in full.items() if value is not None or name not in defaulted}
        found.setdefault(tuple(kept), []).append(kept)
    return dict(found)


def _columns(of: Description[Any], names: Sequence[str], rows: Sequence[Row]) -> Columns:
    given = rows[0].keys()
    return {
        name: list(map(itemgetter(name), rows)) if name in given else Constant(of.kind[name], len(rows))
        for name in names
    }


def _validated(of: Description[Any], columns: Columns) -> Columns:
    """Return the columns as the model's validators leave them; what is the same in all rows is not given by a host."""
    constant = {name: column.value for name, column in columns.items() if isinstance(column, Constant)}
    given = {name: column for name, column in columns.items() if name not in constant}
    return {**columns, **validated_columns(of, given, constant)}


def _comparable(of: Description[Any], name: str, values: Sequence[Any]) -> Sequence[Any]:
    kind = of.columns[name].type
    plain = own_type(kind) is None and all(issubclass(found, Hashable) for found in set(map(type, values)))
    return values if plain else [same(kind, value) for value in values]


def _missing(of: Description[Any], given: Iterable[str]) -> list[tuple[str, Any]]:
    names = set(given)
    return [(name, column.default) for name, column in of.columns.items() if name not in names and column.default]


def _defaults(default: Any, group: Group) -> Sequence[Any]:  # noqa: ANN401 - of SQLAlchemy
    if default.is_scalar:
        return Constant(default.arg, group.size)
    if getattr(default.arg, "__wrapped__", None) is new_id:  # SQLAlchemy wraps what takes no context
        return new_ids(group.size)
    return evaluated_rows(default, group.columns, group.size)


def _is_python(default: Any) -> bool:  # noqa: ANN401 - of SQLAlchemy
    return bool(default.is_scalar or default.is_callable)
