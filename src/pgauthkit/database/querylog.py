"""The query log: each statement with its time, its rows, its round trips, and who asked; and SQLAlchemy's `echo`."""

import logging
import time
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any, Final, Self, TypeAlias, TypeVar, cast

import attrs
import psycopg
from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, Engine, ExceptionContext, event
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.sql.util import _repr_params  # pyright: ignore[reportPrivateUsage]  # it shortens as SQLAlchemy does

from pgauthkit.database.caller import find_caller
from pgauthkit.database.line import Line

__all__ = ["Ask", "QueryLog", "echo"]

G = TypeVar("G")
R = TypeVar("R", bound=Sequence[Any])
Ask: TypeAlias = Callable[[PoolProxiedConnection, str, G], R]
"""Runs one statement on a driver's connection in autocommit, with what it is given, and returns its rows."""

_OPTION: Final = "pgauthkit_query_log"
_NONE: Final = timedelta(0)
_log: Final = logging.getLogger("pgauthkit.queries")


def echo(engine: Engine, sql: str, parameters: Sequence[object] | None = None) -> None:
    """Log a statement that goes past SQLAlchemy as SQLAlchemy logs its own, for `echo=True` and its logger.

    Args:
        engine: says where to, whether, and by `hide_parameters` how much.
        sql: the statement.
        parameters: what is sent with it; None where they are not for a log, as the hashes and addresses of the service.

    Example:
        >>> echo(create_engine("postgresql://db.example/app", echo=True), "SELECT 1")  # doctest: +SKIP
        … INFO sqlalchemy.engine.Engine SELECT 1
    """
    log = engine.logger
    if not log.isEnabledFor(logging.INFO):
        return
    log.info("%s", sql)
    if parameters is None or engine.hide_parameters:
        log.info("[by pgauthkit] [SQL parameters hidden]")
    else:
        log.info("[by pgauthkit] %r", _repr_params(tuple(parameters), batches=10, ismulti=False))


class _Running:
    """A statement on its way."""

    def __init__(self, count_prepared: Callable[[], int], *, begins: bool = False) -> None:
        self._round_trips = 1 + begins
        self._count_prepared = count_prepared
        self._prepared = count_prepared()
        self._started = time.perf_counter()

    def record(self, statement: str, rows: int | None) -> dict[str, object]:
        """Return what is known of it at its end."""
        taken = time.perf_counter() - self._started
        return {
            "statement": " ".join(statement.split()),
            "milliseconds": round(taken * 1000, 3),
            "rows": rows,
            "round_trips": self._round_trips + max(0, self._count_prepared() - self._prepared),
            "caller": find_caller(),
        }


@attrs.frozen(kw_only=True)
class QueryLog:
    """What is logged at `pgauthkit.queries`: all statements at INFO, and the slow ones at WARNING.

    Each record has `statement`, `milliseconds`, `rows` (None where there are none to count, or it failed),
    `round_trips` (those of the statement, of the BEGIN before it, and of its preparation), `caller` (`file:line`) and
    `sqlstate` (of one that failed) as attributes, for a formatter that wants them apart.

    Attributes:
        slow: how long a statement takes that is slow; None where none is.
        all: whether the others are logged as well.
    """

    slow: timedelta | None = None
    all: bool = True

    @classmethod
    def of(cls, asked: bool | timedelta) -> Self | None:  # noqa: FBT001 - as the engines have it
        """Return the log for an engine's `query_log`; None for none."""
        if isinstance(asked, timedelta):
            return cls(slow=max(asked, _NONE), all=False)
        return cls() if asked else None

    @staticmethod
    def on(engine: Engine) -> "QueryLog | None":
        """Return the log of an engine; None where it has none."""
        return cast("QueryLog | None", engine.get_execution_options().get(_OPTION))

    def attach(self, engine: Engine) -> None:
        """Log what goes through SQLAlchemy; for what the service sends by the driver itself, see `logged`."""
        engine.update_execution_options(**{_OPTION: self})
        event.listen(engine, "before_cursor_execute", self._before)
        event.listen(engine, "after_cursor_execute", self._after)
        event.listen(engine, "handle_error", self._failed)

    def logged(self, ask: Ask[G, R], *, prepares: bool = True) -> Ask[G, R]:
        """Return what runs statements on a driver's connection, with each statement logged.

        Args:
            ask: runs them.
            prepares: preparing one takes a round trip of its own.
        """

        def ask_and_log(connection: PoolProxiedConnection, sql: str, given: G) -> R:
            line = Line.of(connection)
            running = _Running(lambda: line.prepared.round_trips if prepares else 0)
            try:
                rows = ask(connection, sql, given)
            except psycopg.Error as error:
                self._write(running.record(sql, None), error.sqlstate, failed=True)
                raise
            self._write(running.record(sql, len(rows)))
            return rows

        return ask_and_log

    def tell(self, message: str) -> None:
        """Log what is no statement: it explains some that follow."""
        if self.all:
            _log.info(message)

    def _before(self, connection: Connection, *event: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        driver = cast("psycopg.BaseConnection[Any]", connection.connection.driver_connection)
        begins = not driver.autocommit and driver.pgconn.transaction_status == TransactionStatus.IDLE
        # psycopg has no public way to ask whether it has prepared a statement, which takes a round trip.
        names = cast("Any", driver)._prepared._names  # noqa: SLF001
        event[3].pgauthkit_running = _Running(lambda: len(names), begins=begins)

    def _after(self, _connection: Connection, *event: Any) -> None:  # noqa: ANN401 - the same
        cursor, statement, _, context, _ = event
        rows = cursor.rowcount if cursor.rowcount >= 0 else None
        self._write(context.pgauthkit_running.record(statement, rows))

    def _failed(self, failure: ExceptionContext) -> None:
        running = getattr(failure.execution_context, "pgauthkit_running", None)
        if running is not None:
            state = getattr(failure.original_exception, "sqlstate", None)
            self._write(running.record(failure.statement or "", None), state, failed=True)

    def _write(self, record: dict[str, object], sqlstate: str | None = None, *, failed: bool = False) -> None:
        slow = self.slow is not None and timedelta(milliseconds=cast("float", record["milliseconds"])) >= self.slow
        if not (slow or self.all):
            return
        level = logging.WARNING if slow else logging.INFO
        record["sqlstate"] = sqlstate
        outcome = f"failed ({sqlstate})" if failed else f"{record['rows']} rows"
        _log.log(
            level,
            "%s ms, %s, %s round trips, %s: %s",
            record["milliseconds"],
            outcome,
            record["round_trips"],
            record["caller"],
            record["statement"],
            extra=record,
        )
