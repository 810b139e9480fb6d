"""Running one statement: on a pooled connection in autocommit, or inside a host's transaction."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from threading import Thread
from typing import Any, Final, Protocol, TypeVar, cast

import psycopg
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection, SingletonThreadPool, StaticPool

from pgauthkit.database.connecting import watch
from pgauthkit.database.deadline import CALL_ENDS, ENDLESS, call_timeout_of
from pgauthkit.database.line import Line
from pgauthkit.database.pool.loan import borrow
from pgauthkit.database.querylog import QueryLog, echo
from pgauthkit.database.sessions import check_engine
from pgauthkit.database.suitability import check_encoding
from pgauthkit.database.unavailable import translate
from pgauthkit.errors import ConfigError, PgAuthKitError, RetryableError

__all__ = ["Autocommit", "Calls", "Joined", "Pausing", "Row", "Runner", "SyncWire", "Wire"]

T = TypeVar("T")
Row = Sequence[Any]
Parameters = Mapping[str, object]

RETRY_FOR: Final = 5.0  # seconds
FIRST_PAUSE: Final = 0.005
LONGEST_PAUSE: Final = 0.25
_WITHIN: Final = "; with a session or a connection of your own, within()"
_SHARING: Final = (StaticPool, SingletonThreadPool)
_SHARED: Final = (
    "gives one connection to several callers, who would read each other's answers and commit each other's work."
    " Use a QueuePool, which is the default, or a NullPool."
)


class Runner(Protocol):
    """What the service needs from the database."""

    def fetch(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run one statement, and return its rows."""
        ...

    def compute(self, slow: Callable[[], T]) -> T:
        """Do heavy arithmetic, between two statements, without blocking other callers."""
        ...


class Pausing(Protocol):
    """How a caller waits: in its thread, or awaited."""

    is_async: bool

    def pause(self, seconds: float) -> None:
        """Wait without blocking other callers."""
        ...


class Wire(Pausing, Protocol):
    """How a driver's connection is talked to: directly, or awaited."""

    def ask(self, connection: PoolProxiedConnection, sql: str, parameters: Parameters) -> list[Row]:
        """Run a statement in autocommit, prepared on the server, in one round trip."""
        ...

    def compute(self, slow: Callable[[], T]) -> T:
        """Do heavy arithmetic without blocking other callers."""
        ...

    def aside(self, work: Callable[[], None]) -> None:
        """Do something beside the caller, who does not wait for it, and has no deadline for it."""
        ...


class SyncWire:
    """psycopg's `Connection`."""

    is_async = False

    def ask(self, connection: PoolProxiedConnection, sql: str, parameters: Parameters) -> list[Row]:
        """Run a statement in autocommit; the connection is given back as it was."""
        line = Line.of(connection)
        rows: list[Row] = line.wait(line.ask(sql, parameters))
        return rows

    def pause(self, seconds: float) -> None:
        """Sleep."""
        time.sleep(seconds)

    def compute(self, slow: Callable[[], T]) -> T:
        """Do it here: the host's other threads go on."""
        return slow()

    def aside(self, work: Callable[[], None]) -> None:
        """Do it in a thread, which ends with the process."""
        Thread(target=work, name="pgauthkit-aside", daemon=True).start()


