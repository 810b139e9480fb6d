"""`OnEngine`: calls of a repository on an engine, each in a transaction of its own."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cached_property, partial
from typing import Any, TypeAlias, TypeVar, cast

import psycopg
from psycopg import IsolationLevel
from sqlalchemy import Connection, Engine, Table, orm
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database import runner
from pgauthkit.database.deadline import one_call
from pgauthkit.database.greenlet import Awaiting
from pgauthkit.database.line import Line, Rows
from pgauthkit.database.querylog import QueryLog, echo
from pgauthkit.database.results.unreadable import unreadable
from pgauthkit.database.runner import Calls, SyncWire
from pgauthkit.database.violations import REFUSALS, violation
from pgauthkit.errors import PgAuthKitError, RepositoryError, RetryableError
from pgauthkit.repositories.generic.plans.plan import Asked

__all__ = ["Limit", "OnEngine"]

T = TypeVar("T")
Limit: TypeAlias = Callable[[], AbstractContextManager[None]]


class OnEngine(Calls):
    """The ways to an engine: one statement on a connection, or a session for each call, which ends with it."""

    def __init__(self, engine: Engine, table: Table) -> None:
        self._awaiting = Awaiting() if engine.dialect.is_async else None
        super().__init__(engine, self._awaiting or SyncWire())
        self._table = table
        self.log: QueryLog | None = QueryLog.on(engine)
        self._ask = self.log.logged(self._asked) if self.log else self._asked

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self._engine

    @cached_property
    def _reading(self) -> Engine:
        """The engine for calls of several statements, which must see the same rows."""
        return self._engine.execution_options(isolation_level="REPEATABLE READ")

    def answer(self, asked: Asked) -> Rows | None:
        """Run one statement of a plan, as a whole call, in one round trip and in autocommit.

        Returns:
            Its rows; None where it is for a session: what the host has set for the transactions of a connection, or
            words for what is wrong with a value.
        """
        return self.whole(partial(self._on_connection, self._answered, asked))

    def _answered(self, connection: PoolProxiedConnection, asked: Asked) -> Rows | PgAuthKitError | None:
        if not self._is_plain(connection.driver_connection):
            return None
        echo(self._engine, asked.plan.sql, asked.parameters)
        try:
            return self._ask(connection, asked.plan.sql, asked)
        except psycopg.DataError as error:
            if error.sqlstate is not None:
                raise
            # Of psycopg's, which could not convert a value, of the call or of a row.
            read = unreadable(error) if asked.writes else None
        if read is None:
            return None
        message, owner, column = read
        written = f"{message} The row was written."
        return RepositoryError(written, table=owner or self._table.name, columns=(column,))

    def _is_plain(self, driver: Any) -> bool:  # noqa: ANN401 - psycopg's, of either kind
        """Tell whether a transaction on a connection is what the server begins by itself for a statement."""
        # SQLAlchemy says READ COMMITTED where it takes back another level, and a server may be for stricter ones.
        usual = driver.isolation_level in {None, IsolationLevel.READ_COMMITTED}
        return usual and driver.read_only is None and driver.deferrable is None

    def _asked(self, connection: PoolProxiedConnection, _sql: str, asked: Asked) -> Rows:
        plan = asked.plan
        line = Line.of(connection)
        steps = line.query(plan.text, asked.parameters, plan.formats, plan.types, plan.words)
        types, rows = line.wait(steps) if self._awaiting is None else self._awaiting.wait(line.awaited(steps))
        asked.types = types
        plan.seen(types)
        return cast("Rows", rows)

    def _translated(self, error: Exception) -> PgAuthKitError:
        return violation(error, self._table)

    def limit(self) -> AbstractContextManager[None]:
        """Return what limits a part of a call that is longer than one call may be."""
        return one_call(self._limit)

    def in_session(self, work: Callable[[orm.Session], T], *, one_snapshot: bool = False) -> T:
        """Do something in a session and a transaction of its own, as a whole call.

        Args:
            work: may be done several times.
            one_snapshot: all of its statements see the same rows.
        """
        engine = self._reading if one_snapshot else self._engine
        return self.whole(partial(self._in_session, engine, work, nullcontext))

    def in_batches(self, work: Callable[[orm.Session], T], *, can_repeat: bool) -> T:
        """Do the same where the limit of time is for each batch.

        Args:
            work: limits its batches itself.
            can_repeat: whether it may be done several times.
        """
        attempt = partial(self._in_session, self._engine, work, self.limit)
        outcome = attempt()
        if can_repeat:
            outcome = self._try_again(attempt, outcome, time.monotonic() + runner.RETRY_FOR)
        if isinstance(outcome, PgAuthKitError):
            raise outcome
        return outcome

    def _in_session(self, engine: Engine, work: Callable[[orm.Session], T], limit: Limit) -> T | PgAuthKitError:
        try:
            with _connected(engine, limit) as connection, orm.Session(connection, expire_on_commit=False) as db:
                found = work(db)
                with limit():
                    db.commit()
                return found
        except REFUSALS as error:
            return violation(error, self._table)
        except RetryableError as error:
            return error


def _connected(engine: Engine, limit: Limit) -> Connection:
    """Check a connection out that the server has not closed meanwhile."""
    with limit():
        connection = engine.connect()
        while Line.of(connection.connection).is_hung_up():
            connection.invalidate()
    return connection
