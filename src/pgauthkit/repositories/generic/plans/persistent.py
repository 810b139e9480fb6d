"""`Persistent`: makes the objects of a session of the rows of a plan, one object for each row of a table."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import Dialect, orm, select
from sqlalchemy.orm import aliased, raiseload

from pgauthkit.repositories.generic.includes import Branch, Branches
from pgauthkit.repositories.generic.loading import joins
from pgauthkit.repositories.generic.plans.identity import (
    Furniture,
    Known,
    TiedList,
    loader_options,
    loader_path,
    set_included,
    set_list,
    set_one,
)
from pgauthkit.repositories.generic.plans.internals import has_plain_lists
from pgauthkit.repositories.generic.plans.making import Making
from pgauthkit.repositories.generic.plans.rows import Row, Types
from pgauthkit.repositories.generic.plans.trees import Place
from pgauthkit.repositories.generic.unloaded import closed_relations, is_query

if TYPE_CHECKING:
    from pgauthkit.repositories.generic.plans.joins import Join

__all__ = ["Persistent"]

Rows = Sequence[Row]
Children = dict[int, list[Any]]
# Of a row: its place, its parent's number, and its own.
_PLACE: Final[Callable[[Row], int]] = itemgetter(0)
_PARENT: Final[Callable[[Row], int]] = itemgetter(1)
_OWN: Final[Callable[[Row], int]] = itemgetter(2)


class Persistent:
    """The objects of every place of a tree, in a session, linked as SQLAlchemy's own loading and ours would have them.

    What the session has already is refreshed, and stays the object that it is.

    Args:
        places: of the tree; the root alone where nothing is included.
        tree: what is included.
        dialect: of the engine.
        is_page: whether they are those of a page, whose rows always have what a tree has before the columns, and which
            SQLAlchemy would load by an alias.

    Attributes:
        reason: why a session has to load them itself; None where it need not.
    """

    def __init__(self, places: Sequence[Place], tree: Branches, dialect: Dialect, *, is_page: bool = False) -> None:
        self.reason: str | None = next(_reasons(places), None)
        self._is_tree = bool(tree)
        furniture = dict[Place, Furniture]()
        for place in places:
            furniture[place] = _furniture(place, tree, furniture, is_page=is_page)
        # Nearest to the root first: an object that is met again further away is what it was.
        nearest = sorted(places, key=lambda place: (place.depth, -place.number))
        firsts = {place: place.first if tree or is_page else 0 for place in places}
        identities = Counter(map(_identity, places))
        self._places = [
            Making(
                place,
                furniture[place],
                dialect,
                firsts[place],
                is_shared=place.repeats or identities[_identity(place)] > 1,
            )
            for place in nearest
        ]
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
        for number, group in groupby(rows, _PLACE):
            levels[number] += group
        known: Known = {}
        made = {making.place: making.objects(levels[making.place.number], types, db, known) for making in self._places}
        for place in self._below:
            parent = cast("Place", place.parent)
            parents = dict(zip(map(_OWN, levels[parent.number]), made[parent], strict=True))
            _link(parents, place, levels[place.number], made[place])
        return made[self._places[0].place]


def _link(parents: dict[int, object], place: Place, rows: Rows, made: Iterable[object]) -> None:
    """Link the objects of a place to their parents, which are given by the numbers of their rows."""
    model, name = cast("Place", place.parent).of.model, cast("Branch", place.branch).relation.key
    is_collection = cast("Join", place.join).is_collection
    is_plain = is_collection and has_plain_lists(model, name)
    children: Children = defaultdict(TiedList if is_plain else list)
    append = list[Any].append  # past SQLAlchemy's watch over changes
    for number, child in zip(map(_PARENT, rows), made, strict=True):
        append(children[number], child)
    for number, parent in _firsts(parents):
        if is_plain:
            set_list(parent, name, cast("TiedList", children[number]))
        elif is_collection:
            set_included(parent, name, children[number])
        else:
            found = children.get(number)
            set_one(parent, name, found[0] if found else None)


def _firsts(parents: dict[int, object]) -> Iterator[tuple[int, object]]:
    """Yield each parent once, with the number of the row in which it came first, which has its children."""
    linked: set[int] = set()
    for number, parent in parents.items():
        if id(parent) not in linked:
            linked.add(id(parent))
            yield number, parent


def _identity(place: Place) -> type[Any]:
    identity: type[Any] = place.of.mapper.identity_key_from_primary_key(())[0]
    return identity


def _furniture(place: Place, tree: Branches, above: dict[Place, Furniture], *, is_page: bool) -> Furniture:
    of, branch = place.of, place.branch
    if branch is None or branch.relation.uselist:  # SQLAlchemy would load it by a statement of its own
        below = tree if branch is None else branch.branches
        entity: Any = aliased(of.model) if is_page and branch is None else of.model
        options = loader_options(select(entity).options(raiseload("*"), *joins(entity, below)))
        path = loader_path(entity)
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
