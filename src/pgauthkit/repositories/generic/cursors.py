"""Cursors: the place of a row in an order, as text that a host hands out and gets back."""

import base64
import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from ipaddress import IPv4Address, IPv4Interface, IPv4Network, IPv6Address, IPv6Interface, IPv6Network
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import Column
from sqlalchemy.types import TypeEngine

from pgauthkit.errors import RepositoryError

__all__ = ["read_cursor", "write_cursor"]

_CHECKSUM: Final = 12  # bytes

# What JSON does not know is written as text, with a letter that says how to read it.
_WRITERS: Final[Sequence[tuple[type, str, Callable[[Any], str]]]] = (
    (Enum, "e", lambda value: value.name),
    (datetime, "t", datetime.isoformat),
    (date, "d", date.isoformat),
    (time, "c", time.isoformat),
    (timedelta, "i", lambda value: str(value // timedelta(microseconds=1))),
    (Decimal, "n", str),
    (float, "f", float.hex),
    (UUID, "u", str),
    (bytes, "b", bytes.hex),
    *((kind, "a", str) for kind in (IPv4Address, IPv6Address, IPv4Interface, IPv6Interface, IPv4Network, IPv6Network)),
    (list, "l", lambda value: json.dumps([None if item is None else _written(item) for item in value])),
)
_READERS: Final[Mapping[str, Callable[[str], Any]]] = {
    "t": datetime.fromisoformat,
    "d": date.fromisoformat,
    "c": time.fromisoformat,
    "i": lambda text: timedelta(microseconds=int(text)),
    "n": Decimal,
    "f": float.fromhex,
    "u": UUID,
    "b": bytes.fromhex,
    "a": str,
}


def write_cursor(place: str, values: Sequence[object]) -> str:
    """Return a cursor for a row.

    It is not secret, and no protection: it holds the values that the row is ordered by, and anyone who knows the rules
    can make one. Its checksum tells a garbled one, and one for something else, from one that was handed out.

    Args:
        place: the model and the order that it is for.
        values: of the row, in the columns of the order.
    """
    payload = json.dumps([_written(value) for value in values], separators=(",", ":")).encode()
    return _encoded(_checksum(place, payload) + payload)


def read_cursor(place: str, cursor: str, columns: Sequence[Column[Any]]) -> list[Any]:
    """Return the values that a cursor was made of.

    Raises:
        RepositoryError: it is garbled, or was made for another model or order.
    """
    try:
        whole = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        checksum, payload = whole[:_CHECKSUM], whole[_CHECKSUM:]
        # The first catches a text that decodes to the same bytes: base64 has bits, and letters, that do not count.
        if _encoded(whole) == cursor and _checksum(place, payload) == checksum:
            return [_read(value, column.type) for value, column in zip(json.loads(payload), columns, strict=True)]
    except (ValueError, LookupError, TypeError, ArithmeticError, AttributeError):
        pass
    raise RepositoryError("The cursor is garbled, or was made for another model or another order.")


def _encoded(whole: bytes) -> str:
    return base64.urlsafe_b64encode(whole).decode().rstrip("=")


def _checksum(place: str, payload: bytes) -> bytes:
    return hashlib.sha256(b"\0".join([place.encode(), payload])).digest()[:_CHECKSUM]


def _written(value: Any) -> object:  # noqa: ANN401 - of any column
    for kind, letter, write in _WRITERS:
        if isinstance(value, kind):
            return [letter, write(cast("Any", value))]
    if isinstance(value, str | int):
        return value
    raise RepositoryError(f"A cursor cannot hold a value of type {type(value).__name__}.")


def _read(value: Any, kind: TypeEngine[Any]) -> object:  # noqa: ANN401 - of JSON
    if isinstance(value, str | int):
        return value
    letter, text = value
    if letter == "e":
        return cast("Any", kind).enum_class[text]
    if letter == "l":
        item = getattr(kind, "item_type", kind)
        return [None if one is None else _read(one, item) for one in json.loads(text)]
    return _READERS[letter](text)
