"""The end of everybody's sessions, after a restore or a leak."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Final

from pgauthkit.errors import ConfigError
from pgauthkit.service.base import Service
from pgauthkit.service.memory.marks import EVERYBODY
from pgauthkit.statements import revocation as statements
from pgauthkit.statements.statement import Statement

__all__ = ["Revocation"]

LARGEST: Final = 1_000_000


class Revocation(Service):
    """What `AuthService` does with everybody's sessions at once."""

    def revoke_all_sessions(self, *, batch_size: int = 1000, on_progress: Callable[[int], object] | None = None) -> int:
        """End the sessions of everybody, and every pending link but invitations. Return how many sessions ended.

        For after a restore, a failover or a leak: what was signed out or used since the dump would be good again. First
        the links end, then the sessions that were opened until that was done; sessions of links that are asked for
        meanwhile stay. In batches along the primary key, each one short statement, so it may run beside
        the load, be stopped, and be called again.

        Args:
            batch_size: rows looked at in one statement.
            on_progress: called after each batch of sessions with how many have ended so far.

        Raises:
            ConfigError: `batch_size` is not 1 to 1,000,000.

        Example:
            >>> auth.revoke_all_sessions()  # doctest: +SKIP
            1024
        """
        if type(batch_size) is not int or not 1 <= batch_size <= LARGEST:
            raise ConfigError([f"revoke_all_sessions: batch_size must be 1 to {LARGEST:,}."])
        for _ in self._walk(statements.REVOKE_ALL_LINKS, self._server_time(), batch_size):
            pass
        count = 0
        with self._ending(EVERYBODY):
            for ended in self._walk(statements.REVOKE_ALL_SESSIONS, self._server_time(), batch_size):
                count += ended
                if on_progress:
                    on_progress(count)
        self._audit.tell("all_sessions_revoked", count=count)
        return count

    def _server_time(self) -> datetime:
        ((now,),) = self._rows(statements.WHAT_TIME)
        return now  # type: ignore[no-any-return]  # the statement has one column, the time

    def _walk(self, statement: Statement, before: datetime, batch_size: int) -> Iterator[int]:
        after: str | None = ""
        while after is not None:
            ((after, ended),) = self._rows(statement, after=after, before=before, batch_size=batch_size)
            yield ended
