"""Primary keys as they stand in an address: written, and read back as the column's type has them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from enum import Enum
from re import compile as pattern
from typing import Any, Final
from uuid import UUID

from sqlalchemy import Column
from starlette.requests import Request
from starlette_admin import StringField
from starlette_admin.tools import iterencode

__all__ = ["KeyField", "key_field", "read_key"]

_BY_NAME: Final[dict[type, Any]] = {
    object: str,  # SQLAlchemy's, for a type of which it does not know
    bytes: bytes.fromhex,
    bool: {"True": True, "False": False}.__getitem__,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
}
# Dates that Python has no object for, as the server writes them.
_FAR: Final = pattern(r"-?infinity|\d{5,}-\d\d-\d\d[ \d:.+]*|\d{4}-\d\d-\d\d[ \d:.+]*BC")
# Types whose text on a page is that of an address.
_PLAIN: Final = (str, int, UUID)


@dataclass(init=False)
class KeyField(StringField):
    """The primary key as one text, in addresses. The columns themselves are shown by fields of their own."""

    def __init__(self, name: str, attributes: Sequence[str]) -> None:
        self.attributes = attributes
        super().__init__(name, exclude_from_list=True, exclude_from_detail=True)

    async def parse_obj(self, request: Request, obj: object) -> str:  # noqa: ARG002 - starlette-admin's
        """Return the text of a row's key."""
        texts = [_written(getattr(obj, name)) for name in self.attributes]
        return texts[0] if len(texts) == 1 else str(iterencode(texts))


def key_field(columns: dict[str, Column[Any]]) -> KeyField:
    """Return the field of a primary key.

    Args:
        columns: by the names of their attributes.
    """
    names = list(columns)
    is_plain = len(names) == 1 and issubclass(columns[names[0]].type.python_type, _PLAIN)
    # A name that no attribute has, where a list shows the value otherwise than an address does.
    return KeyField(names[0] if is_plain else ",".join([*names, ""]), names)


def read_key(column: Column[Any], text: str) -> object:
    """Return the value of one column of a primary key.

    Raises:
        ValueError: the text is no such value.

    Example:
        >>> from pgauthkit.models import User
        >>> read_key(User.__table__.c.id, "c123")
        'c123'
    """
    kind: type[Any] = column.type.python_type
    read: Any = kind.__getitem__ if issubclass(kind, Enum) else _BY_NAME.get(kind, kind)
    if kind in {date, datetime} and _FAR.fullmatch(text):
        return text
    try:
        return read(text)
    except (ArithmeticError, LookupError, TypeError) as error:
        raise ValueError(f"The key has no such value for {column.name}.") from error


def _written(value: object) -> str:
    if isinstance(value, bytes):
        return value.hex()
    return value.name if isinstance(value, Enum) else str(value)
