"""Primary keys as they stand in an address: read back as the column's type has them."""

from datetime import date, datetime, time
from typing import Any, Final

from sqlalchemy import Column

__all__ = ["read_key"]

_BY_NAME: Final[dict[type, Any]] = {
    object: str,  # SQLAlchemy's, for a type of which it does not know
    bytes: bytes.fromhex,
    bool: {"True": True, "False": False}.__getitem__,
    datetime: datetime.fromisoformat,
    date: date.fromisoformat,
    time: time.fromisoformat,
}


def read_key(column: Column[Any], text: str) -> object:
    """Return the value of one column of a primary key.

    Raises:
        ValueError: the text is no such value.

    Example:
        >>> from pgauthkit.models import User
        >>> read_key(User.__table__.c.id, "c123")
        'c123'
    """
    kind = column.type.python_type
    try:
        return _BY_NAME.get(kind, kind)(text)
    except (ArithmeticError, LookupError, TypeError) as error:
        raise ValueError(f"This is no {kind.__name__}.") from error
