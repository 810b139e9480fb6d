"""What the server keeps prepared for a connection: how many statements, by which key, and when it is void."""

import re
from functools import cache
from itertools import count
from typing import TYPE_CHECKING, Any, Final, TypeAlias, cast

from psycopg.adapt import PyFormat

if TYPE_CHECKING:
    import psycopg

__all__ = ["MOST_PREPARED", "STALE", "Key", "Prepared", "numbered"]

# A statement's text, and the types of its parameters.
Key: TypeAlias = tuple[bytes, tuple[int, ...]]

# Statements that the server keeps for one connection, some 10 to 50 kB each: those of the service are fewer than a
# hundred, those of repositories as many as there are shapes of calls.
MOST_PREPARED: Final = 500
# What a statement may fail of only because it was prepared before a table was changed: a plan that cannot be
# changed (0A000), a name that is gone (26000), a type or an operator that was looked up then (42…, XX000).
STALE: Final = re.compile(r"0A000|26000|42...|XX000")
_NAMED: Final = re.compile(r"%\((\w+)\)s")
# After so many statements a connection's plans are made anew, and again each time that it has had so many times more.
_FIRST: Final = 64
_TIMES: Final = 8


class Prepared:
    """The statements that the server keeps prepared for a connection.

    The server plans such a statement a few times, and then keeps a plan until it analyses one of the tables. One that
    was made while a table had few rows reads all of them, at each call, as they become more: after a failover, which
    empties an UNLOGGED table, or on the first day of an application. So plans are given up now and then.
    https://www.postgresql.org/docs/16/sql-prepare.html#SQL-PREPARE-NOTES

    Attributes:
        names: by text and types.
    """

    def __init__(self, driver: "psycopg.BaseConnection[Any]") -> None:
        self.names: dict[Key, bytes] = {}
        _note_deallocation(driver, self.names)
        self._numbers = count()
        self._left = self._span = _FIRST
        self._discarded = 0

    @property
    def round_trips(self) -> int:
        """How many there were beside those of the statements, less those for what is prepared no longer."""
        return len(self.names) + self._discarded

    def new_name(self) -> bytes:
        """Return a name that no statement has had."""
        return b"pgauthkit_%d" % next(self._numbers)

    def are_old(self) -> bool:
        """Count a statement that is to be run, and tell whether the plans are to be given up before."""
        self._left -= 1
        if self._left:
            return False
        self._span *= _TIMES
        self._left = self._span
        self._discarded += bool(self.names)
        return bool(self.names)


def _note_deallocation(driver: "psycopg.BaseConnection[Any]", names: dict[Key, bytes]) -> None:
    """Empty the names when psycopg sends DEALLOCATE ALL for its own, as it does at each rollback, and tells nobody."""
    prepared = cast("Any", driver)._prepared  # noqa: SLF001 - psycopg has no public name for it
    clear = prepared.clear

    def clear_both() -> bool:
        is_sent: bool = clear()
        if is_sent:
            names.clear()
        return is_sent

    prepared.clear = clear_both


@cache
def numbered(sql: str) -> tuple[bytes, tuple[str, ...], list[PyFormat]]:
    """Return a statement with its parameters as `$1`, `$2` …, and their names and formats in that order."""
    numbers: dict[str, int] = {}
    text = _NAMED.sub(lambda found: f"${numbers.setdefault(found[1], len(numbers) + 1)}", sql)
    return text.replace("%%", "%").encode(), tuple(numbers), [PyFormat.AUTO] * len(numbers)
