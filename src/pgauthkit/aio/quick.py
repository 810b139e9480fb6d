"""`Quick`: a statement on a connection that is at hand, awaited without a greenlet."""

import asyncio
from time import monotonic
from typing import Any, Final

import psycopg
from sqlalchemy import Pool
from sqlalchemy.exc import MissingGreenlet, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.deadline import CALL_ENDS, CallTimeoutError, Steps, stop
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.database.line import Line
from pgauthkit.database.patience import AsyncPatientPool
from pgauthkit.database.runner import Autocommit, Parameters, Row, is_idle
from pgauthkit.errors import PgAuthKitError, RetryableError

__all__ = ["Quick"]

LONGEST: Final = 86_400.0  # seconds; a loop's clock has no use for infinity
READ: Final = 1  # as psycopg's `Wait` and `Ready` have them
WRITE: Final = 2
TIMED_OUT: Final = 0


class Quick(Autocommit):
    """Asks on an idle connection of the pool; where there is none, or something else is to be done, as ever.

    A greenlet, and psycopg's way to wait, which on Python 3.11 is a task for each wait, are a quarter of the processor
    time of `authenticate`. What is asked must do no harm when it is asked a second time.
    """

    async def answered(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run one statement, as a whole call."""
        if (connection := await self._at_hand()) is None:
            return await in_greenlet(self.fetch, sql, parameters)
        outcome = await self._asked_on(connection, sql, parameters)
        if isinstance(outcome, RetryableError):
            return await in_greenlet(self.fetch, sql, parameters)
        if isinstance(outcome, PgAuthKitError):
            raise outcome
        return outcome

    async def _at_hand(self) -> PoolProxiedConnection | None:
        if self._log or not _has_idle(self._engine.pool):
            return None
        try:
            connection = self._engine.raw_connection()
        except MissingGreenlet:  # it is to be made again
            return None
        if Line.of(connection).is_hung_up() or not is_idle(connection):
            await in_greenlet(connection.invalidate)
            return None
        return connection

    async def _asked_on(
        self, connection: PoolProxiedConnection, sql: str, parameters: Parameters
    ) -> list[Row] | PgAuthKitError:
        driver: Any = connection.driver_connection
        outer = CALL_ENDS.get()
        end = monotonic() + self._limit if outer is None else outer
        try:
            rows: list[Row] = await _waited(driver, Line.of(connection).ask(sql, parameters), end)
        except (psycopg.Error, SQLAlchemyError) as error:
            if isinstance(error, CallTimeoutError):
                await stop(driver)
            # Returned, so that the driver's, which has row values, does not become the context of ours.
            return await in_greenlet(self._failed, connection, error)
        except BaseException:
            await stop(driver)
            await in_greenlet(connection.invalidate)
            raise
        self._finished(connection)
        return rows


def _has_idle(pool: Pool) -> bool:
    """Tell whether a connection can be had without waiting for it, and without work of the host's on it.

    Another pool than ours cannot end a connection that is too old here, and would leave it open.
    """
    own: Any = pool  # names of SQLAlchemy's own
    events = own.dispatch
    is_observed = events.checkout or events.checkin or events.reset or own._pre_ping  # noqa: SLF001 - the same
    return isinstance(pool, AsyncPatientPool) and not is_observed and pool.checkedin() > 0


async def _waited(driver: "psycopg.AsyncConnection[Any]", steps: Steps, end: float) -> Any:  # noqa: ANN401 - of the steps
    """Go through steps of psycopg's, each with a future of its own.

    Raises:
        CallTimeoutError: the time is up.
    """
    loop, socket = asyncio.get_running_loop(), driver.pgconn.socket
    try:
        wanted: int = next(steps)
        while True:
            if not (state := await _ready(loop, socket, wanted, end)):
                break
            wanted = steps.send(state)
    except StopIteration as done:
        return done.value
    raise CallTimeoutError


async def _ready(loop: asyncio.AbstractEventLoop, socket: int, wanted: int, end: float) -> int:
    future: asyncio.Future[int] = loop.create_future()
    timer = loop.call_later(min(end - monotonic(), LONGEST), _wake, future, TIMED_OUT)
    if wanted & READ:
        loop.add_reader(socket, _wake, future, READ)
    if wanted & WRITE:
        loop.add_writer(socket, _wake, future, WRITE)
    try:
        return await future
    finally:
        timer.cancel()
        if wanted & READ:
            loop.remove_reader(socket)
        if wanted & WRITE:
            loop.remove_writer(socket)


def _wake(future: "asyncio.Future[int]", state: int) -> None:
    if not future.done():
        future.set_result(state)
