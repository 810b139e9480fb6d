"""What a form changes: a value that only looks different because of the form is left as it is."""

import json
from collections.abc import Sequence
from datetime import datetime, time
from typing import Any, Final, cast

from sqlalchemy import JSON, Column, Dialect, Enum, String, null
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import HSTORE
from sqlalchemy.sql import ClauseElement

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.values import check_value
from pgauthkit.studio.unread import Unread

__all__ = ["cleaned", "is_same"]

_DIALECT: Final[Dialect] = postgresql.dialect()  # type: ignore[no-untyped-call]


def cleaned(value: object, given: Sequence[str], column: Column[Any]) -> object:
    """Return what a form gave as the database should have it.

    Args:
        value: as the field read it.
        given: the texts that it was read from.
        column: where it goes.

    Raises:
        RepositoryError: it does not fit the column, as for a repository; nothing is rounded, cut or dropped.

    Example:
        >>> from pgauthkit.models import User
        >>> cleaned("ADMIN", ["ADMIN"], User.__table__.c.role)
        <UserRole.ADMIN: 'ADMIN'>
    """
    if isinstance(column.type, JSON | HSTORE):
        return _document(value, column)
    if value == "" and not isinstance(column.type, String):
        return None
    if _is_lost(value, given) or (isinstance(value, Unread) and not value.is_infinite):
        raise RepositoryError(f"This is no value of the type {column.type.compile(_DIALECT)}.")
    found = _member(column.type, value) if isinstance(column.type, Enum) else value
    check_value(column, found)
    return found


def is_same(old: object, new: object) -> bool:
    r"""Tell whether a form gave back what it had shown. It shows no fractions of a second, and line ends as LF.

    Example:
        >>> is_same("one\r\ntwo", "one\ntwo")
        True
    """
    if old is None or isinstance(new, ClauseElement):
        return old is None and (new is None or new == [] or isinstance(new, ClauseElement))
    if {type(old), type(new)} & {bool, dict, list}:  # 1 equals true in Python, and is another document.
        return _text(old) == _text(new)
    if (isinstance(old, datetime) and isinstance(new, datetime)) or (isinstance(old, time) and isinstance(new, time)):
        return old.replace(microsecond=0) == new.replace(microsecond=0)
    if isinstance(old, str) and isinstance(new, str):
        return old.replace("\r\n", "\n") == new
    return old == new or (isinstance(new, str) and str(old) == new)


def _document(value: object, column: Column[Any]) -> object:
    is_json = isinstance(column.type, JSON)
    if not isinstance(value, str):
        return null() if is_json else None
    try:
        found: object = json.loads(value)
    except ValueError as error:
        raise RepositoryError(f"This is no JSON: {error}.") from None
    check_value(column, found)
    return JSON.NULL if is_json and found is None else found


def _member(kind: Enum, value: object) -> object:
    return next((member for member in kind.enum_class or () if str(member.value) == value), value)


def _is_lost(value: object, given: Sequence[str]) -> bool:
    """Tell whether a field, which reads None of what it does not understand, read less than was given."""
    items = cast("list[object]", value) if isinstance(value, list) else [value]
    return sum(item is not None for item in items) < sum(bool(text.strip()) for text in given)


def _text(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=str)
