"""Where a value meets a column: compared as the column's own type, which the driver's parameters are not always."""

from collections.abc import Hashable, Sequence
from typing import Any, cast as typing_cast

from sqlalchemy import ARRAY, CHAR, REAL, ColumnElement, TypeDecorator, cast, literal
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import TypeEngine, UserDefinedType

__all__ = ["own_type", "same", "typed"]


class _Padded(UserDefinedType[Any]):
    """`char(n)` without its length, to which a cast would cut silently; blanks at the end do not count."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return "bpchar"


def own_type(kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
    """Return what a value of a type is cast to, or None where the driver's parameters are of that type already.

    As text a padded or caseless value equals other values, and as double precision 0.1 is not the 0.1 of a real.
    """
    while isinstance(kind, TypeDecorator):
        kind = kind.impl_instance
    if isinstance(kind, CHAR | _Padded):
        return _Padded()
    if isinstance(kind, ARRAY):
        item = own_type(_item(typing_cast("TypeEngine[Any]", kind)))
        return None if item is None else ARRAY(item)
    return kind if isinstance(kind, REAL | CITEXT) else None


def typed(kind: TypeEngine[Any], value: object) -> ColumnElement[Any]:
    """Return a value as a parameter of a column's type."""
    own = own_type(kind)
    return literal(value, kind) if own is None else cast(literal(value, kind), own)


def same(kind: TypeEngine[Any], value: object) -> object:
    """Return what two values of a type have in common if the server takes them for equal, as far as Python can tell.

    Blanks at the end of `char(n)` do not count, nor does the case of `citext`; an array is as its items are.
    """
    own = own_type(kind)
    if isinstance(value, list | tuple):
        return tuple(same(_item(kind), one) for one in typing_cast("Sequence[object]", value))
    if isinstance(value, str) and isinstance(own, _Padded):
        return value.rstrip(" ")
    if isinstance(value, str) and isinstance(own, CITEXT):
        return value.lower()
    hashable: bool = isinstance(value, Hashable)
    return value if hashable else repr(value)


def _item(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return typing_cast("TypeEngine[Any]", getattr(kind, "item_type", kind))
