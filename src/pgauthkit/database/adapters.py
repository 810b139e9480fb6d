"""How our own statements read and write values: as psycopg does by itself, whatever the host has taught it."""

from typing import TYPE_CHECKING, Any, Final

from psycopg.adapt import AdaptersMap
from psycopg.postgres import register_default_adapters, register_default_types
from psycopg.types import TypesRegistry
from psycopg.types.array import register_all_arrays

if TYPE_CHECKING:
    import psycopg

__all__ = ["PlainContext"]


def _plain() -> AdaptersMap:
    types = TypesRegistry()
    register_default_types(types)
    adapters = AdaptersMap(types=types)
    register_default_adapters(adapters)
    register_all_arrays(adapters)
    return adapters


_PLAIN: Final = _plain()


class PlainContext:
    """A connection without the adapters of the host.

    A host may register its own for all connections (`psycopg.adapters`) or for one, so that times come as another type;
    what it taught them is right for its own statements.

    Args:
        driver: the connection, for its encoding and its time zone.
    """

    def __init__(self, driver: "psycopg.BaseConnection[Any]") -> None:
        self.connection: psycopg.BaseConnection[Any] | None = driver
        self.adapters: AdaptersMap = _PLAIN
