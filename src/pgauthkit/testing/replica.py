"""`Replica`: a hot standby of a test's database, which is as far behind as the test says."""

from typing import LiteralString, Self

import attrs
import psycopg
from sqlalchemy import Engine

from pgauthkit.database.replication import PAUSE_REPLAY, catch_up

__all__ = ["Replica"]


@attrs.frozen(kw_only=True, repr=False)
class Replica:
    """A read-only copy of a test's database, on a server of its own that follows the first.

    It lags by some milliseconds, as replicas do: call `catch_up` before a test reads what it wrote.

    Attributes:
        engine: on the replica.
        url: of the replica.
        primary: the URL of the database that it follows.

    Example:
        >>> def test_reads(pgauthkit_auth, pgauthkit_replica):  # doctest: +SKIP
        ...     pgauthkit_auth.request_magic_link("ada@example.com")
        ...     pgauthkit_replica.catch_up()
        ...     with Session(pgauthkit_replica.engine) as db:
        ...         assert db.scalars(select(User)).one()
    """

    engine: Engine
    url: str
    primary: str

    def catch_up(self, *, timeout: float = 10.0) -> Self:
        """Wait until it has replayed all that its primary has written by now.

        Args:
            timeout: in seconds.

        Raises:
            DatabaseUnavailableError: it has not in that time: is it paused?

        Example:
            >>> pgauthkit_replica.catch_up()  # doctest: +SKIP
        """
        catch_up(self.primary, self.url, timeout=timeout)
        return self

    def pause(self) -> None:
        """Replay nothing until `resume`, or the end of the test: what is written meanwhile is not seen.

        Example:
            >>> pgauthkit_replica.pause()  # doctest: +SKIP
        """
        self._ask(PAUSE_REPLAY)

    def resume(self) -> None:
        """Replay again.

        Example:
            >>> pgauthkit_replica.resume()  # doctest: +SKIP
        """
        self._ask("SELECT pg_catalog.pg_wal_replay_resume()")

    def _ask(self, question: LiteralString) -> None:
        with psycopg.connect(self.url, autocommit=True) as connection:
            connection.execute(question)
