"""Where a value meets a column: compared as the column's own type, which the driver's parameters are not always."""

import re
from collections.abc import Callable, Hashable, Sequence
from functools import lru_cache
from typing import Any, Final, cast as typing_cast

from sqlalchemy import ARRAY, ColumnElement, Dialect, TypeDecorator, cast, literal
from sqlalchemy.dialects.postgresql import DOMAIN, dialect
from sqlalchemy.exc import CompileError
from sqlalchemy.types import TypeEngine, UserDefinedType

__all__ = ["Compared", "compared_type", "own_type", "plain_type", "same", "typed"]

_POSTGRESQL: Final[Dialect] = typing_cast("Callable[[], Dialect]", dialect)()
_PADDED, _CASELESS = "bpchar", "CITEXT"
# As a column is declared, and as what a value is compared. Without its length a cast cuts nothing; a moment of few
# digits is rounded, as it was when it was written. For the last ones SQLAlchemy would send text that has a type.
_RULES: Final = [
    (re.compile(rule, re.IGNORECASE), name)
    for rule, name in (
        (r"N?CHAR(ACTER)?(\(\d+\))?|BPCHAR(\(\d+\))?", _PADDED),
        (r"REAL|FLOAT4|FLOAT\((1?\d|2[0-4])\)", "REAL"),
        (r"((TIMESTAMP|TIME|INTERVAL)\b.*\(\d\).*)", None),
        (r"CITEXT", _CASELESS),
        (r"MONEY|TSVECTOR|TSQUERY|REG\w+", None),
    )
]
# The same for the items of an array, whose parameter SQLAlchemy casts to the array as it is declared.
_ITEMS: Final = [
    *_RULES,
    (re.compile(r"VARCHAR\(\d+\)", re.IGNORECASE), "VARCHAR"),
    (re.compile(r"NUMERIC\(.*\)", re.IGNORECASE), "NUMERIC"),
]


class _Named(UserDefinedType[Any]):
    """A type of the server, by its name."""

    cache_ok: bool | None = True

    def __init__(self, name: str) -> None:
        self.name = name

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return self.name


class Compared(UserDefinedType[Any]):
    """The type of a parameter: a value as one type turns it into a parameter, and then cast to what a column has."""

    cache_ok: bool | None = True

    def __init__(self, kind: TypeEngine[Any], own: TypeEngine[Any]) -> None:
        self.kind = kind
        self.own = own

    def bind_processor(self, dialect: Dialect) -> Any:  # noqa: ANN401 - SQLAlchemy keeps the type's name to itself
        """Return what turns a value into a parameter."""
        return self.kind.dialect_impl(dialect).bind_processor(dialect)

    def literal_processor(self, dialect: Dialect) -> Any:  # noqa: ANN401 - the same
        """Return what turns a value into a literal, where a host has asked for one."""
        return self.kind.dialect_impl(dialect).literal_processor(dialect)

    def bind_expression(self, bindvalue: Any) -> ColumnElement[Any]:  # noqa: ANN401 - a parameter
        """Return what stands for the value in a statement."""
        inner = self.kind.dialect_impl(_POSTGRESQL).bind_expression(bindvalue)
        return cast(bindvalue if inner is None else inner, self.own)


@lru_cache(maxsize=4096)
def own_type(kind: TypeEngine[Any]) -> TypeEngine[Any] | None:
    """Return what a value of a type is cast to, or None where the driver's parameters are of that type already.

    As text a padded or caseless value equals other values, and as double precision 0.1 is not the 0.1 of a real.
    """
    plain = plain_type(kind)
    if isinstance(plain, ARRAY):
        item = _named(plain_type(_item(typing_cast("TypeEngine[Any]", plain))), _ITEMS)
        return None if item is None else ARRAY(item)
    return _named(plain, _RULES)


def typed(kind: TypeEngine[Any], value: object) -> ColumnElement[Any]:
    """Return a value as a parameter of a column's type."""
    return literal(value, compared_type(kind))


def compared_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type of a parameter that is compared with a column of a type."""
    own = own_type(kind)
    return kind if own is None else Compared(kind, own)


def same(kind: TypeEngine[Any], value: object) -> object:
    """Return what two values of a type have in common if the server takes them for equal, as far as Python can tell.

    Blanks at the end of `char(n)` do not count, nor does the case of `citext`; an array is as its items are.
    """
    if isinstance(value, list | tuple):
        return tuple(same(_item(kind), one) for one in typing_cast("Sequence[object]", value))
    name = getattr(own_type(kind), "name", None)
    if isinstance(value, str) and name == _PADDED:
        return value.rstrip(" ")
    if isinstance(value, str) and name == _CASELESS:
        return value.lower()
    hashable: bool = isinstance(value, Hashable)
    return value if hashable else repr(value)


def plain_type(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    """Return the type below those that convert for Python, and below domains; for PostgreSQL, where that matters."""
    variants: dict[str, TypeEngine[Any]] = getattr(kind, "_variant_mapping", {})
    plain = variants.get(_POSTGRESQL.name, kind)
    if isinstance(plain, TypeDecorator):
        return plain_type(plain.type_engine(_POSTGRESQL))
    return plain_type(plain.data_type) if isinstance(plain, DOMAIN) else plain


def _item(kind: TypeEngine[Any]) -> TypeEngine[Any]:
    return typing_cast("TypeEngine[Any]", getattr(kind, "item_type", kind))


def _named(plain: TypeEngine[Any], rules: Sequence[tuple[re.Pattern[str], str | None]]) -> TypeEngine[Any] | None:
    try:
        declared = _spec(plain).partition(" COLLATE ")[0]
    except (CompileError, AttributeError):  # of an expression that has no type, or of a host's own type without a name
        return None
    names = (name or declared.upper() for rule, name in rules if rule.fullmatch(declared))
    return next(map(_Named, names), None)


def _spec(kind: TypeEngine[Any]) -> str:
    return _POSTGRESQL.type_compiler_instance.process(kind)
