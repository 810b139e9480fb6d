"""Summaries: figures over many rows, all together or in groups."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import Row, SQLColumnExpression

from pgauthkit.repositories.generic.conditions import Condition, Order, conditions
from pgauthkit.repositories.generic.loading import at_most
from pgauthkit.repositories.generic.plans.methods.figures import aggregated, grouped
from pgauthkit.repositories.generic.unit import Unit, on_its_own

__all__ = ["Summaries"]

M = TypeVar("M")


class Summaries(Unit[M]):
    """What a repository counts and sums up. No method locks a row."""

    @on_its_own
    def aggregate(
        self, *where: Condition, with_deleted: bool = False, **figures: SQLColumnExpression[Any]
    ) -> Row[*tuple[Any, ...]]:
        """Return figures over all rows that meet the conditions, in one row; one statement.

        Args:
            *where: conditions of SQLAlchemy.
            with_deleted: deleted rows as well.
            **figures: expressions, by the names that they have in the row.

        Raises:
            RepositoryError: no figure was given; a condition is none, or about another table.

        Example:
            >>> posts.aggregate(total=func.sum(Post.price), newest=func.max(Post.created_at)).total  # doctest: +SKIP
            Decimal('12.50')
        """
        found = conditions(self._of, where, deleted_too=with_deleted)
        statement = aggregated(self._of, figures).where(*found)
        return self._guarded(lambda: self._db.execute(statement).one())

    @on_its_own
    def group_by(
        self,
        by: str | SQLColumnExpression[Any] | Sequence[str | SQLColumnExpression[Any]],
        *where: Condition,
        having: Condition | Sequence[Condition] = (),
        order_by: Order | Sequence[Order] = (),
        take: int | None = None,
        with_deleted: bool = False,
        **figures: SQLColumnExpression[Any],
    ) -> list[Row[*tuple[Any, ...]]]:
        """Return a row for each group: what it is grouped by, then the figures; one statement.

        Args:
            by: names of columns, or expressions.
            *where: conditions for the rows that are grouped.
            having: conditions for the groups, with aggregates.
            order_by: names of figures or of columns grouped by, `"-total"` for descending; or expressions.
            take: at most so many groups.
            with_deleted: deleted rows as well.
            **figures: expressions, by the names that they have in the rows.

        Raises:
            RepositoryError: no figure was given, a name is unknown, a condition is none, or about another table.

        Example:
            >>> posts.group_by("author_id", total=func.count(), order_by="-total")  # doctest: +SKIP
            [('c…', 3), ('c…', 1)]
        """
        found = conditions(self._of, where, deleted_too=with_deleted)
        statement = grouped(self._of, by, figures, having, order_by).where(*found)
        if take is not None:
            statement = statement.limit(at_most("take", take))
        return self._guarded(lambda: [*self._db.execute(statement).all()])
