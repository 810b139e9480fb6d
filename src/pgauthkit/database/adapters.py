"""How our own statements read and write values: as psycopg does by itself, whatever the host has taught it."""

from struct import Struct
from typing import TYPE_CHECKING, Any, Final

from psycopg.abc import Loader
from psycopg.adapt import AdaptersMap, Dumper
from psycopg.postgres import register_default_adapters, register_default_types, types as known
from psycopg.pq import Format
from psycopg.types import TypesRegistry
from psycopg.types.array import register_all_arrays

if TYPE_CHECKING:
    import psycopg

__all__ = ["Binaries", "PlainContext", "plain_loader"]

_BYTEA: Final = known["bytea"]
# How an array begins: one dimension, no nulls, of what, how many, counted from 1. `array_recv` in arrayfuncs.c
_HEAD: Final = Struct("!iiIii")
_LENGTH: Final = Struct("!i")


class Binaries(list[bytes]):
    """An array of bytes that is sent as they are: psycopg writes it as text, in ten times the time."""


class _BinariesDumper(Dumper):
    format = Format.BINARY
    oid = _BYTEA.array_oid

    def dump(self, obj: Binaries) -> bytes:
        parts = [_HEAD.pack(1, 0, _BYTEA.oid, len(obj), 1)]
        for one in obj:
            parts += (_LENGTH.pack(len(one)), one)
        return b"".join(parts)


def _plain() -> AdaptersMap:
    types = TypesRegistry()
    register_default_types(types)
    adapters = AdaptersMap(types=types)
    register_default_adapters(adapters)
    register_all_arrays(adapters)
    adapters.register_dumper(Binaries, _BinariesDumper)
    return adapters


_PLAIN: Final = _plain()


def plain_loader(oid: int, form: Format) -> type[Loader] | None:
    """Return what psycopg reads values of a type with by itself; None for a type that it does not know."""
    return _PLAIN.get_loader(oid, form)


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
