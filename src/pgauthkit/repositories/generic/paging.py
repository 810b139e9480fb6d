"""Walking from page to page by the place of a row, which neither repeats nor skips when others write."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, select, true
from sqlalchemy.orm import aliased

from pgauthkit.repositories.generic.conditions import Condition, Order, conditions
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.generic.loading import AnySelect
from pgauthkit.repositories.generic.plans.methods.pages import Page, Walk
from pgauthkit.repositories.generic.unit import Unit, on_its_own

__all__ = ["Page", "Paging"]

M = TypeVar("M")


class Paging(Unit[M]):
    """What a repository returns page by page."""

    @on_its_own
    def page(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order],
        size: int,
        after: str | None = None,
        before: str | None = None,
        with_total: bool = False,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> Page[M]:
        """Return the first rows of an order, or those right behind or right before a cursor.

        One statement, with what is included; where the session loads it itself, one more for each collection. It locks
        nothing. The cost does not depend on how far the page is from the first one, where an index has the columns of
        the order and then the key.

        Args:
            *where: conditions of SQLAlchemy; give the same ones with every cursor.
            order_by: columns of the model that are never NULL, or their names, `"-created_at"` for descending. The
                primary key is added at the end.
            size: at most so many rows.
            after: a page's `end_cursor`.
            before: a page's `start_cursor`; the rows come in the same order as ever.
            with_total: count all rows that meet the conditions, in the same statement; that reads them all.
            include: relations to load: names, dotted paths, or a mapping of names to `Nested`.
            with_deleted: deleted rows as well.
            **equals: values that columns must have; None asks for NULL.

        Raises:
            RepositoryError: the cursor is garbled, or of another model or order; a column of the order is unknown or
                may be NULL; there is no such column or relation; a condition is none; both cursors were given.

        Example:
            >>> page = posts.page(order_by=["-created_at"], size=20, published=True)  # doctest: +SKIP
            >>> posts.page(order_by=["-created_at"], size=20, published=True, after=page.end_cursor)  # doctest: +SKIP
        """
        walk = Walk.asked(self._of, order_by, size, after, before)
        scope = conditions(self._of, where, equals, deleted_too=with_deleted)
        statement, entity = self._around(walk, scope, with_total=with_total)
        rows = self._load(statement, include, deleted_too=with_deleted, entity=entity)
        elsewhere, total, _ = rows[0]
        return walk.page([row[-1] for row in rows if row[-1] is not None], elsewhere=elsewhere, total=total)

    def _around(self, walk: Walk, scope: Sequence[ColumnElement[bool]], *, with_total: bool) -> tuple[AnySelect, Any]:
        """Return a statement for one row more than the page has, with what is said of the page at the side of each.

        It has a row in any case: of an empty page, one without an object.
        """
        rows = walk.rows([self._of.model], scope, walk.values).order_by(*walk.ordered(self._of.model))
        few = rows.limit(walk.size + 1).subquery("few")
        entity = aliased(self._of.model, few)
        page = walk.about(self._of, scope, walk.values, with_total=with_total).subquery("page")
        statement = select(page.c.elsewhere, page.c.total, entity).select_from(page).outerjoin(few, true())
        return statement.order_by(*walk.ordered(entity)), entity
