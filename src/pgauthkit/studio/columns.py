"""What a page shows of a column: a field of starlette-admin for each that is no secret."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ARRAY, JSON, Boolean, Column, DateTime, Enum, LargeBinary, Time, TypeDecorator
from sqlalchemy.orm import Mapper
from starlette.datastructures import FormData
from starlette.requests import Request
from starlette_admin import BaseField, DateTimeField, EnumField, StringField
from starlette_admin.contrib.sqla.converters import ModelConverter
from starlette_admin.contrib.sqla.exceptions import NotSupportedColumn
from starlette_admin.fields import TextAreaField, TimeField
from starlette_admin.types import RequestAction

__all__ = [
    "BinaryField",
    "ClockField",
    "MomentField",
    "column_fields",
    "is_left_to_the_database",
    "open_columns",
    "secret_columns",
]


@dataclass
class BinaryField(StringField):
    """Bytes, shown as hexadecimal digits, and not to be edited."""

    async def parse_obj(self, request: Request, obj: object) -> str | None:
        """Return the digits, also where they stand in an address as the primary key."""
        value = await super().parse_obj(request, obj)
        return None if value is None else bytes(value).hex()


@dataclass
class MomentField(DateTimeField):
    """A point in time: in UTC, whatever the server's time zone; in a form to the second, as browsers have it.

    Attributes:
        aware: whether the column is a `timestamptz`.
    """

    aware: bool = True

    async def parse_form_data(self, request: Request, form_data: FormData) -> datetime | None:
        """Return the moment; starlette-admin's own loses the zone."""
        moment = await super().parse_form_data(request, form_data)
        return moment.replace(tzinfo=UTC) if moment is not None and self.aware else moment

    async def serialize_value(self, request: Request, value: Any) -> str:  # noqa: ANN401 - a datetime
        """Return it for a list or a row as one reads it, and for a form or a file as these have it."""
        action = request.state.action
        if action in {RequestAction.LIST, RequestAction.DETAIL}:
            return f"{value.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC" if self.aware else f"{value:%Y-%m-%d %H:%M:%S}"
        return await super().serialize_value(request, value.replace(microsecond=0) if action.is_form() else value)


@dataclass
class ClockField(TimeField):
    """A time of day; in a form to the second, as browsers have it."""

    async def serialize_value(self, request: Request, value: Any) -> str:  # noqa: ANN401 - a time
        """Return it as text."""
        return str(value.replace(microsecond=0) if request.state.action.is_form() else value)


def secret_columns(mapper: Mapper[Any]) -> tuple[str, ...]:
    """Return the attributes whose column is marked `info={"secret": True}`; they are not even read."""
    return tuple(prop.key for prop in mapper.column_attrs if prop.columns[0].info.get("secret"))


def open_columns(mapper: Mapper[Any]) -> dict[str, Column[Any]]:
    """Return the other columns, by the names of their attributes, in the table's order."""
    secrets = secret_columns(mapper)
    return {
        prop.key: prop.columns[0]
        for prop in mapper.column_attrs
        if prop.key not in secrets and isinstance(prop.columns[0], Column)
    }


def column_fields(mapper: Mapper[Any], covered: frozenset[str]) -> list[BaseField]:
    """Return the fields of a class's columns.

    Args:
        mapper: of the class.
        covered: foreign keys that are shown, and asked for, as the row that they point at. One of the primary key is
            shown all the same.
    """
    columns = open_columns(mapper)
    shown = {key: column for key, column in columns.items() if key not in covered or column.primary_key}
    return [_field(key, column, is_asked=key not in covered) for key, column in shown.items()]


def is_left_to_the_database(column: Column[Any]) -> bool:
    """Tell whether a row can be made without a value for the column."""
    has_default = column.default is not None or column.server_default is not None or column.computed is not None
    return bool(has_default or column.nullable or column is column.table.autoincrement_column)


def _field(key: str, column: Column[Any], *, is_asked: bool) -> BaseField:
    found = _by_type(key, column)
    is_boolean = isinstance(column.type, Boolean)
    found.required = not is_left_to_the_database(column) and not is_boolean
    found.orderable = not isinstance(column.type, JSON | ARRAY)
    if column.primary_key:
        found.exclude_from_create = found.exclude_from_create or is_left_to_the_database(column) or not is_asked
        found.exclude_from_edit = True
    if column.computed is not None or column.onupdate is not None or _is_clock(column):
        found.exclude_from_create = found.exclude_from_edit = True
    if isinstance(found, TextAreaField):
        found.rows = 1
    return found


def _by_type(key: str, column: Column[Any]) -> BaseField:
    kind = column.type
    as_text = BinaryField(key) if isinstance(kind, LargeBinary) else StringField(key)
    if isinstance(kind, LargeBinary | TypeDecorator):  # What a decorator's values are, only the application knows.
        return _only_shown(as_text)
    if isinstance(kind, DateTime):
        return MomentField(key, help_text=column.comment, aware=kind.timezone)
    if isinstance(kind, Time):
        return ClockField(key, help_text=column.comment)
    if isinstance(kind, Enum) and kind.enum_class is None:
        return EnumField(key, choices=[(value, value) for value in kind.enums], help_text=column.comment)
    try:
        return ModelConverter().convert(name=key, type=kind, column=column)
    except NotSupportedColumn:
        return _only_shown(as_text)


def _only_shown(found: BaseField) -> BaseField:
    found.exclude_from_create = found.exclude_from_edit = True
    return found


def _is_clock(column: Column[Any]) -> bool:
    return isinstance(column.type, DateTime) and column.server_default is not None
