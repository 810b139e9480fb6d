"""The schema as a diagram: every table with its columns, keys and relations, in Mermaid."""

from collections.abc import Iterable, Iterator
from typing import Final

from sqlalchemy import Column, Dialect, Enum, ForeignKeyConstraint, MetaData, Table, UniqueConstraint
from sqlalchemy.dialects import postgresql
from sqlalchemy.exc import CompileError

__all__ = ["diagram"]

_DIALECT: Final[Dialect] = postgresql.dialect()  # type: ignore[no-untyped-call]
_SHORTER: Final = {" with time zone": "tz", " without time zone": ""}
_UNFIT: Final = str.maketrans({" ": "_", ",": "-"} | dict.fromkeys('".', "_"))


def diagram(metadata: MetaData | Iterable[MetaData]) -> str:
    """Return an `erDiagram` of Mermaid.

    A box for each table, with each column's type, `PK`, `FK` and `UK` where it is a key, and whether it may be null.
    A line for each foreign key: `||` one, `o|` none or one, `o{` any number; drawn through where the key is part of
    the row's own primary key, and broken where it is not.

    Args:
        metadata: of one declarative base, or of several. A table that two of them have is drawn once.

    Example:
        >>> print(diagram(MetaData()))
        erDiagram
        <BLANKLINE>

    See https://mermaid.js.org/syntax/entityRelationshipDiagram.html for the language.
    """
    several = [metadata] if isinstance(metadata, MetaData) else metadata
    tables = {str(table): table for one in several for table in one.tables.values()}
    lines = [line for name in sorted(tables) for line in _box(tables[name])]
    lines += sorted(line for table in tables.values() for key in table.foreign_key_constraints for line in [_line(key)])
    return "\n".join(["erDiagram", *(f"    {line}" for line in lines)]) + "\n"


def _box(table: Table) -> Iterator[str]:
    yield f'"{table}" {{'
    for column in table.columns:
        yield f"    {_row(column)}"
    yield "}"


def _row(column: Column[object]) -> str:
    kinds = {"PK": column.primary_key, "FK": bool(column.foreign_keys), "UK": _is_unique([column])}
    keys = ", ".join(kind for kind, holds in kinds.items() if holds)
    note = '"null"' if column.nullable else ""
    return " ".join(filter(None, [_type(column), column.name.translate(_UNFIT), keys, note]))


def _type(column: Column[object]) -> str:
    kind = column.type
    if isinstance(kind, Enum) and kind.enum_class is not None:
        return kind.enum_class.__name__
    try:
        name = kind.compile(_DIALECT).lower()
    except CompileError:  # A column whose type is read from the database, or made up by the application.
        name = type(kind).__name__
    for long, short in _SHORTER.items():
        name = name.replace(long, short)
    return name.translate(_UNFIT)


def _is_unique(columns: Iterable[Column[object]]) -> bool:
    """Tell whether a unique constraint, or a unique index without a condition, is of exactly these columns."""
    wanted = set(columns)
    table: Table = next(iter(wanted)).table
    indexes = (one for one in table.indexes if one.unique and one.dialect_options["postgresql"]["where"] is None)
    keys: list[Iterable[object]] = [one.columns for one in table.constraints if isinstance(one, UniqueConstraint)]
    keys += [one.expressions for one in indexes]
    return any({*key} == wanted for key in keys)


def _line(key: ForeignKeyConstraint) -> str:
    columns = list(key.columns)
    there = "|o" if any(column.nullable for column in columns) else "||"
    is_primary = {*columns} == {*key.table.primary_key.columns}
    here = "o|" if is_primary or _is_unique(columns) else "o{"
    stroke = "--" if all(column.primary_key for column in columns) else ".."
    names = ", ".join(column.name for column in columns)
    return f'"{key.referred_table}" {there}{stroke}{here} "{key.table}" : "{names}"'
