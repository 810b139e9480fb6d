"""Batches: rows of a host, made ready to be sent as columns."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import ColumnElement

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.assignments import evaluated, validated
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.values import check_column

__all__ = ["Row", "batches", "columns_of", "computed", "groups", "refuse_duplicates", "refuse_missing"]

T = TypeVar("T")
Row: TypeAlias = Mapping[str, Any]


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


def groups(of: Description[Any], rows: Iterable[Row]) -> dict[tuple[str, ...], list[Row]]:
    """Return validated rows by the columns that they give; None does not count where the column has a default.

    So it is with `create`, where SQLAlchemy leaves such a column out.

    Raises:
        RepositoryError: there is no such column.
    """
    defaulted = {
        name
        for name, column in of.columns.items()
        if (column.default or column.server_default) and not column.type.should_evaluate_none
    }
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        full = row if of.kind.keys() <= row.keys() else {**of.kind, **row}
        if None in row.values():
            full = {name: value for name, value in full.items() if value is not None or name not in defaulted}
        names = tuple(full)
        if names not in found:
            of.require(names)
            found[names] = []
        found[names].append(validated(of, full) if of.mapper.validators else full)
    return found


def columns_of(of: Description[Any], names: Sequence[str], rows: Sequence[Row]) -> dict[str, Sequence[Any]]:
    """Return the rows by columns, checked, and with the defaults that Python computes.

    Raises:
        RepositoryError: a value cannot be stored.
        ValueTooLongError: a value is too long, out of range, or out of scale.
    """
    found: dict[str, Sequence[Any]] = {name: [row[name] for row in rows] for name in names}
    for name, values in found.items():
        check_column(of.columns[name], values)
    for name, column in of.columns.items():
        if name not in found and column.default is not None and _is_python(column.default):
            found[name] = _each(column.default, rows)
    return found


def computed(of: Description[Any], names: Iterable[str]) -> dict[str, ColumnElement[Any]]:
    """Return the defaults that are SQL expressions, of the columns that are not among these."""
    missing = {name: column.default for name, column in of.columns.items() if name not in set(names)}
    return {name: evaluated(default, {}) for name, default in missing.items() if default and not _is_python(default)}


def refuse_duplicates(of: Description[Any], key: Sequence[str], found: Mapping[tuple[str, ...], list[Row]]) -> None:
    """Make sure that every row of the groups has the key, and no two have the same.

    Raises:
        RepositoryError: the message has no values in it.
    """
    seen: set[tuple[Any, ...]] = set()
    for names, rows in found.items():
        refuse_missing(of, names, key)
        columns = [[row[name] for row in rows] for name in key]
        refuse_missing(of, [name for name, values in zip(key, columns, strict=True) if None not in values], key)
        before = len(seen)
        seen.update(zip(*columns, strict=True))
        if len(seen) < before + len(rows):
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


def _each(default: Any, rows: Sequence[Row]) -> list[Any]:  # noqa: ANN401 - of SQLAlchemy
    return [default.arg] * len(rows) if default.is_scalar else [evaluated(default, row) for row in rows]


def _is_python(default: Any) -> bool:  # noqa: ANN401 - of SQLAlchemy
    return bool(default.is_scalar or default.is_callable)
