"""`Making`: makes the objects of one place of a tree in a session, by code that is written for the place."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

from sqlalchemy import Dialect, orm

from pgauthkit.repositories.generic.plans.code import compiled
from pgauthkit.repositories.generic.plans.detached import plain_class
from pgauthkit.repositories.generic.plans.identity import MADE, Furniture, Known
from pgauthkit.repositories.generic.plans.rows import Row, Types, line, reader_name, readers_of, value
from pgauthkit.repositories.generic.plans.trees import Place

__all__ = ["Making"]

Maker: TypeAlias = Callable[[Sequence[Row], orm.Session, Known], list[Any]]


class Making:
    """Makes the objects of one place.

    Args:
        place: in the tree.
        furniture: of its objects.
        dialect: of the engine.
        first: where their columns begin in a row.
        is_shared: whether the same object may come more than once.

    Attributes:
        place: in the tree.
        is_shared: as it was given.
    """

    def __init__(self, place: Place, furniture: Furniture, dialect: Dialect, first: int, *, is_shared: bool) -> None:
        self.place = place
        self.is_shared = is_shared
        self._furniture = furniture
        self._dialect = dialect
        self._first = first
        self._columns = slice(first, first + len(place.of.columns))
        self._makers: dict[Types, Maker] = {}

    def objects(self, rows: Sequence[Row], types: Types, db: orm.Session, known: Known) -> list[Any]:
        """Return an object for each row: the one that the session has, refreshed, or a new one.

        Args:
            rows: of this place.
            types: of all columns.
            db: the session.
            known: the shared objects that were made or refreshed by now; others are added.
        """
        maker = self._makers.get(types)
        if maker is None:
            maker = self._makers[types] = self._maker(types[self._columns])
        return maker(rows, db, known)

    def _maker(self, types: Types) -> Maker:
        of, furniture = self.place.of, self._furniture
        readers, plain = readers_of(of, self._dialect, types), plain_class(of.model)
        numbers = {name: number for number, name in enumerate(readers, self._first)}
        values = {name: value(name, numbers[name], read) for name, read in readers.items()}
        key = ", ".join(values[name] for name in furniture.primary_key)
        lines = (f"    {line(plain, name, numbers[name], read)}" for name, read in readers.items())
        held = ", ".join(f"{name!r}: {given}" for name, given in values.items())
        parts = [f"# Objects of {of.name!r} in a session.\n", _HEAD, f"        key = (identity, ({key},), None)\n"]
        parts += [_KNOWN if self.is_shared else "", _NEW, *lines, MADE]
        parts += [
            f"        else:\n            refresh(db, instance, {{{held}}})\n",
            _KEPT if self.is_shared else "",
            _FOOT,
        ]
        names: dict[str, object] = {reader_name(name): read for name, read in readers.items()}
        names |= {"new": object.__new__, "Plain": plain, "Model": of.model, **furniture.names}
        return compiled("objects", "".join(parts), names)


_HEAD = """def objects(rows, db, known):
    present, reference, session = room(db)
    find = present.get
    made = []
    for row in rows:
"""
_KNOWN = """        instance = known.get(key)
        if instance is not None:
            made.append(instance)
            continue
"""
_NEW = """        state = find(key)
        instance = None if state is None else state.obj()
        if instance is None:
            instance = new(Plain)
"""
_KEPT = """        known[key] = instance
"""
_FOOT = """        made.append(instance)
    return made
"""
