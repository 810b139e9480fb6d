"""`OnEngine`: calls of a repository on an engine, each in a transaction of its own."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import TypeAlias, TypeVar

from sqlalchemy import Connection, Engine, Table, orm

from pgauthkit.database import runner
from pgauthkit.database.deadline import one_call
from pgauthkit.database.greenlet import Awaiting
from pgauthkit.database.line import Line
from pgauthkit.database.runner import Calls, SyncWire
from pgauthkit.database.violations import REFUSALS, violation
from pgauthkit.errors import PgAuthKitError, RetryableError

__all__ = ["Limit", "OnEngine"]

T = TypeVar("T")
Limit: TypeAlias = Callable[[], AbstractContextManager[None]]


class OnEngine(Calls):
    """A way to an engine: a session for each call, which ends with it, so that its objects are detached."""

    def __init__(self, engine: Engine) -> None:
        super().__init__(engine, Awaiting() if engine.dialect.is_async else SyncWire())

    @cached_property
    def _reading(self) -> Engine:
        """The engine for calls of several statements, which must see the same rows."""
        return self._engine.execution_options(isolation_level="REPEATABLE READ")

    def limit(self) -> AbstractContextManager[None]:
        """Return what limits a part of a call that is longer than one call may be."""
        return one_call(self._limit)

    def in_session(self, work: Callable[[orm.Session], T], table: Table, *, one_snapshot: bool = False) -> T:
        """Do something in a session and a transaction of its own, as a whole call.

        Args:
            work: may be done several times.
            table: what it is about.
            one_snapshot: all of its statements see the same rows.
        """
        engine = self._reading if one_snapshot else self._engine
        return self.whole(partial(self._in_session, engine, work, table, nullcontext))

    def in_batches(self, work: Callable[[orm.Session], T], table: Table, *, can_repeat: bool) -> T:
        """Do the same where the limit of time is for each batch.

        Args:
            work: limits its batches itself.
            table: what it is about.
            can_repeat: whether it may be done several times.
        """
        attempt = partial(self._in_session, self._engine, work, table, self.limit)
        outcome = attempt()
        if can_repeat:
            outcome = self._try_again(attempt, outcome, time.monotonic() + runner.RETRY_FOR)
        if isinstance(outcome, PgAuthKitError):
            raise outcome
        return outcome

    def _in_session(
        self, engine: Engine, work: Callable[[orm.Session], T], table: Table, limit: Limit
    ) -> T | PgAuthKitError:
        try:
            with _connected(engine, limit) as connection, orm.Session(connection, expire_on_commit=False) as db:
                found = work(db)
                with limit():
                    db.commit()
                return found
        except REFUSALS as error:
            return violation(error, table)
        except RetryableError as error:
            return error


def _connected(engine: Engine, limit: Limit) -> Connection:
    """Check a connection out that the server has not closed meanwhile."""
    with limit():
        connection = engine.connect()
        while Line.of(connection.connection).is_hung_up():
            connection.invalidate()
    return connection
