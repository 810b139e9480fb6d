"""Conditions and orders, as a host gives them: SQLAlchemy's expressions, and names of columns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias, cast

from sqlalchemy import ColumnElement, SQLColumnExpression, bindparam
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import ColumnClause
from sqlalchemy.sql.selectable import ScalarSelect, SelectBase

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.mapping.comparisons import compared
from pgauthkit.repositories.generic.typed import own_type, typed
from pgauthkit.repositories.generic.values import check_storable

__all__ = ["CONSTANT", "Condition", "Order", "conditions", "element", "equalities", "orders", "sequence"]

Condition: TypeAlias = SQLColumnExpression[bool]
Order: TypeAlias = str | SQLColumnExpression[Any]

# The name of a parameter that has the same value in every call.
CONSTANT: Final = "pgauthkit_constant"


def sequence(given: object) -> Sequence[Any]:
    """Return one thing, or several, as several."""
    return cast("Sequence[Any]", given) if isinstance(given, list | tuple) else (given,)


def conditions(
    of: Description[Any], where: Sequence[Condition], equals: Mapping[str, object] | None = None, *, deleted_too: bool
) -> list[ColumnElement[bool]]:
    """Return what a row must meet: the conditions, the equalities, that it is of the class, and that it is not deleted.

    Raises:
        RepositoryError: something is no condition, concerns another table, or names no column.
    """
    found = [_condition(of, condition) for condition in where]
    found += equalities(of, equals or {})
    if of.kinds:  # SQLAlchemy adds it to the SELECT of a class, but not to an UPDATE or DELETE of its table
        found.append(_is_of_class(of))
    if of.soft and not deleted_too:
        found.append(of.attribute("deleted_at").is_(None))
    return found


def _is_of_class(of: Description[Any]) -> ColumnElement[bool]:
    attribute = of.attribute(*of.kind)
    if len(of.kinds) > 1:
        return attribute.in_(of.kinds)
    return attribute == bindparam(CONSTANT, next(iter(of.kinds)), attribute.type, unique=True)


def equalities(of: Description[Any], equals: Mapping[str, object]) -> list[ColumnElement[bool]]:
    """Return a condition for each column that must have a value; None asks for NULL.

    Raises:
        RepositoryError: there is no such column, or the text cannot be stored.
    """
    of.require(equals)
    check_storable(of.columns, equals)
    return [
        of.attribute(name).is_(None) if value is None else of.attribute(name) == _bound(of, name, value)
        for name, value in equals.items()
    ]


def _bound(of: Description[Any], name: str, value: object) -> object:
    kind = of.columns[name].type
    # What is no plain value, and most types, SQLAlchemy binds by itself.
    return value if isinstance(value, ClauseElement) or own_type(kind) is None else typed(kind, value)


def orders(of: Description[Any], order_by: Order | Sequence[Order]) -> list[ColumnElement[Any]]:
    """Return what to order by; a name with `-` before it is descending.

    Raises:
        RepositoryError: a name is not that of a column.
    """
    return [_order(of, order) for order in sequence(order_by)]


def _order(of: Description[Any], order: Order) -> ColumnElement[Any]:
    if not isinstance(order, str):
        return compared(element(of, order))
    attribute = of.attribute(order.removeprefix("-"))
    return attribute.desc() if order.startswith("-") else attribute.asc()


def _condition(of: Description[Any], condition: object) -> ColumnElement[bool]:
    found = element(of, condition)
    foreign = [str(table) for table in _tables(found) if table is not of.table]
    if foreign:
        message = f"A condition for {of.name} is about {foreign[0]}: ask through a relation, with .any() or .has()."
        raise RepositoryError(message, table=of.table.name)
    return compared(found)


def element(of: Description[Any], given: Any) -> ColumnElement[Any]:  # noqa: ANN401 - checked here
    """Return what was given as an SQL expression.

    Raises:
        RepositoryError: it is none.
    """
    found = given.__clause_element__() if hasattr(given, "__clause_element__") else given
    if not isinstance(found, ClauseElement):
        message = f"What was given for {of.name} is no SQL expression, but of type {type(given).__name__}."
        raise RepositoryError(message, table=of.table.name)
    return cast("ColumnElement[Any]", found)


def _tables(element: ClauseElement) -> Iterator[object]:
    """Return the tables whose columns an expression needs; a subquery brings its own."""
    if isinstance(element, ColumnClause) and element.table is not None:
        yield element.table
    for child in cast("Any", element).get_children():
        if not isinstance(child, SelectBase | ScalarSelect):
            yield from _tables(child)
