"""`Rows`: makes detached objects of the rows of one statement."""

from collections.abc import Callable, Sequence
from keyword import iskeyword
from operator import itemgetter
from typing import Any, Generic, TypeVar

from sqlalchemy import Dialect

from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.plans.code import compiled
from pgauthkit.repositories.generic.plans.detached import MARK, origin, plain_class
from pgauthkit.repositories.generic.plans.internals import Converter, reader_of

__all__ = ["Rows", "line", "reader_name", "readers_of", "value"]

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

    Attributes:
        source: the code that makes them; empty until there were rows.
    """

    def __init__(
        self, of: Description[M], dialect: Dialect, first: int = 0, included: Sequence[str] = (), prefix: str = ""
    ) -> None:
        self.source: str = ""
        self._of = of
        self._dialect = dialect
        self._first = first
        self._origin = origin(of.model, frozenset(included), prefix)
        names = tuple(of.columns)
        self._columns = slice(first, first + len(names))
        self._key: Callable[[Row], object] = itemgetter(
            *(first + names.index(name) for name in self._origin.primary_key)
        )
        self._makers: dict[Types, Callable[[Sequence[Row]], list[M]]] = {}

    def objects(self, rows: Sequence[Row], types: Types) -> list[M]:
        """Return an object for each row.

        Args:
            rows: with the columns at their place.
            types: of all columns of the rows, as the server numbers them.
        """
        maker = self._makers.get(types)
        if maker is None:
            maker = self._makers[types] = self._maker(types[self._columns])
        return maker(rows)

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

    def _maker(self, types: Types) -> Callable[[Sequence[Row]], list[M]]:
        readers = readers_of(self._of, self._dialect, types)
        plain = plain_class(self._of.model)
        lines = [line(plain, name, number, read) for number, (name, read) in enumerate(readers.items(), self._first)]
        self.source = f"# Objects of {self._of.name!r}.\n{_HEAD}{''.join(lines)}{_FOOT}"
        known: dict[str, object] = {reader_name(name): read for name, read in readers.items()}
        known |= {"new": object.__new__, "Plain": plain, "Model": self._of.model, "origin": self._origin}
        return compiled("objects", self.source, known)


_HEAD = """def objects(rows):
    made = []
    for row in rows:
        instance = new(Plain)
"""
_FOOT = f"""        instance.{MARK} = origin
        instance.__class__ = Model
        made.append(instance)
    return made
"""


def readers_of(of: Description[Any], dialect: Dialect, types: Types) -> dict[str, Converter | None]:
    """Return what a model's types make of the values that the driver has read, by the names of its attributes.

    Args:
        of: the model.
        dialect: of the engine.
        types: of its columns, as the server numbers them.
    """
    pairs = zip(of.columns.items(), types, strict=True)
    return {name: reader_of(column.type, dialect, oid) for (name, column), oid in pairs}


def line(plain: object, name: str, number: int, read: Converter | None) -> str:
    """Return the line of code that sets an attribute of an object, from the column of a row.

    Args:
        plain: the class that the object has then.
        name: of the attribute.
        number: of the column.
        read: what makes the attribute's value; None where the row has it.
    """
    is_attribute = name.isidentifier() and not iskeyword(name) and not hasattr(plain, name)
    place = f"instance.{name}" if is_attribute else f"vars(instance)[{name!r}]"
    return f"        {place} = {value(name, number, read)}\n"


def value(name: str, number: int, read: Converter | None) -> str:
    """Return the expression for an attribute's value."""
    return f"row[{number}]" if read is None else f"{reader_name(name)}(row[{number}])"


def reader_name(name: str) -> str:
    """Return what the code calls the reader of an attribute."""
    return f"read_{name}" if name.isidentifier() else f"read_{name.encode().hex()}"
