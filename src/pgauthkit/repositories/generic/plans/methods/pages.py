"""`Page`, what one is asked for with, and `Pages`: pages on an engine, in one round trip, by plans."""

from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from types import SimpleNamespace
from typing import Any, Final, Generic, Self, TypeAlias, TypeVar

import attrs
from sqlalchemy import (
    BigInteger,
    Boolean,
    ColumnElement,
    CompoundSelect,
    Integer,
    cast as sql_cast,
    exists,
    func,
    literal_column,
    null,
    orm,
    select,
    true,
    union_all,
)

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.conditions import Condition, Order, conditions, sequence
from pgauthkit.repositories.generic.cursors import read_cursor, write_cursor
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.includes import Include, branches
from pgauthkit.repositories.generic.loading import AnySelect
from pgauthkit.repositories.generic.places import Place, beyond, places
from pgauthkit.repositories.generic.plans.internals import without_entities
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.linking import Linking
from pgauthkit.repositories.generic.plans.persistent import Persistent
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning, fit_places, refuse_unstorable
from pgauthkit.repositories.generic.plans.rows import Row, Rows, Types
from pgauthkit.repositories.generic.plans.shapes import Shape
from pgauthkit.repositories.generic.plans.trees import HEADS, Place as Grown, root_columns, tree_statement
from pgauthkit.repositories.generic.typed import compared_type

__all__ = ["Page", "Pages", "Walk"]

M = TypeVar("M")
AnyUnion: TypeAlias = CompoundSelect[*tuple[Any, ...]]
Found: TypeAlias = tuple[list[M], bool, int | None]
# With a session behind, where it is one's.
Making: TypeAlias = Callable[..., list[Any]]
Answer: TypeAlias = Callable[..., Found[Any]]

# In the place of a number of a place.
_PAGE: Final = -1


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


@attrs.frozen
class Walk:
    """From which row a page is asked for, and in which direction.

    Attributes:
        order: what it goes by; it is total.
        place: the model and the order, for which its cursors are.
        size: of a page.
        backward: whether it is before the row.
        values: of the row, in the order; None for the first page.
    """

    order: Sequence[Place]
    place: str
    size: int
    backward: bool
    values: Sequence[object] | None

    @classmethod
    def asked(
        cls, of: Description[Any], order_by: Order | Sequence[Order], size: int, after: str | None, before: str | None
    ) -> Self:
        """Return what a call asks for.

        Raises:
            RepositoryError: the cursor is garbled, or of another model or order; a column of the order is unknown or
                may be NULL; both cursors were given; the size is not positive.
        """
        if size < 1 or (after is not None and before is not None):
            raise RepositoryError("A page has a positive size, and is after one row or before one.")
        given = tuple(sequence(order_by))
        order, place = _named_order(of, given) if all(isinstance(item, str) for item in given) else _order(of, given)
        cursor = after if before is None else before
        values = None if cursor is None else read_cursor(place, cursor, [one.column for one in order])
        return cls(order, place, size, before is not None, values)

    def ordered(self, entity: object) -> list[ColumnElement[Any]]:
        """Return what to order rows by, for the model or an alias of it."""
        return [place.ordered(entity, backward=self.backward) for place in self.order]

    def rows(
        self, columns: Iterable[Any], scope: Sequence[ColumnElement[bool]], values: Sequence[object] | None
    ) -> AnySelect:
        """Return a statement for the rows beyond the row with these values; for all where there is none."""
        rows = select(*columns).where(*scope)
        return rows if values is None else rows.where(beyond(self.order, values, backward=self.backward))

    def about(
        self,
        of: Description[Any],
        scope: Sequence[ColumnElement[bool]],
        values: Sequence[object] | None,
        *,
        with_total: bool,
    ) -> AnySelect:
        """Return a statement for what is said of a page: if there are rows on the other side, and how many in all."""
        elsewhere: Any = literal_column("false", Boolean())
        if values is not None:
            opposite = beyond(self.order, values, backward=not self.backward, inclusive=True)
            elsewhere = exists().select_from(of.table).where(*scope, opposite)
        total: Any = select(func.count()).select_from(of.table).where(*scope).scalar_subquery()
        if not with_total:
            total = sql_cast(null(), BigInteger)
        return select(elsewhere.label("elsewhere"), total.label("total"))

    def page(self, found: Sequence[M], *, elsewhere: bool, total: int | None) -> Page[M]:
        """Return the page of the rows that were found, one of them too many where there are more."""
        more, items = len(found) > self.size, found[: self.size]
        items = items[::-1] if self.backward else items
        return Page(
            items=tuple(items),
            has_next=elsewhere if self.backward else more,
            has_previous=more if self.backward else elsewhere,
            start_cursor=self._cursor(items[0]) if items else None,
            end_cursor=self._cursor(items[-1]) if items else None,
            total=total,
        )

    def _cursor(self, item: object) -> str:
        return write_cursor(self.place, [getattr(item, place.name) for place in self.order])


