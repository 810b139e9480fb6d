"""Links the objects of a tree, from the rows that its statement returned."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final, cast

import attrs
from sqlalchemy import Dialect

from pgauthkit.repositories.generic.plans.included import include, list_class
from pgauthkit.repositories.generic.plans.rows import Row, Rows, Types
from pgauthkit.repositories.generic.plans.trees import Place

if TYPE_CHECKING:
    from pgauthkit.repositories.generic.includes import Branch
    from pgauthkit.repositories.generic.plans.joins import Join

__all__ = ["Linking"]

Numbered = list[tuple[int, object]]
Children = defaultdict[int, list[Any]]
# Of a row: its place, its parent's number, and its own.
_PLACE: Final[Callable[[Row], int]] = itemgetter(0)
_PARENT: Final[Callable[[Row], int]] = itemgetter(1)
_OWN: Final[Callable[[Row], int]] = itemgetter(2)


@attrs.frozen
class _Making:
    """How the objects of a place are made; with the class by which they are known where they may come again."""

    place: Place
    rows: Rows[Any]
    identity: type[Any] | None


class Linking:
    """The objects of every place of a tree, linked as a session would have them: one object for each row."""

    def __init__(self, places: Sequence[Place], dialect: Dialect) -> None:
        self._places = places
        identities = Counter(_identity(place) for place in places)
        self._making = [
            _Making(
                place,
                Rows(place.of, dialect, place.first, place.included, place.prefix),
                _identity(place) if place.repeats or identities[_identity(place)] > 1 else None,
            )
            # Nearest to the root first: an object that is met again further away is what it was.
            for place in sorted(places, key=lambda place: (place.depth, -place.number))
        ]
        # Nearest to the root last: it has the last word.
        below = [place for place in places if place.parent is not None]
        self._linking = sorted(below, key=lambda place: -place.depth)

    @property
    def makers(self) -> list[Rows[Any]]:
        """What makes the objects of each place."""
        return [making.rows for making in self._making]

    def objects(self, rows: Sequence[Row], types: Types) -> list[Any]:
        """Return the objects of the root."""
        levels: list[list[Row]] = [[] for _ in self._places]
        for number, group in groupby(rows, _PLACE):
            levels[number] += group
        found, children = self._made(levels, types)
        for place in self._linking:
            _link(found[cast("Place", place.parent).number], place, children[place.number])
        return [instance for _, instance in found[0]]

    def _made(self, levels: Sequence[list[Row]], types: Types) -> tuple[list[Numbered], list[Children]]:
        """Return each place's objects, by the number of the row in which they came first, and as children."""
        known: dict[type[Any], dict[object, Any]] = {}
        found: list[Numbered] = [[] for _ in levels]
        children: list[Children] = [defaultdict(_list_class(place)) for place in self._places]
        for making in self._making:
            place, rows = making.place, levels[making.place.number]
            if making.identity is None:
                made = making.rows.objects(rows, types)
            else:
                made = making.rows.shared(rows, types, known.setdefault(making.identity, {}))
            below = children[place.number]
            append = list[Any].append  # past SQLAlchemy's watch over changes
            for number, instance in zip(map(_PARENT, rows), made, strict=True):
                append(below[number], instance)
            if place.included or place.parent is None:
                numbered = zip(map(_OWN, rows), made, strict=True)
                found[place.number] = list(numbered) if making.identity is None else _firsts(numbered)
        return found, children


def _firsts(numbered: Iterable[tuple[int, object]]) -> Numbered:
    """Return each object once, with the number of the row in which it came first."""
    first: dict[int, tuple[int, object]] = {}
    for number, instance in numbered:
        first.setdefault(id(instance), (number, instance))
    return list(first.values())


def _link(parents: Numbered, place: Place, children: Children) -> None:
    name = cast("Branch", place.branch).relation.key
    if cast("Join", place.join).is_collection:
        for number, parent in parents:
            include(parent, name, children[number])
        return
    for number, parent in parents:
        found = children.get(number)
        vars(parent)[name] = found[0] if found else None


def _list_class(place: Place) -> type[list[Any]]:
    if place.join is None or not place.join.is_collection:
        return list
    return list_class(cast("Place", place.parent).of.model, cast("Branch", place.branch).relation.key)


def _identity(place: Place) -> type[Any]:
    identity: type[Any] = place.of.mapper.identity_key_from_primary_key(())[0]
    return identity
