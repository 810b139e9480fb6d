"""`Persistent`: makes the objects of a session of the rows of a plan, one object for each row of a table."""

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import Dialect, orm, select
from sqlalchemy.orm import raiseload

from pgauthkit.repositories.generic.includes import Branch, Branches
from pgauthkit.repositories.generic.loading import joins
from pgauthkit.repositories.generic.plans.identity import (
    Furniture,
    Known,
    loader_options,
    loader_path,
    set_included,
)
from pgauthkit.repositories.generic.plans.internals import Converter, reader_of
from pgauthkit.repositories.generic.plans.rows import Row, Types
from pgauthkit.repositories.generic.plans.trees import Place
from pgauthkit.repositories.generic.unloaded import closed_relations, is_query

if TYPE_CHECKING:
    from pgauthkit.repositories.generic.plans.joins import Join

__all__ = ["Persistent"]

Rows = Sequence[Row]
Children = dict[int, list[Any]]


class Persistent:
    """The objects of every place of a tree, in a session, linked as SQLAlchemy's own loading and ours would have them.

    What the session has already is refreshed, and stays the object that it is.

    Args:
        places: of the tree; the root alone where nothing is included.
        tree: what is included.
        dialect: of the engine.

    Attributes:
        reason: why a session has to load them itself; None where it need not.
    """

    def __init__(self, places: Sequence[Place], tree: Branches, dialect: Dialect) -> None:
        self.reason: str | None = next(_reasons(places), None)
        self._is_tree = bool(tree)
        furniture = dict[Place, Furniture]()
        for place in places:
            furniture[place] = _furniture(place, tree, furniture)
        # Nearest to the root first: an object that is met again further away is what it was.
        nearest = sorted(places, key=lambda place: (place.depth, -place.number))
        firsts = {place: place.first if tree else 0 for place in places}
        self._places = [_Making(place, furniture[place], dialect, firsts[place]) for place in nearest]
        # Nearest to the root last: it has the last word.
        self._below = [place for place in reversed(nearest) if place.parent is not None]

    def objects(self, rows: Rows, types: Types, db: orm.Session) -> list[Any]:
        """Return the objects of the root.

        Args:
            rows: of the statement.
            types: of their columns, as the server numbers them.
            db: the session.
        """
        if not self._is_tree:
            return self._places[0].objects(rows, types, db, {})
        levels: list[list[Row]] = [[] for _ in self._places]
        for row in rows:
            number: int = row[0]
            levels[number].append(row)
        known: Known = {}
        made = {making.place: making.objects(levels[making.place.number], types, db, known) for making in self._places}
        for place in self._below:
            parent = cast("Place", place.parent)
            _link(levels[parent.number], made[parent], place, _children(levels[place.number], made[place]))
        root = self._places[0].place
        return made[root]


class _Making:
    """Makes the objects of one place."""

    def __init__(self, place: Place, furniture: Furniture, dialect: Dialect, first: int) -> None:
        self.place = place
        self._furniture = furniture
        self._dialect = dialect
        self._names = tuple(place.of.columns)
        self._kinds = [column.type for column in place.of.columns.values()]
        self._columns = slice(first, first + len(self._names))
        self._readers: dict[Types, list[tuple[str, Converter]]] = {}

    def objects(self, rows: Rows, types: Types, db: orm.Session, known: Known) -> list[Any]:
        """Return an object for each row.

        Args:
            rows: of this place.
            types: of all columns.
            db: the session.
            known: the objects that were made or refreshed by now; new ones are added.
        """
        names, columns = self._names, self._columns
        held: list[dict[str, Any]] = [dict(zip(names, row[columns])) for row in rows]  # noqa: B905 - as many, and a fifth slower to count again
        for name, read in self._readers_of(types[columns]):
            for values in held:
                values[name] = read(values[name])
        return self._furniture.objects(db, held, known)

    def _readers_of(self, types: Types) -> list[tuple[str, Converter]]:
        found = self._readers.get(types)
        if found is None:
            pairs = zip(self._names, self._kinds, types, strict=True)
            readers = [(name, reader_of(kind, self._dialect, oid)) for name, kind, oid in pairs]
            found = self._readers[types] = [(name, read) for name, read in readers if read is not None]
        return found


def _children(rows: Rows, made: Iterable[object]) -> Children:
    """Return the objects of a place by the numbers of their parents' rows."""
    found: Children = {}
    for row, instance in zip(rows, made, strict=True):
        found.setdefault(row[1], []).append(instance)
    return found


def _link(rows: Rows, parents: Sequence[object], place: Place, children: Children) -> None:
    name, is_collection = cast("Branch", place.branch).relation.key, cast("Join", place.join).is_collection
    linked: set[int] = set()
    for row, parent in zip(rows, parents, strict=True):
        if id(parent) in linked:  # where it came first, it has its children
            continue
        linked.add(id(parent))
        found = children.get(row[2], [])
        set_included(parent, name, found if is_collection else found[0] if found else None)


def _furniture(place: Place, tree: Branches, above: dict[Place, Furniture]) -> Furniture:
    of, branch = place.of, place.branch
    if branch is None or branch.relation.uselist:  # SQLAlchemy would load it by a statement of its own
        below = tree if branch is None else branch.branches
        options = loader_options(select(of.model).options(raiseload("*"), *joins(of.model, below)))
        path = loader_path(of.model)
    else:
        parent = above[cast("Place", place.parent)]
        options, path = parent.options, loader_path(of.model, parent.path, branch.relation)
    closed = closed_relations(of.mapper, place.included, place.prefix)
    relations = frozenset(relation.key for relation in of.mapper.relationships if not is_query(relation))
    return Furniture(of.mapper, of.primary_key, closed, relations, options, path)


def _reasons(places: Iterable[Place]) -> Iterator[str]:
    for place in places:
        branch = place.branch
        # It would be kept with the parents, with the values of the call for which the plan was made.
        if branch is not None and branch.where and not branch.relation.uselist:
            yield f"{cast('Place', place.parent).of.name}.{branch.relation.key} has a condition of its own"
