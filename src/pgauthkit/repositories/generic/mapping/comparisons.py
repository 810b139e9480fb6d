"""Comparisons in a host's expressions, whose values are made parameters of the type of what they are compared with."""

from collections.abc import Iterator, Sequence
from typing import Any, Final, TypeAlias, TypeVar, cast

from sqlalchemy import ARRAY, BindParameter, tuple_
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.elements import (
    BinaryExpression,
    ClauseList,
    CollectionAggregate,
    ExpressionClauseList,
    Grouping,
    Tuple,
)
from sqlalchemy.types import TupleType, TypeEngine

from pgauthkit.repositories.generic.typed import Compared, own_type, typed

__all__ = ["compared"]

E = TypeVar("E")
Own: TypeAlias = TypeEngine[Any] | None

_COMPARISONS: Final = frozenset(
    {
        *(operators.eq, operators.ne, operators.lt, operators.le, operators.gt, operators.ge),
        *(operators.in_op, operators.not_in_op, operators.between_op, operators.not_between_op),
        *(operators.is_distinct_from, operators.is_not_distinct_from),
    }
)


def compared(element: E) -> E:
    """Return an expression in which every value is of the type of the column that it is compared with.

    SQLAlchemy's parameters are not: 0.1 is double precision for it, and not the 0.1 of a `real` column. The expression
    itself stays as it is, and is returned where nothing is to be done, as with most types.
    """
    whole = cast("Any", element)
    parts: Iterator[Any] = visitors.iterate(whole)
    if not any(isinstance(part, BinaryExpression) and _matters(cast("Any", part)) for part in parts):
        return element
    # A parameter keeps its name: the same expression in GROUP BY and ORDER BY must be the same for the server.
    return cast("E", visitors.cloned_traverse(whole, {"maintain_key": True}, {"binary": _compare}))


def _matters(binary: BinaryExpression[Any]) -> bool:
    """Tell whether a comparison is of values that need their type; SQLAlchemy gives none to those of rows in IN."""
    return isinstance(binary.left, Tuple) or any((*_own(binary.left), *_own(binary.right)))


def _compare(binary: BinaryExpression[Any]) -> None:
    """Change a comparison, which is a copy, as are its parts."""
    left, right = _own(binary.left), _own(binary.right)
    operator: object = binary.operator
    if isinstance(binary.left, Tuple) and isinstance(binary.right, BindParameter):
        binary.right = _rows(binary.left, binary.right)
    elif operator in _COMPARISONS or isinstance(left[0], ARRAY):
        _give(binary.left, right)
        _give(binary.right, left)


def _own(side: Any) -> Sequence[Own]:  # noqa: ANN401 - an expression, or several
    """Return what a value is cast to that meets this side of a comparison: one for each column of a row."""
    kind: TypeEngine[Any] | None = getattr(side, "type", None)
    if isinstance(side, CollectionAggregate):  # ANY or ALL of an array
        kind = getattr(cast("Any", side).element.type, "item_type", None)
    if kind is None or isinstance(side, BindParameter):
        return [None]
    return [own_type(one) for one in (kind.types if isinstance(kind, TupleType) else [kind])]


def _give(side: Any, own: Sequence[Own]) -> None:  # noqa: ANN401 - an expression, or several
    """Let the values of one side be cast to what the other side has."""
    if isinstance(side, BindParameter):
        kind: TypeEngine[Any] = cast("Any", side).type
        side.type = kind if own[0] is None or isinstance(kind, Compared) else Compared(kind, own[0])
    elif isinstance(side, Grouping):
        _give(cast("Any", side).element, own)
    elif isinstance(side, Tuple):
        for part, one in zip(side.clauses, own, strict=True):
            _give(part, [one])
    elif isinstance(side, ClauseList | ExpressionClauseList):
        for part in cast("Any", side).clauses:
            _give(part, own)


def _rows(left: Tuple, right: BindParameter[Any]) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Return rows to look for, with each value of the type of its column."""
    rows = [tuple_(*map(typed, left.type.types, row)) for row in cast("Sequence[Sequence[object]]", right.value or ())]
    return cast("Any", left.in_(rows)).right if rows else right
