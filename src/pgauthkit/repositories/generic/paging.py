"""`Page`, and walking from page to page by the place of a row, which neither repeats nor skips when others write."""

from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import attrs
from sqlalchemy import ColumnElement, exists, func, literal, select, true
from sqlalchemy.orm import aliased

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.conditions import Condition, Order, conditions
from pgauthkit.repositories.generic.cursors import read_cursor, write_cursor
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.generic.loading import AnySelect
from pgauthkit.repositories.generic.places import Place, beyond, places
from pgauthkit.repositories.generic.unit import Unit, on_its_own

__all__ = ["Page", "Paging"]

M = TypeVar("M")


@attrs.frozen(kw_only=True)
class Page(Generic[M]):
    """Some rows of many, in an order.

    Attributes:
        items: the rows.
        has_next: there are rows behind them.
        has_previous: there are rows before them.
        start_cursor: the place of the first row, for `before`; None on an empty page.
        end_cursor: the place of the last row, for `after`; None on an empty page.
        total: how many rows there are in all, where it was asked for.

    Example:
        >>> page = posts.page(order_by=["-created_at"], size=20)  # doctest: +SKIP
        >>> [post.title for post in page.items], page.end_cursor if page.has_next else None  # doctest: +SKIP
        (['Hello World'], None)
    """

    items: tuple[M, ...]
    has_next: bool
    has_previous: bool
    start_cursor: str | None
    end_cursor: str | None
    total: int | None = None


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

        One statement, and one more for each collection included. It locks nothing. The cost does not depend on how far
        the page is from the first one, where an index has the columns of the order and then the primary key.

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
        if size < 1 or (after is not None and before is not None):
            raise RepositoryError("A page has a positive size, and is after one row or before one.")
        order = places(self._of, order_by)
        cursor = after if before is None else before
        values = None if cursor is None else read_cursor(self._place(order), cursor, [place.column for place in order])
        scope = conditions(self._of, where, equals, deleted_too=with_deleted)
        total = select(func.count()).select_from(self._of.table).where(*scope).scalar_subquery() if with_total else None
        statement, entity = self._around(order, scope, values, size, backward=before is not None, total=total)
        rows = self._load(statement, include, deleted_too=with_deleted, entity=entity)
        return self._page(rows, order, size, backward=before is not None)

    def _around(
        self,
        order: Sequence[Place],
        scope: Sequence[ColumnElement[bool]],
        values: Sequence[object] | None,
        size: int,
        *,
        backward: bool,
        total: Any,  # noqa: ANN401 - a subquery, or nothing
    ) -> tuple[AnySelect, Any]:
        """Return a statement for one row more than the page has, with what is said of the page at the side of each.

        It has a row in any case: of an empty page, one without an object.
        """
        rows = select(self._of.model).where(*scope)
        elsewhere: Any = literal(False)
        if values is not None:
            rows = rows.where(beyond(order, values, backward=backward))
            opposite = beyond(order, values, backward=not backward, inclusive=True)
            elsewhere = exists().select_from(self._of.table).where(*scope, opposite)
        ordered = rows.order_by(*(place.ordered(self._of.model, backward=backward) for place in order))
        few = ordered.limit(size + 1).subquery("few")
        entity = aliased(self._of.model, few)
        about = select(elsewhere.label("elsewhere"), (literal(None) if total is None else total).label("total"))
        page = about.subquery("page")
        statement = select(page.c.elsewhere, page.c.total, entity).select_from(page).outerjoin(few, true())
        return statement.order_by(*(place.ordered(entity, backward=backward) for place in order)), entity

    def _page(self, rows: Sequence[Any], order: Sequence[Place], size: int, *, backward: bool) -> Page[M]:
        elsewhere, total, _ = rows[0]
        items = [row[-1] for row in rows if row[-1] is not None]
        more, items = len(items) > size, items[:size]
        items = items[::-1] if backward else items
        return Page(
            items=tuple(items),
            has_next=elsewhere if backward else more,
            has_previous=more if backward else elsewhere,
            start_cursor=self._cursor(order, items[0]) if items else None,
            end_cursor=self._cursor(order, items[-1]) if items else None,
            total=total,
        )

    def _cursor(self, order: Sequence[Place], item: object) -> str:
        return write_cursor(self._place(order), [getattr(item, place.name) for place in order])

    def _place(self, order: Sequence[Place]) -> str:
        directions = (f"{place.name} {'down' if place.descending else 'up'}" for place in order)
        return ", ".join([self._of.name, self._of.table.fullname, *directions])
