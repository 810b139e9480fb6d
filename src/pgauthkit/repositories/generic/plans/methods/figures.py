"""`Figures`: figures over many rows on an engine, in one round trip, by plans; and the statements that ask for them."""

from collections.abc import Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Label, Row, SQLColumnExpression, select

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.conditions import Condition, Order, conditions, element, sequence
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.loading import AnySelect, at_most
from pgauthkit.repositories.generic.mapping.comparisons import compared
from pgauthkit.repositories.generic.plans.internals import reader_of, row_maker, without_entities
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.shapes import Shape

__all__ = ["Figures", "aggregated", "grouped"]

M = TypeVar("M")
Expression: TypeAlias = SQLColumnExpression[Any]
AnyRow: TypeAlias = Row[*tuple[Any, ...]]


class Figures(Planning[M]):
    """The twins of `aggregate` and `group_by`, for an engine."""

    def aggregate(self, *where: Condition, with_deleted: bool = False, **figures: Expression) -> AnyRow:
        """Return figures over all rows that meet the conditions, in one row."""
        shape = Shape("aggregate", with_deleted, tuple(figures))
        shape.expressions(tuple(figures.values()))
        shape.expressions(where)

        def build() -> Planned[list[AnyRow]]:
            found = conditions(self._of, where, deleted_too=with_deleted)
            return self._rows(shape, aggregated(self._of, figures).where(*found))

        return self._run(shape, build)[0]

    def group_by(
        self,
        by: str | Expression | Sequence[str | Expression],
        *where: Condition,
        having: Condition | Sequence[Condition] = (),
        order_by: Order | Sequence[Order] = (),
        take: int | None = None,
        with_deleted: bool = False,
        **figures: Expression,
    ) -> list[AnyRow]:
        """Return a row for each group."""
        shape = Shape("group_by", with_deleted, tuple(figures))
        for given in (by, tuple(figures.values()), where, having, order_by):
            shape.expressions(given)
        shape.number("+take", take)

        def build() -> Planned[list[AnyRow]]:
            found = conditions(self._of, where, deleted_too=with_deleted)
            statement = grouped(self._of, by, figures, having, order_by).where(*found)
            return self._rows(shape, statement.limit(shape.numbered("+take")))

        at_most("take", take or 0)
        return self._run(shape, build)

    def _rows(self, shape: Shape, statement: AnySelect) -> Planned[list[AnyRow]]:
        dialect = self.plans.dialect
        kinds = [column.type for column in statement.selected_columns]
        make = row_maker(statement)

        def answer(rows: Sequence[tuple[Any, ...]], types: tuple[int, ...]) -> list[AnyRow]:
            readers = [reader_of(kind, dialect, oid) for kind, oid in zip(kinds, types, strict=True)]
            return [
                make([value if read is None else read(value) for read, value in zip(readers, row, strict=True)])
                for row in rows
            ]

        return Planned(planned(without_entities(self._of, statement), dialect, shape.binds), answer)


def aggregated(of: Description[Any], figures: Mapping[str, Expression]) -> AnySelect:
    """Return a statement for figures over all rows.

    Raises:
        RepositoryError: no figure was given.
    """
    return select(*_labels(of, figures)).select_from(of.model)


def grouped(
    of: Description[Any],
    by: str | Expression | Sequence[str | Expression],
    figures: Mapping[str, Expression],
    having: Condition | Sequence[Condition],
    order_by: Order | Sequence[Order],
) -> AnySelect:
    """Return a statement for a row for each group.

    Raises:
        RepositoryError: no figure was given, or a name is unknown.
    """
    groups = [of.attribute(item) if isinstance(item, str) else compared(_checked(of, item)) for item in sequence(by)]
    named = {item: of.attribute(item) for item in sequence(by) if isinstance(item, str)}
    labels = _labels(of, figures)
    known = {**named, **{label.name: label for label in labels}}
    order = [_ordered(of, item, known) for item in sequence(order_by)]
    statement = select(*groups, *labels).select_from(of.model).group_by(*groups)
    return statement.having(*(compared(_checked(of, condition)) for condition in sequence(having))).order_by(*order)


def _labels(of: Description[Any], figures: Mapping[str, Expression]) -> list[Label[Any]]:
    if not figures:
        raise RepositoryError(f"Say which figures of {of.name} are wanted.", table=of.table.name)
    return [compared(element(of, figure)).label(name) for name, figure in figures.items()]


def _ordered(of: Description[Any], order: Order, known: Mapping[str, Expression]) -> Expression:
    if not isinstance(order, str):
        return compared(_checked(of, order))
    name = order.removeprefix("-")
    if name not in known:
        message = f"{name!r} is neither a figure nor grouped by; there are: {', '.join(known)}."
        raise RepositoryError(message, table=of.table.name)
    return known[name].desc() if order.startswith("-") else known[name].asc()


def _checked(of: Description[Any], given: Expression) -> Expression:
    """Return an expression as it was given: in a row it is known by that."""
    element(of, given)
    return given
