"""`Shape`: what a call has in common with others like it, and the values in which it differs from them."""

from collections.abc import Hashable, Iterable, Mapping, Set as AbstractSet
from datetime import date, datetime
from decimal import Decimal
from itertools import count
from types import NoneType
from typing import Any, Final, cast
from uuid import UUID

from sqlalchemy import BigInteger, BindParameter, ColumnElement, bindparam, literal_column
from sqlalchemy.sql import ClauseElement, operators
from sqlalchemy.types import TypeEngine

from pgauthkit.repositories.generic.conditions import sequence
from pgauthkit.repositories.generic.plans.internals import shape_of
from pgauthkit.repositories.generic.typed import Compared, own_type

__all__ = ["Shape", "UnplannedError"]

# What needs no second look.
_PLAIN: Final = frozenset({str, int, float, bytes})
_WRITTEN: Final = _PLAIN | {NoneType, bool, Decimal, UUID, date, datetime}
_SMALL: Final = 31  # bits of PostgreSQL's integer
# Numbers of rows that applications ask for; so few that they do not make many plans.
_USUAL: Final = frozenset(
    {0, 1, 2, 3, 5, 10, 12, 15, 20, 24, 25, 30, 40, 50, 60, 75, 80, 100, 150, 200, 250, 500, 1000}
)


class UnplannedError(Exception):
    """A call goes through a session; the message says why."""


class Shape:
    """Collects a call's arguments, each as something that its shape has, or as a value.

    Attributes:
        values: what the call gives, in the order in which it was collected.
    """

    def __init__(self, *parts: Hashable) -> None:
        self._parts: list[Hashable] = list(parts)
        self.values: list[object] = []
        self._binds: list[BindParameter[Any] | None] = []
        self._ours: dict[str, int] = {}
        self._fixed: dict[str, int | None] = {}

    @property
    def key(self) -> tuple[Hashable, ...]:
        """What calls of this shape are known by."""
        return tuple(self._parts)

    def equal(self, values: Mapping[str, object]) -> None:
        """Add columns with their values. NULL, true and false are part of the statement.

        Raises:
            UnplannedError: one is an SQL expression, or they are no mapping.
        """
        try:
            items = values.items()
        except AttributeError:
            raise UnplannedError("a key is no mapping") from None
        for name, value in items:
            if value is None or value is True or value is False:
                self._parts.append((name, value))
                continue
            if type(value) not in _PLAIN:
                _refuse_expression(value)
            # SQLAlchemy takes the parameter's type from both, and an integer's from its size as well.
            self._parts.append((name, type(value), isinstance(value, int) and value.bit_length() > _SMALL))
            self._ours[name] = self._place(value)
        self._parts.append(None)

    def assign(self, name: str, value: object, *, is_fixed: bool = False) -> None:
        """Add a value to write; a fixed one is part of the statement.

        Raises:
            UnplannedError: it is an SQL expression.
        """
        _refuse_expression(value)
        self._parts.append((name, is_fixed))
        if not is_fixed:
            self._ours[name] = self._place(value)

    def assign_all(self, values: Mapping[str, object]) -> None:
        """Add values to write, all of them as values.

        Raises:
            UnplannedError: one is an SQL expression.
        """
        for value in values.values():
            if type(value) not in _WRITTEN:
                _refuse_expression(value)
        self._parts.append(tuple(values))
        self._ours.update(zip(values, count(len(self.values)), strict=False))
        self.values.extend(values.values())
        self._binds.extend([None] * len(values))

    def number(self, name: str, value: int | None) -> None:
        """Add a number of rows, or that there is none.

        A usual number is part of the statement. The server does not know what a parameter limits a query to, and so
        would plan it anew at each call: a third of the time of 100 rows with what is included, measured.
        """
        is_fixed = value is None or (type(value) is int and value in _USUAL)
        self._parts.append((value,) if is_fixed else name)
        if is_fixed:
            self._fixed[name] = value
        else:
            self._ours[name] = self._place(value)

    def numbered(self, name: str) -> ColumnElement[int] | None:
        """Return a number of rows, as a parameter or as it is; None where there is none."""
        fixed = self._fixed.get(name)
        return self.bound(name, BigInteger()) if fixed is None else literal_column(str(fixed), BigInteger())

    def bound(self, name: str, kind: TypeEngine[Any]) -> BindParameter[Any] | None:
        """Return the parameter for a column or a number; None where the call gives none.

        Args:
            name: as it was given.
            kind: of the column.
        """
        place = self._ours.get(name)
        if place is None:
            return None
        bind = self._binds[place] = bindparam(None, self.values[place], kind, unique=True)
        return bind

    def compared(self, name: str, kind: TypeEngine[Any]) -> BindParameter[Any] | None:
        """Return the parameter for a value that a column is compared to, of the type that SQLAlchemy gives it."""
        place = self._ours.get(name)
        if place is None:
            return None
        own = own_type(kind)
        coerced = kind.coerce_compared_value(operators.eq, self.values[place]) if own is None else Compared(kind, own)
        return self.bound(name, coerced)

    @property
    def binds(self) -> list[BindParameter[Any]]:
        """The parameters of the call's values, in their order, once a statement is made with them."""
        return [bind for bind in self._binds if bind is not None]

    def expressions(self, given: object) -> None:
        """Add conditions, or what to order by: expressions and names.

        Raises:
            UnplannedError: SQLAlchemy cannot tell an expression from another one.
        """
        for item in sequence(given):
            self._parts.append(item if isinstance(item, str) else self._expression(item))
        self._parts.append(None)

    def include(self, include: object) -> None:
        """Add what is included.

        Raises:
            UnplannedError: SQLAlchemy cannot tell a condition in it from another one.
        """
        if isinstance(include, Mapping):
            self._parts.append("{")
            for path, nested in cast("Mapping[str, object]", include).items():
                self._parts.append(path)
                self._nested(nested)
            self._parts.append("}")
        elif isinstance(include, AbstractSet):
            self._parts.append(frozenset(cast("AbstractSet[str]", include)))
        else:
            self._parts.append((include,) if isinstance(include, str) else tuple(cast("Iterable[str]", include)))

    def _place(self, value: object) -> int:
        self.values.append(value)
        self._binds.append(None)
        return len(self.values) - 1

    def _nested(self, nested: object) -> None:
        if not isinstance(nested, Mapping):
            self._parts.append(bool(nested))
            return
        for name, value in cast("Mapping[str, Any]", nested).items():
            self._parts.append(name)
            if name == "include":
                self.include(value)
            elif name in {"where", "order_by"}:
                self.expressions(value)
            else:
                self._parts.append(value)
        self._parts.append(None)

    def _expression(self, item: Any) -> Hashable:  # noqa: ANN401 - of a host
        element = item.__clause_element__() if hasattr(item, "__clause_element__") else item
        if not isinstance(element, ClauseElement):
            raise UnplannedError("a condition is no SQL expression")
        known = shape_of(element)
        if known is None:
            raise UnplannedError("an SQL expression has no cache key")
        key, binds = known
        for bind in binds:
            if bind.required and bind.callable is None:
                raise UnplannedError("an SQL expression has a parameter without a value")
            self.values.append(bind.effective_value)
            self._binds.append(bind)
        return key


def _refuse_expression(value: object) -> None:
    if isinstance(value, ClauseElement) or hasattr(value, "__clause_element__"):
        raise UnplannedError("a value is an SQL expression")
