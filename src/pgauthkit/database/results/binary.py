"""Which results may come in PostgreSQL's binary form: those that psycopg reads to the same values as from text."""

from collections.abc import Collection
from typing import TYPE_CHECKING, Any, Final, cast

from psycopg.adapt import AdaptersMap
from psycopg.pq import Format
from psycopg.types.string import TextBinaryLoader

from pgauthkit.database.adapters import plain_loader

if TYPE_CHECKING:
    import psycopg

__all__ = ["Binary"]

# By src/include/catalog/pg_type.dat: bool, bytea, int8, int2, int4, text, oid, json, float8, bpchar, varchar, date,
# timestamp, timestamptz, uuid, jsonb. Not float4, whose text 0.1 is another number in eight bytes, nor numeric and
# interval, which psycopg reads in Python.
_EXACT: Final = frozenset({16, 17, 20, 21, 23, 25, 26, 114, 701, 1042, 1043, 1082, 1114, 1184, 2950, 3802})
_FORMATS: Final = (Format.TEXT, Format.BINARY)


class Binary:
    """A context for reading results in binary, as long as nobody has taught a connection to read them otherwise.

    Args:
        driver: the connection.
        words: types of enumerations, whose binary form is their text.
    """

    def __init__(self, driver: "psycopg.BaseConnection[Any]", words: Collection[int]) -> None:
        self.connection: psycopg.BaseConnection[Any] | None = driver
        self.adapters: AdaptersMap = driver.adapters
        if words:
            self.adapters = AdaptersMap(driver.adapters)
            for oid in words:
                self.adapters.register_loader(oid, TextBinaryLoader)

    @classmethod
    def of(cls, driver: Any, types: Collection[int], words: Collection[int]) -> "Binary | None":  # noqa: ANN401 - of either kind
        """Return the context for results with these types; None where they have to come as text.

        Args:
            driver: the connection.
            types: of the columns.
            words: those of them that are enumerations, by the host's models.
        """
        read = cast("AdaptersMap", driver.adapters).get_loader
        for oid in set(types):
            known = oid in _EXACT
            if not known and oid not in words:
                return None
            for form in _FORMATS:
                if read(oid, form) is not (plain_loader(oid, form) if known else None):
                    return None
        return cls(driver, words)
