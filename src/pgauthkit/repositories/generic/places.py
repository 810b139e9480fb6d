"""`Place`: one column of an order to page by, and the conditions for what lies beyond a row in such an order."""

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast

import attrs
from sqlalchemy import BindParameter, Column, ColumnElement, SQLColumnExpression, UnaryExpression, and_, or_, tuple_
from sqlalchemy.sql import operators

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.conditions import Order, orders
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.typed import typed

__all__ = ["Place", "beyond", "places"]

_COMPARISONS: Final[Mapping[tuple[bool, bool], Callable[[Any, Any], Any]]] = {
    (False, False): operator.gt,
    (False, True): operator.ge,
    (True, False): operator.lt,
    (True, True): operator.le,
}


@attrs.frozen
class Place:
    """A column, by the name of its attribute, and its direction."""

    name: str
    column: Column[Any]
    descending: bool

    def ordered(self, entity: object, *, backward: bool = False) -> ColumnElement[Any]:
        """Return what to order by, for the model or an alias of it."""
        attribute: SQLColumnExpression[Any] = getattr(entity, self.name)
        return attribute.desc() if self.descending != backward else attribute.asc()

    def bound(self, value: object) -> ColumnElement[Any]:
        """Return a value as a parameter of the column's type, or a parameter as it is."""
        given: Any = value
        return given if isinstance(value, BindParameter) else typed(self.column.type, value)


def places(of: Description[Any], order_by: Order | Sequence[Order]) -> list[Place]:
    """Read an order, and make it total with the primary key, which goes the way of the last column.

    Raises:
        RepositoryError: it has something that is no column of the model, or one that may be NULL: a row without a value
            is neither before nor behind another, and would be lost.
    """
    found: dict[str, Place] = {}
    for order in orders(of, order_by):
        place = _place(of, order)
        if place.column.nullable:
            message = f"A page is not ordered by {of.name}.{place.name}: it may be NULL."
            raise RepositoryError(message, columns=[place.column.name], table=of.table.name)
        found.setdefault(place.name, place)
    descending = bool(found) and list(found.values())[-1].descending
    for name in of.primary_key:
        found.setdefault(name, Place(name, of.columns[name], descending))
    return list(found.values())


def beyond(
    order: Sequence[Place], values: Sequence[object], *, backward: bool, inclusive: bool = False
) -> ColumnElement[bool]:
    """Return the condition for the rows beyond a place: behind it, or before it; with it, if `inclusive`.

    Where all columns go the same way it compares rows, which an index on the columns serves as one range.
    """
    first, down = order[0], order[0].descending != backward
    if any(place.descending != first.descending for place in order):
        strict = _compared(first.column, first.bound(values[0]), down=down, inclusive=False)
        rest = beyond(order[1:], values[1:], backward=backward, inclusive=inclusive)
        # The first part says nothing new, but gives an index its range.
        return and_(_compared(first.column, first.bound(values[0]), down=down, inclusive=True), or_(strict, rest))
    row = tuple_(*(place.bound(value) for place, value in zip(order, values, strict=True)))
    return _compared(tuple_(*(place.column for place in order)), row, down=down, inclusive=inclusive)


def _compared(left: Any, right: Any, *, down: bool, inclusive: bool) -> ColumnElement[bool]:  # noqa: ANN401 - rows too
    compared: ColumnElement[bool] = _COMPARISONS[down, inclusive](left, right)
    return compared


def _place(of: Description[Any], order: ColumnElement[Any]) -> Place:
    element, descending = order, False
    if isinstance(order, UnaryExpression) and order.modifier in {operators.asc_op, operators.desc_op}:
        element, descending = order.element, order.modifier is operators.desc_op
    name = of.keys_of_columns.get(cast("Column[Any]", element))
    if name is None:
        message = f"A page of {of.name} is ordered by its columns, ascending or descending, and by nothing else."
        raise RepositoryError(message, table=of.table.name)
    return Place(name, of.columns[name], descending)
