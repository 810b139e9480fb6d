"""Links the objects of a tree, from the rows that its statement returned."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Dialect
from sqlalchemy.orm.attributes import set_committed_value

from pgauthkit.repositories.generic.plans.rows import Row, Rows, Types
from pgauthkit.repositories.generic.plans.trees import Place

__all__ = ["Linking"]

Numbered = list[tuple[int, object]]
Children = dict[int, list[Any]]


class Linking:
    """The objects of every place of a tree, linked as a session would have them: one object for each row."""

    def __init__(self, places: Sequence[Place], dialect: Dialect) -> None:
        self._places = places
        # Nearest to the root first: an object that is met again further away is what it was.
        nearest = sorted(places, key=lambda place: place.depth)
        self._making = [
            (place, _identity(place), Rows(place.of, dialect, place.first, place.included, place.prefix))
            for place in nearest
        ]
        # Nearest to the root last: it has the last word.
        below = [place for place in places if place.parent is not None]
        self._linking = sorted(below, key=lambda place: -place.depth)

    def objects(self, rows: Sequence[Row], types: Types) -> list[Any]:
        """Return the objects of the root."""
        levels: list[list[Row]] = [[] for _ in self._places]
        for row in rows:
            levels[row[0]].append(row)
        found, children = self._made(levels, types)
        for place in self._linking:
            if place.parent is not None and place.branch is not None:
                _link(found[place.parent.number], place.branch.relation.key, place, children[place.number])
        return [instance for _, instance in found[0]]

    def _made(self, levels: Sequence[list[Row]], types: Types) -> tuple[list[Numbered], list[Children]]:
        """Return each place's objects, by the number of the row in which they came first, and as children."""
        known: dict[type[Any], dict[object, Any]] = {}
        found: list[Numbered] = [[] for _ in levels]
        children: list[Children] = [{} for _ in levels]
        for place, identity, maker in self._making:
            rows = levels[place.number]
            made = list(maker.known_objects(rows, types, known.setdefault(identity, {})))
            for row, instance in zip(rows, made, strict=True):
                children[place.number].setdefault(row[1], []).append(instance)
            if place.included:
                first = {id(instance): (row[2], instance) for row, instance in zip(rows[::-1], made[::-1], strict=True)}
                found[place.number] = list(first.values())[::-1]
        return found, children


def _link(parents: Numbered, name: str, place: Place, children: Children) -> None:
    if place.join is not None and place.join.is_collection:
        for number, parent in parents:
            set_committed_value(parent, name, children.get(number, ()))
        return
    for number, parent in parents:
        found = children.get(number)
        vars(parent)[name] = found[0] if found else None


def _identity(place: Place) -> type[Any]:
    identity: type[Any] = place.of.mapper.identity_key_from_primary_key(())[0]
    return identity