class Pages(Planning[M]):
    """The twin of `page`, for an engine, and in a session."""

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
        """Return the first rows of an order, or those right behind or right before a cursor."""
        walk = Walk.asked(self._of, order_by, size, after, before)
        shape = Shape("page", with_deleted, with_total, walk.backward)
        shape.expressions(where)
        shape.equal(equals)
        shape.expressions(order_by)
        shape.include(include)
        shape.number("+size", size)
        for place, value in zip(walk.order, walk.values or (), strict=False):
            shape.assign(f">{place.name}", value)

        def build() -> Planned[Found[M]]:
            scope = conditions(self._of, where, self._bound(shape, equals), deleted_too=with_deleted)
            return self._page(shape, walk, scope, include, with_total=with_total, deleted_too=with_deleted)

        refuse_unstorable(equals)
        found, elsewhere, total = self._run(shape, build)
        return walk.page(found, elsewhere=elsewhere, total=total)

    def _page(
        self,
        shape: Shape,
        walk: Walk,
        scope: Sequence[ColumnElement[bool]],
        include: Include,
        *,
        with_total: bool,
        deleted_too: bool,
    ) -> Planned[Found[M]]:
        of = self._of
        tree = branches(of, include, deleted_too=deleted_too)
        found = fit_places(of, tree)
        values = None if walk.values is None else [_bound(shape, place) for place in walk.order]
        order = walk.ordered(of.model)
        size: Any = shape.numbered("+size")
        rows = walk.rows(root_columns(of), scope, values).order_by(*order).limit(size + literal_column("1"))
        rows = without_entities(of, rows)
        about = without_entities(of, walk.about(of, scope, values, with_total=with_total))
        persistent = Persistent(found, tree, self.plans.dialect, is_page=True)
        if tree:
            statement: Any = _beside_a_tree(found, tree_statement(found, rows, order), about)
            linking = Linking(found, self.plans.dialect)
            answering, objects, makers = _of_a_tree, linking.objects, linking.makers
        else:
            statement = _beside_rows(of, walk, rows, about)
            maker = Rows(of, self.plans.dialect, first=HEADS)
            answering, objects, makers = _of_rows, maker.objects, [maker]
        plan = planned(statement, self.plans.dialect, shape.binds, many=True)
        in_session = _InSession(persistent.reason, answering(persistent.objects))
        return Planned(plan, answering(objects), [place.of for place in found], makers, in_session)


@attrs.frozen
class _InSession:
    """What makes a page in a session."""

    reason: str | None
    objects: Answer


def _bound(shape: Shape, place: Place) -> object:
    return shape.bound(f">{place.name}", compared_type(place.column.type))


def _beside_rows(of: Description[Any], walk: Walk, rows: AnySelect, about: AnySelect) -> AnySelect:
    """Return a statement with what is said of a page before each of its rows; it has a row in any case."""
    few, page = rows.add_columns(literal_column("1", Integer()).label("n")).subquery("few"), about.subquery("page")
    columns = {name: few.c[f"c{number}"] for number, name in enumerate(of.columns)}
    statement = select(page.c.elsewhere, page.c.total, few.c.n, *columns.values())
    return statement.select_from(page.outerjoin(few, true())).order_by(*walk.ordered(SimpleNamespace(**columns)))


def _of_rows(objects: Making) -> Answer:
    def answer(rows: Sequence[Row], types: Types, *session: orm.Session) -> Found[Any]:
        elsewhere, total, _ = rows[0][:HEADS]
        return objects([row for row in rows if row[HEADS - 1] is not None], types, *session), elsewhere, total

    return answer


def _beside_a_tree(found: Sequence[Grown], tree: AnyUnion, about: AnySelect) -> AnyUnion:
    """Return the statement of a tree, with what is said of the page in the heads of one more row."""
    page = about.subquery("page")
    heads: list[ColumnElement[Any]] = [
        literal_column(str(_PAGE), Integer()),
        sql_cast(page.c.elsewhere, Integer),
        page.c.total,
    ]
    nothing = (null().label(f"nothing_{number}") for number in range(sum(len(place.of.columns) for place in found)))
    selects: Sequence[Any] = tree.selects
    return union_all(*selects, select(*heads, *nothing))


def _of_a_tree(objects: Making) -> Answer:
    def answer(rows: Sequence[Row], types: Types, *session: orm.Session) -> Found[Any]:
        _, elsewhere, total = next(row for row in rows if row[0] == _PAGE)[:HEADS]
        return objects([row for row in rows if row[0] != _PAGE], types, *session), bool(elsewhere), total

    return answer


def _order(of: Description[Any], order_by: Sequence[Order]) -> tuple[Sequence[Place], str]:
    """Return a total order, and what its cursors say that they are for."""
    order = places(of, order_by)
    directions = (f"{place.name} {'down' if place.descending else 'up'}" for place in order)
    return order, ", ".join([of.name, of.table.fullname, *directions])


# By names alone, as most of them are.
_named_order = lru_cache(maxsize=500)(_order)
