"""Where a value meets a column: compared as the column's own type, which the driver's parameters are not always."""

from typing import Any

from sqlalchemy import CHAR, REAL, ColumnElement, TypeDecorator, cast, literal
from sqlalchemy.dialects.postgresql import CITEXT
from sqlalchemy.types import TypeEngine, UserDefinedType

__all__ = ["own_type", "typed"]


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
    return kind if isinstance(kind, REAL | CITEXT) else None


def typed(kind: TypeEngine[Any], value: object) -> ColumnElement[Any]:
    """Return a value as a parameter of a column's type."""
    own = own_type(kind)
    return literal(value, kind) if own is None else cast(literal(value, kind), own)
