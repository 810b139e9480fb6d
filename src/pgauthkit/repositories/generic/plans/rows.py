"""`Rows`: makes detached objects of the rows of one statement."""

from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import Dialect

from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.plans.detached import MARK, origin
from pgauthkit.repositories.generic.plans.internals import Converter, reader_of

__all__ = ["Rows"]

M = TypeVar("M")
Row = tuple[Any, ...]
Types = tuple[int, ...]


class Rows(Generic[M]):
    """The objects of one model, or of one place in a tree that is included.

    Args:
        of: their model, whose columns are all in the rows, in the model's order.
        dialect: of the engine.
        first: where these columns begin.
        included: the relations that are going to be set.
        prefix: the path to the objects, with a dot behind it.
    """

    def __init__(
        self, of: Description[M], dialect: Dialect, first: int = 0, included: Sequence[str] = (), prefix: str = ""
    ) -> None:
        self._model = of.model
        self._names = tuple(of.columns)
        self._kinds = [column.type for column in of.columns.values()]
        self._dialect = dialect
        self._columns = slice(first, first + len(self._names))
        self._origin = origin(of.model, frozenset(included), prefix)
        keys = [first + self._names.index(name) for name in self._origin.primary_key]
        self._key: Callable[[Row], object] = itemgetter(*keys)
        self._readers: dict[Types, list[tuple[str, Converter]]] = {}

    def objects(self, rows: Sequence[Row], types: Types) -> list[M]:
        """Return an object for each row.

        Args:
            rows: with the columns at their place.
            types: of all columns of the rows, as the server numbers them.
        """
        made: list[M] = []
        model, names, columns, mark = self._model, self._names, self._columns, self._origin
        readers, new = self._readers_of(types[columns]), object.__new__
        for row in rows:
            held = dict(zip(names, row[columns]))  # noqa: B905 - as many, and a fifth slower to count again
            for name, read in readers:
                held[name] = read(held[name])
            held[MARK] = mark
            instance = new(model)
            instance.__dict__ = held
            made.append(instance)
        return made

    def shared(self, rows: Sequence[Row], types: Types, known: dict[object, M]) -> list[M]:
        """Return the same, where the same row of the table may come several times, and is one object.

        Args:
            rows: of a tree.
            types: of all columns.
            known: the objects that there are, by their keys; new ones are added.
        """
        keys = list(map(self._key, rows))
        new = {key: row for key, row in zip(keys, rows, strict=True) if key not in known}
        known.update(zip(new, self.objects(list(new.values()), types), strict=True))
        return [known[key] for key in keys]

    def _readers_of(self, types: Types) -> list[tuple[str, Converter]]:
        found = self._readers.get(types)
        if found is None:
            pairs = zip(self._names, self._kinds, types, strict=True)
            readers = [(name, reader_of(kind, self._dialect, oid)) for name, kind, oid in pairs]
            found = self._readers[types] = [(name, read) for name, read in readers if read is not None]
        return found
