"""Values that Python has no object for, such as `infinity` as a date: read as the text that the server wrote."""

from typing import TYPE_CHECKING, Any, Final

import psycopg
from psycopg.adapt import Loader
from psycopg.pq import Format
from sqlalchemy import Engine, event

if TYPE_CHECKING:
    from psycopg.abc import AdaptContext, Buffer

__all__ = ["Unread", "reading_all"]

_TYPES: Final = ("date", "time", "timetz", "timestamp", "timestamptz", "interval")
_INFINITE: Final = frozenset({"infinity", "-infinity"})


class Unread(str):
    """What the server wrote for a value that Python has no object for, or what a form gave that is no value."""

    __slots__ = ()
    is_unread: Final = True

    @property
    def is_infinite(self) -> bool:
        """Whether it is a value of its type all the same."""
        return self in _INFINITE


def reading_all(engine: Engine) -> Engine:
    """Return an engine on the same pool whose statements return every date, time and interval.

    The loaders are those of each cursor, so that the application's own statements on the pool keep theirs.

    Args:
        engine: one of psycopg.
    """
    reading = engine.execution_options()

    def adapt(_connection: object, cursor: Any, *_call: object) -> None:  # noqa: ANN401 - psycopg's cursor
        for name, loader in _LOADERS.items():
            cursor.adapters.register_loader(name, loader)

    event.listen(reading, "before_cursor_execute", adapt)
    return reading


def _loader(name: str) -> type[Loader]:
    theirs: Any = psycopg.adapters.get_loader(psycopg.adapters.types[name].oid, Format.TEXT)

    class Lenient(Loader):
        """psycopg's loader of a type, and the text where that gives up."""

        def __init__(self, oid: int, context: "AdaptContext | None" = None) -> None:
            super().__init__(oid, context)
            self._theirs = theirs(oid, context)

        def load(self, data: "Buffer") -> object:
            """Return the value."""
            try:
                return self._theirs.load(data)
            except (psycopg.DataError, ValueError, OverflowError):
                return Unread(bytes(data).decode())

    return Lenient


_LOADERS: Final = {name: _loader(name) for name in _TYPES}
