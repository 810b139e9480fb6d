"""`Tree`: what is included, read with its parents by one statement, which sees one snapshot.

Each place of the tree is a part of a UNION ALL: its rows, with the number of the parent's row, and NULL in the columns
of the other places. Parents that others hang on are a common table expression, so that they are read once.

The first part has no row: the types of its columns are those that the server gives to each NULL below it. Against two
statements in a pipeline, which would run the condition on the parents twice, this took the same time, measured.
"""

from collections.abc import Iterator, Sequence
from typing import Any, Final, cast

import attrs
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    CompoundSelect,
    FromClause,
    Integer,
    Select,
    false,
    func,
    literal_column,
    select,
    true,
    union_all,
)
from sqlalchemy.dialects.postgresql import distinct_on

from pgauthkit.repositories.generic.conditions import conditions, orders
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.includes import Branch, Branches
from pgauthkit.repositories.generic.loading import at_most
from pgauthkit.repositories.generic.plans.internals import without_entities
from pgauthkit.repositories.generic.plans.joins import Join, join_of

__all__ = ["Place", "places", "root_columns", "tree_statement"]

AnySelect = Select[*tuple[Any, ...]]
# Before the columns: which place it is of, the number of the parent's row, and the row's own number.
HEADS = 3
# As numbers of rows are, so that no part of the union has to be converted.
_NOBODY: Final[ColumnElement[int]] = literal_column("CAST(0 AS BIGINT)", BigInteger())
_NOTHING: Final[ColumnElement[Any]] = literal_column("NULL")


@attrs.frozen(eq=False)
class Place:
    """A relation that is included, or the root.

    Attributes:
        of: its model.
        number: of the place.
        first: where its columns begin in a row.
        parent: None for the root.
        branch: how it is included; None for the root.
        join: how it hangs on its parent; None for the root.
        prefix: the path to its objects, with a dot behind it.
        included: the relations below it.
    """

    of: Description[Any]
    number: int
    first: int
    parent: "Place | None" = None
    branch: Branch | None = None
    join: Join | None = None
    prefix: str = ""
    included: tuple[str, ...] = ()

    @property
    def depth(self) -> int:
        """How far it is from the root."""
        return self.prefix.count(".")

    @property
    def repeats(self) -> bool:
        """Whether the same row may come several times, for several parents."""
        return self.join is not None and not self.join.is_of_one_parent


def places(of: Description[Any], tree: Branches) -> list[Place]:
    """Return the root and the places below it, each after its parent.

    Raises:
        UnplannedError: a relation is more than columns that are equal.
    """
    found: list[Place] = []

    def add(of: Description[Any], tree: Branches, prefix: str, **above: Any) -> None:  # noqa: ANN401 - of Place
        first = found[-1].first + len(found[-1].of.columns) if found else HEADS
        place = Place(of, len(found), first, prefix=prefix, included=tuple(tree), **above)
        found.append(place)
        for name, branch in tree.items():
            join = join_of(of, branch)
            add(branch.target, branch.branches, f"{prefix}{name}.", parent=place, branch=branch, join=join)

    add(of, tree, "")
    return found


def tree_statement(
    found: Sequence[Place], root: AnySelect, order: Sequence[ColumnElement[Any]]
) -> CompoundSelect[*tuple[Any, ...]]:
    """Return the statement of a tree.

    Args:
        found: its places.
        root: selects the root's columns, labelled, in order.
        order: of the root.
    """
    return _Writing(found).statement(root, order)


