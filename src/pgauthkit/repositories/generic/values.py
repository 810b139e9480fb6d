"""What a value must be to fit its column: looked at before any SQL, because the server names no column, or rounds."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Context, Decimal, InvalidOperation
from functools import lru_cache, reduce
from typing import Any, Final, NoReturn, cast

from sqlalchemy import ARRAY, JSON, BigInteger, Column, Enum, Float, Integer, Numeric, SmallInteger, String
from sqlalchemy.sql import ClauseElement

from pgauthkit.errors import CheckViolationError, RepositoryError, ValueTooLongError
from pgauthkit.identifiers import is_storable

__all__ = ["check_column", "check_storable", "check_value", "is_json"]

Problem = tuple[type[RepositoryError], str]
Check = Callable[[Any], Problem | None]

_UNSTORABLE: Final[Problem] = (RepositoryError, "holds a NUL or a lone surrogate, which PostgreSQL cannot store")
# Digits enough for any numeric of PostgreSQL: 131,072 before the point and 16,383 behind it.
_WIDE: Final = Context(prec=150_000)


def check_value(column: Column[Any], value: object) -> None:
    """Make sure that a value fits its column; an SQL expression is left to the server.

    Raises:
        ValueTooLongError: it is longer than the column, or out of its range or scale.
        CheckViolationError: it is no member of the column's enum, which is kept as text.
        RepositoryError: it is text that PostgreSQL cannot store, or no member of a native enum.
    """
    check = _check_of(column.type)
    if check is None or value is None or isinstance(value, ClauseElement):
        return
    if problem := check(value):
        _refuse(column, problem)


def check_column(column: Column[Any], values: Sequence[object]) -> None:
    """Make sure that every value fits; as `check_value`, but quick for thousands of plain ones."""
    check = _check_of(column.type)
    if check is None or _are_plain(column.type, check, values):
        return
    for value in values:
        if value is not None and (problem := check(value)):
            _refuse(column, problem)


def check_storable(columns: Mapping[str, Column[Any]], values: Mapping[str, object]) -> None:
    """Make sure that text to look for could be stored at all.

    Raises:
        RepositoryError: it has a NUL or a lone surrogate.
    """
    for name, value in values.items():
        if isinstance(value, str) and not is_storable(value):
            _refuse(columns[name], _UNSTORABLE)


def is_json(column: Column[Any]) -> bool:
    """Tell whether a column is of JSON, for which SQLAlchemy writes None as a value."""
    return isinstance(column.type, JSON)


def _refuse(column: Column[Any], problem: Problem) -> NoReturn:
    kind, reason = problem
    message = f"The value for {column.table.name}.{column.name} {reason}."
    raise kind(message, columns=[column.name], table=column.table.name)


@lru_cache(1000)  # columns; an application has some hundreds
def _check_of(kind: object) -> Check | None:
    for types, make in _CHECKS:
        if isinstance(kind, types):
            return make(kind)
    return None


def _are_plain(kind: object, check: Check, values: Sequence[Any]) -> bool:
    """Return whether every value fits, in one step; only for columns of one plain type."""
    types = set(map(type, values))
    if types == {str} and isinstance(kind, String) and not isinstance(kind, Enum):
        return is_storable("".join(values)) and (kind.length is None or max(map(len, values)) <= kind.length)
    if types == {int} and isinstance(kind, Integer):
        return not (check(min(values)) or check(max(values)))
    if types == {Decimal} and isinstance(kind, Numeric):
        return _are_plain_decimals(check, values)
    return False


def _are_plain_decimals(check: Check, values: Sequence[Decimal]) -> bool:
    try:
        # A sum, not rounded, has as many places as the summand that has most: the check is of all summands' places.
        places = reduce(_WIDE.add, values).as_tuple().exponent
        return isinstance(places, int) and not any(map(check, (min(values), max(values), Decimal(1).scaleb(places))))
    except ArithmeticError:
        return False


def _anything(_: object) -> None:
    return None


def _enum(kind: Enum) -> Check:
    known: tuple[object, ...] = (*(kind.enum_class or ()), *kind.enums)
    error = RepositoryError if kind.native_enum else CheckViolationError
    problem = error, f"is none of {', '.join(kind.enums)}"
    return lambda value: None if value in known else problem


def _text(kind: String) -> Check:
    length = kind.length

    def check(value: object) -> Problem | None:
        if not isinstance(value, str):
            return None
        if length is not None and len(value) > length:
            return ValueTooLongError, f"is longer than {length} characters"
        return None if is_storable(value) else _UNSTORABLE

    return check


def _integer(bits: int) -> Callable[[Any], Check]:
    smallest, problem = -(2 ** (bits - 1)), (ValueTooLongError, f"is out of the range of {bits} bits")
    return lambda _: lambda value: problem if isinstance(value, int) and not smallest <= value < -smallest else None


def _number(kind: Numeric[Any]) -> Check:
    if kind.precision is None:
        return _anything
    places = kind.scale or 0
    limit, step = Decimal(10) ** (kind.precision - places), Decimal(1).scaleb(-places)
    problem = ValueTooLongError, f"is out of the range or the scale of numeric({kind.precision}, {places})"

    def check(value: object) -> Problem | None:
        try:
            number = value if isinstance(value, Decimal) else Decimal(str(value))
            fits = number.is_nan() or (abs(number) < limit and number.quantize(step, context=_WIDE) == number)
        except InvalidOperation:
            return RepositoryError, "is not a number"
        return None if fits else problem

    return check


def _json(value: object) -> Problem | None:
    if isinstance(value, str):
        return None if is_storable(value) else _UNSTORABLE
    if isinstance(value, float) and not math.isfinite(value):
        return RepositoryError, "holds a number that JSON does not know"
    if isinstance(value, Mapping):
        pairs = cast("Mapping[object, object]", value)
        return _first(map(_json, (*pairs.keys(), *pairs.values())))
    return _first(map(_json, cast("Iterable[object]", value))) if isinstance(value, list | tuple) else None


def _items(kind: ARRAY[Any]) -> Check:
    check = _check_of(kind.item_type) or _anything

    def each(value: object) -> Problem | None:
        if isinstance(value, list | tuple):
            return _first(map(each, cast("Iterable[object]", value)))
        return None if value is None else check(value)

    return each


def _first(problems: Iterable[Problem | None]) -> Problem | None:
    return next((problem for problem in problems if problem), None)


# The first that fits counts: an Enum is a String, a Float is a Numeric, and both other integers are Integers.
_CHECKS: Final[Sequence[tuple[type, Callable[[Any], Check]]]] = (
    (Enum, _enum),
    (String, _text),
    (Float, lambda _: _anything),
    (Numeric, _number),
    (JSON, lambda _: _json),
    (ARRAY, _items),
    (SmallInteger, _integer(16)),
    (BigInteger, _integer(64)),
    (Integer, _integer(32)),
)