class Calls:
    """Calls on an engine, each of them whole: within a limit of time, and again after a conflict with another."""

    def __init__(self, engine: Engine, wire: Pausing) -> None:
        check_engine(engine, _WITHIN)
        if engine.dialect.driver != "psycopg":
            raise ConfigError([f"engine: its driver must be psycopg 3, not {engine.dialect.driver}."])
        if engine.dialect.is_async != wire.is_async:
            raise ConfigError(["engine: AuthService takes an Engine, and AsyncAuthService an AsyncEngine."])
        if isinstance(engine.pool, _SHARING):
            raise ConfigError([f"engine: a {type(engine.pool).__name__} {_SHARED}"])
        watch(engine)
        self._engine = engine
        self._limit = call_timeout_of(engine) or ENDLESS
        self._pausing = wire

    def whole(self, attempt: Callable[[], T | PgAuthKitError]) -> T:
        """Make a call, again for up to 5 s when it fails with SQLSTATE 40001 or 40P01 (with full jitter).

        All of it, with the wait for a connection, ends within the `call_timeout` of the engine.

        Args:
            attempt: returns an error, rather than raising it, so that the driver's does not become its context.
        """
        outer = CALL_ENDS.get()  # of a call that is more than one statement
        end = time.monotonic() + self._limit if outer is None else outer
        CALL_ENDS.set(end)
        try:
            outcome = attempt()
            if isinstance(outcome, RetryableError):
                outcome = self._try_again(attempt, outcome, min(end, time.monotonic() + RETRY_FOR))
        finally:
            CALL_ENDS.set(outer)
        if isinstance(outcome, PgAuthKitError):
            raise outcome
        return outcome

    def _try_again(
        self, attempt: Callable[[], T | PgAuthKitError], outcome: T | PgAuthKitError, give_up: float
    ) -> T | PgAuthKitError:
        pause = FIRST_PAUSE
        while isinstance(outcome, RetryableError) and time.monotonic() + pause <= give_up:
            self._pausing.pause(random.uniform(0, pause))  # noqa: S311 - spreads racers, guards nothing
            pause = min(pause * 2, LONGEST_PAUSE)
            outcome = attempt()
        return outcome

    def _on_connection(self, ask: Callable[..., T], *given: object) -> T | PgAuthKitError:
        """Ask on a connection of the pool."""
        connection: PoolProxiedConnection | None = None
        try:
            connection, line = self._checked_out()
            if not line.is_idle:
                connection.commit()  # what a listener of the host did, such as setting the search_path
            found = ask(connection, *given)
        except (psycopg.Error, SQLAlchemyError) as error:
            # Returned and raised outside of the handler: the driver's has the server's DETAIL, and so row values.
            return self._failed(connection, error)
        except BaseException:
            if connection is not None:
                connection.invalidate()
            raise
        self._finished(connection)
        return found

    def _finished(self, connection: PoolProxiedConnection) -> None:
        # Given back as SQLAlchemy's own connections are after a commit: the pool need not roll back what is not there.
        # A name of SQLAlchemy's own, for 10 % of the time of `authenticate`.
        cast("Any", connection)._checkin(transaction_was_reset=True)  # noqa: SLF001

    def _checked_out(self) -> tuple[PoolProxiedConnection, Line]:
        connection = borrow(self._engine)
        while (line := Line.of(connection)).is_hung_up():
            connection.invalidate()
            connection = borrow(self._engine)
        return connection, line

    def _failed(self, connection: PoolProxiedConnection | None, error: Exception) -> PgAuthKitError:
        """Give a connection back after an error, and return what the caller gets for that."""
        if connection is not None:
            # Closed, or lost while it was waited for: psycopg may call it open still, and it could not even be rolled
            # back. A server that takes no writes any more is left: the next connection looks for the one that does.
            if not Line.of(connection).is_idle or isinstance(error, psycopg.errors.ReadOnlySqlTransaction):
                connection.invalidate()
            connection.close()
        return self._translated(error)

    def _translated(self, error: Exception) -> PgAuthKitError:
        return translate(error, self._engine.url)


class Autocommit(Calls):
    """Each statement on its own: atomic without a transaction, retried whole after a conflict with another transaction.

    Nothing is held between two statements, so it works behind a pooler in transaction mode as well.
    """

    def __init__(self, engine: Engine, wire: Wire) -> None:
        super().__init__(engine, wire)
        self._log = QueryLog.on(engine)
        self._wire = wire
        self._ask = self._log.logged(wire.ask) if self._log else wire.ask

    def fetch(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run one statement, as a whole call."""
        return self.whole(partial(self._on_connection, self._asked, sql, parameters))

    def _asked(self, connection: PoolProxiedConnection, sql: str, parameters: Parameters) -> list[Row]:
        echo(self._engine, sql)
        return self._ask(connection, sql, parameters)

    def compute(self, slow: Callable[[], T]) -> T:
        """Do heavy arithmetic where the wire says."""
        return self._wire.compute(slow)


class Joined:
    """Inside a transaction of the host: no retry, and nothing is kept that the host rolls back."""

    def __init__(self, connect: Callable[[], Connection], wire: Wire) -> None:
        self._connect = connect
        self._wire = wire

    def fetch(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run one statement in the host's transaction."""
        try:
            return _joined(self._connect(), sql, parameters)
        except (psycopg.Error, SQLAlchemyError) as error:
            failure = translate(error)
        raise failure

    def compute(self, slow: Callable[[], T]) -> T:
        """Do heavy arithmetic where the wire says."""
        return self._wire.compute(slow)


def _joined(host: Connection, sql: str, parameters: Parameters) -> list[Row]:
    """Send a statement as the host's own are sent, so that it is in its logs; and read its rows without the host."""
    line = Line.of(host.connection)
    if not line.driver.lock.locked():  # else another task or thread waits there, for an answer that is not ours to read
        line.is_hung_up()  # in a process that was forked it is by now
    check_encoding(_driver(host.connection))
    with host.exec_driver_sql(sql, dict(parameters)) as result:
        cursor: Any = result.cursor
        return cast("list[Row]", line.read(getattr(cursor, "_cursor", cursor).pgresult))


def _driver(connection: PoolProxiedConnection) -> "psycopg.BaseConnection[Row]":
    return cast("psycopg.BaseConnection[Row]", connection.driver_connection)