class _Writing:
    def __init__(self, found: Sequence[Place]) -> None:
        self._places = found
        # The rows of a place that others hang on, each of them once.
        self._parents: dict[Place, FromClause] = {}

    def statement(self, root: AnySelect, order: Sequence[ColumnElement[Any]]) -> CompoundSelect[*tuple[Any, ...]]:
        number = func.row_number().over(order_by=order or None).label("n")
        parts = [_typed(self._places), self._kept(self._places[0], root.add_columns(number))]
        parts += [self._part(place) for place in self._places[1:]]
        return union_all(*parts)

    def _part(self, place: Place) -> AnySelect:
        source = _source(place, self._parents[cast("Place", place.parent)])
        if not place.included:
            rows = self._padded(place, [source.number, _NOBODY], source.columns, source.rows)
            return without_entities(place.of, rows.where(*source.where).order_by(*source.order))
        number = func.row_number().over(order_by=source.order).label("n")
        rows = select(source.number.label("p"), number, *_labelled(source.columns))
        return self._kept(place, rows.select_from(source.rows).where(*source.where))

    def _kept(self, place: Place, selected: AnySelect) -> AnySelect:
        """Name the rows of a place for those that hang on them, and select all of them."""
        rows = without_entities(place.of, selected).cte(f"pgauthkit_rows_{place.number}")
        keys = [rows.c[_label(place.of, name)] for name in place.of.primary_key]
        first = select(rows).ext(distinct_on(*keys)).order_by(*keys, rows.c.n)
        self._parents[place] = first.cte(f"pgauthkit_parents_{place.number}") if place.repeats else rows
        parent: ColumnElement[Any] = _NOBODY if place.parent is None else rows.c.p
        columns = [rows.c[_label(place.of, name)] for name in place.of.columns]
        return self._padded(place, [parent, rows.c.n], columns, rows).order_by(rows.c.n)

    def _padded(
        self, place: Place, heads: Sequence[ColumnElement[Any]], own: Sequence[ColumnElement[Any]], rows: FromClause
    ) -> AnySelect:
        """Select the columns of one place, and NULL in those of the others."""
        columns: list[ColumnElement[Any]] = []
        for other in self._places:
            columns += own if other is place else [_NOTHING] * len(other.of.columns)
        number: ColumnElement[int] = literal_column(str(place.number), Integer())
        return select(number, *heads, *columns).select_from(rows)


@attrs.frozen
class _Source:
    """What the rows of a place are selected from, and which of it: the parent's number, the columns, an order."""

    rows: FromClause
    number: ColumnElement[Any]
    columns: Sequence[ColumnElement[Any]]
    order: Sequence[ColumnElement[Any]]
    where: Sequence[ColumnElement[bool]] = ()


def _source(place: Place, parents: FromClause) -> _Source:
    branch, join = cast("Branch", place.branch), cast("Join", place.join)
    target, number = place.of, parents.c.n
    where = conditions(target, branch.where, deleted_too=branch.deleted_too)
    order = _order(target, branch)
    columns = list(target.columns.values())
    same = join.conditions(lambda name: parents.c[_label(cast("Place", place.parent).of, name)])
    if branch.take is None:
        return _Source(join.rows(parents, same), number, columns, [number, *order], where)
    rank = func.row_number().over(order_by=order).label("m")
    few = select(*_labelled(columns), rank).select_from(join.rows()).where(*same, *where).order_by(*order)
    few = few.limit(literal_column(str(at_most("take", branch.take)))).correlate(parents)
    lateral = without_entities(target, few).lateral("few")
    columns_of_few = [lateral.c[_label(target, name)] for name in target.columns]
    return _Source(parents.join(lateral, true()), number, columns_of_few, [number, lateral.c.m])


def _order(target: Description[Any], branch: Branch) -> list[ColumnElement[Any]]:
    given = orders(target, branch.order_by) or list(branch.relation.order_by or ())
    return given or orders(target, target.primary_key)


def _typed(found: Sequence[Place]) -> AnySelect:
    """Return no row, with the columns of all places, of the types that the server knows them by."""
    tables = [place.of.table.alias(f"no_{place.number}") for place in found]
    rows: FromClause = tables[0]
    for table in tables[1:]:
        rows = rows.join(table, false())
    pairs = zip(found, tables, strict=True)
    columns = [table.c[column.key] for place, table in pairs for column in place.of.columns.values()]
    return select(literal_column("0", Integer()), _NOBODY, _NOBODY, *columns).select_from(rows).where(false())


def _labelled(columns: Sequence[ColumnElement[Any]]) -> Iterator[ColumnElement[Any]]:
    return (column.label(f"c{number}") for number, column in enumerate(columns))


def _label(of: Description[Any], name: str) -> str:
    return f"c{list(of.columns).index(name)}"


def root_columns(of: Description[Any]) -> Iterator[ColumnElement[Any]]:
    """Return the columns of a model, labelled as a tree has them."""
    return _labelled(list(of.columns.values()))
