"""What a page shows of a column: a field of starlette-admin for each that is no secret."""

from typing import Any

from sqlalchemy import (
    ARRAY,
    JSON,
    Boolean,
    Column,
    ColumnElement,
    Date,
    DateTime,
    Enum,
    LargeBinary,
    String,
    Time,
    TypeDecorator,
)
from sqlalchemy.dialects.postgresql import HSTORE
from sqlalchemy.orm import ColumnProperty, Mapper
from sqlalchemy.sql import visitors
from sqlalchemy.types import TypeEngine
from starlette_admin import BaseField, BooleanField, EnumField, StringField
from starlette_admin.contrib.sqla.converters import ModelConverter
from starlette_admin.contrib.sqla.exceptions import NotSupportedColumn

from pgauthkit.studio.fields import (
    BinaryField,
    ClockField,
    DayField,
    DocumentField,
    FlagField,
    MomentField,
    TextField,
)

__all__ = [
    "column_fields",
    "expressions",
    "is_left_to_the_database",
    "needed_columns",
    "open_columns",
    "secret_columns",
]


def secret_columns(mapper: Mapper[Any]) -> tuple[str, ...]:
    """Return the attributes that have to do with a column marked `info={"secret": True}`; they are not even read."""
    return tuple(prop.key for prop in mapper.column_attrs if _is_secret(prop))


def open_columns(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    """Return the other columns, by the names of their attributes, in the table's order."""
    found = {prop.key: _column(mapper, prop) for prop in mapper.column_attrs if not _is_secret(prop)}
    return {key: column for key, column in found.items() if isinstance(column, Column)}


def expressions(mapper: Mapper[Any]) -> dict[str, ColumnElement[Any]]:
    """Return what is computed in the rows' statement (`column_property`), by the names of the attributes."""
    found = {prop.key: _column(mapper, prop) for prop in mapper.column_attrs if not _is_secret(prop)}
    return {key: expression for key, expression in found.items() if not isinstance(expression, Column)}


def column_fields(mapper: Mapper[Any], covered: frozenset[str]) -> list[BaseField]:
    """Return the fields of a class's columns.

    Args:
        mapper: of the class.
        covered: foreign keys that are shown, and asked for, as the row that they point at. One of the primary key is
            shown all the same.
    """
    columns = open_columns(mapper)
    shown = {key: column for key, column in columns.items() if key not in covered or column.primary_key}
    fields = [_field(key, column, is_asked=key not in covered) for key, column in shown.items()]
    fields = [_only_shown(field) if _is_kept(mapper, columns[field.name]) else field for field in fields]
    return fields + [_only_shown(_by_type(key, column)) for key, column in expressions(mapper).items()]


def needed_columns(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    """Return the columns that a new row must be given a value for, secret ones too, by the names of attributes."""
    found = {prop.key: _column(mapper, prop) for prop in mapper.column_attrs}
    return {
        key: column
        for key, column in found.items()
        if isinstance(column, Column) and not is_left_to_the_database(column) and not _is_kept(mapper, column)
    }


def is_left_to_the_database(column: Column[Any]) -> bool:
    """Tell whether a row can be made without a value for the column."""
    has_default = column.default is not None or column.server_default is not None or column.computed is not None
    return bool(has_default or column.nullable or column is getattr(column.table, "autoincrement_column", None))


def _is_kept(mapper: Mapper[Any], column: Column[Any]) -> bool:
    """Tell whether SQLAlchemy itself sets a column, as it does a version and what tells subclasses apart."""
    return column is mapper.polymorphic_on or column is mapper.version_id_col


def _column(mapper: Mapper[Any], prop: ColumnProperty[Any]) -> ColumnElement[Any]:
    """Return what an attribute stands for: of the two columns of a joined key, the one of the first table."""
    return next(
        (column for column in prop.columns if any(column is key for key in mapper.primary_key)), prop.columns[0]
    )


def _is_secret(prop: ColumnProperty[Any]) -> bool:
    parts = (part for column in prop.columns for part in visitors.iterate(column))
    return any(part.info.get("secret") for part in parts if isinstance(part, Column))


def _field(key: str, column: Column[Any], *, is_asked: bool) -> BaseField:
    found = _by_type(key, column)
    found.required = not is_left_to_the_database(column) and not isinstance(column.type, Boolean)
    found.orderable = not isinstance(column.type, JSON | ARRAY)
    if column.primary_key:
        found.exclude_from_create = found.exclude_from_create or is_left_to_the_database(column) or not is_asked
        found.exclude_from_edit = True
    if column.computed is not None or column.onupdate is not None or _is_clock(column):
        found.exclude_from_create = found.exclude_from_edit = True
    return found


def _by_type(key: str, column: ColumnElement[Any]) -> BaseField:
    kind: TypeEngine[Any] = column.type
    as_text = BinaryField(key) if isinstance(kind, LargeBinary) else StringField(key)
    if isinstance(kind, LargeBinary | TypeDecorator):  # What a decorator's values are, only the application knows.
        return _only_shown(as_text)
    found = _of_ours(key, column, kind)
    if found is not None:
        return found
    plain = column if isinstance(column, Column) else Column(key, kind)
    try:
        return ModelConverter().convert(name=key, type=kind, column=plain)
    except NotSupportedColumn:
        return _only_shown(as_text)


def _of_ours(key: str, column: ColumnElement[Any], kind: TypeEngine[Any]) -> BaseField | None:
    common: dict[str, Any] = {"help_text": getattr(column, "comment", None), "default": _default(column)}
    nullable = getattr(column, "nullable", True)
    if isinstance(kind, Enum):
        choices = [(member.value, member.name) for member in kind.enum_class or ()] or [
            (one, one) for one in kind.enums
        ]
        return EnumField(key, choices=choices, **common)
    if isinstance(kind, String):
        return TextField(key, nullable=nullable, maxlength=kind.length, **common)
    if isinstance(kind, JSON | HSTORE):
        return DocumentField(key, nullable=nullable, searchable=False, **common)
    if isinstance(kind, Boolean):
        return FlagField(key, **common) if nullable else BooleanField(key, **common)
    if isinstance(kind, DateTime):
        return MomentField(key, aware=kind.timezone, **common)
    fields = {Date: DayField, Time: ClockField}
    return next((field(key, **common) for type_, field in fields.items() if isinstance(kind, type_)), None)


def _default(column: ColumnElement[Any]) -> object:
    """Return what the form of a new row begins with."""
    default: Any = getattr(column, "default", None)
    return default.arg if default is not None and default.is_scalar else None


def _only_shown(found: BaseField) -> BaseField:
    found.exclude_from_create = found.exclude_from_edit = True
    return found


def _is_clock(column: Column[Any]) -> bool:
    return isinstance(column.type, DateTime) and column.server_default is not None
