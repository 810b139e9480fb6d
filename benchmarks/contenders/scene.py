"""Where a contender works: the database, a sample of its rows, and rows of its own."""

import itertools
import os
import random
from collections.abc import Iterator
from typing import Any

import attrs
import psycopg

from benchmarks.block import Order
from benchmarks.rows import copy_links, copy_sessions, email_of, user_id, users_of

__all__ = ["LINKS_A_SECOND", "Scene"]

SAMPLE = 20_000
OWN_SESSIONS = 500
# More than any contender uses.
LINKS_A_SECOND = 5_000
# The numbers of rows that a process makes for itself begin here, beyond any data set.
BEYOND, RANGE = 10**10, 10**7


@attrs.frozen
class Scene:
    """A database with so many sessions, seen by one process."""

    url: str
    sessions: int
    slot: int
    _used: Iterator[int] = attrs.field(factory=itertools.count)

    @classmethod
    def of(cls, order: Order) -> "Scene":
        """Read what the runner has put into the environment."""
        return cls(os.environ["DATABASE_URL"], int(os.environ["SESSIONS"]), order.slot)

    @property
    def users(self) -> int:
        """How many users there are."""
        return users_of(self.sessions)

    def some_sessions(self) -> list[int]:
        """Return numbers of sessions, the same for every contender."""
        return _sample(self.sessions)

    def some_emails(self) -> list[str]:
        """Return addresses of users."""
        return [email_of(number) for number in _sample(self.users)]

    def some_users(self) -> list[str]:
        """Return ids of users."""
        return [user_id(number) for number in _sample(self.users)]

    def some_links_wanted(self) -> list[tuple[str, str]]:
        """Return addresses of users, each with the ip that asks for a link."""
        return [(email, f"198.18.{n // 250 % 250}.{n % 250}") for n, email in enumerate(self.some_emails())]

    def own_sessions(self) -> list[int]:
        """Write sessions that nobody else uses, and return their numbers."""
        numbers = self._own(OWN_SESSIONS)
        with self.connect() as connection:
            copy_sessions(connection, numbers, self.users)
        return numbers

    def own_links(self, seconds: float) -> list[int]:
        """Write links that nobody else uses, more than can be used in the time, and return their numbers."""
        numbers = self._own(int(LINKS_A_SECOND * seconds) + 100)
        with self.connect() as connection:
            # What earlier blocks left over would be in the way: a sign-in ends the other links of its address.
            connection.execute("DELETE FROM pgauthkit.magic_links WHERE used_at IS NULL")
            copy_links(connection, numbers, self.users)
        return numbers

    def connect(self) -> psycopg.Connection[Any]:
        """Return a connection for what is not measured."""
        return psycopg.connect(self.url, autocommit=True)

    def _own(self, count: int) -> list[int]:
        first = BEYOND + self.slot * RANGE
        return [first + number for number in itertools.islice(self._used, count)]


def _sample(count: int) -> list[int]:
    return random.Random(count).sample(range(count), min(SAMPLE, count))  # noqa: S311 - a sample, not a secret
