"""`Quick`: a statement on a connection that is at hand, awaited without a greenlet."""

import asyncio
from time import monotonic
from typing import Any, cast

import psycopg
from sqlalchemy import Pool
from sqlalchemy.exc import MissingGreenlet, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.aio.waits import Waits
from pgauthkit.database.deadline import CALL_ENDS, CallTimeoutError, Steps, stop
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.database.line import Line
from pgauthkit.database.pool.loan import Loan, is_plain
from pgauthkit.database.pool.patience import AsyncPatientPool
from pgauthkit.database.runner import Autocommit, Parameters, Row
from pgauthkit.errors import RetryableError

__all__ = ["Quick"]


class Quick(Autocommit):
    """Asks on an idle connection of the pool; where there is none, or something else is to be done, as ever.

    A greenlet, and psycopg's way to wait, which on Python 3.11 is a task for each wait, are a quarter of the processor
    time of `authenticate`. What is asked must do no harm when it is asked a second time.
    """

    async def answered(self, sql: str, parameters: Parameters) -> list[Row]:
        """Run one statement, as a whole call."""
        connection = self._at_hand()
        line = connection and Line.of(connection)
        if connection is None or line is None or line.is_hung_up() or not line.is_idle:
            return await in_greenlet(self._fetched_anew, connection, sql, parameters)
        driver = line.driver
        outer = CALL_ENDS.get()
        end = monotonic() + self._limit if outer is None else outer
        try:
            rows: list[Row] = await _waited(driver, line.ask(sql, parameters), end)
        except (psycopg.Error, SQLAlchemyError) as error:
            if isinstance(error, CallTimeoutError):
                await stop(driver)
            failure = await in_greenlet(self._failed, connection, error)
        except BaseException:
            await stop(driver)
            await in_greenlet(connection.invalidate)
            raise
        else:
            connection.close()
            return rows
        # Raised here, so that the driver's, which has row values, does not become the context of ours.
        if not isinstance(failure, RetryableError):
            raise failure
        return await in_greenlet(self.fetch, sql, parameters)

    def _at_hand(self) -> PoolProxiedConnection | None:
        if self._log or not _has_idle(self._engine.pool):
            return None
        try:
            return cast("PoolProxiedConnection", Loan(self._engine.pool))
        except MissingGreenlet:  # it is to be made again
            return None

    def _fetched_anew(self, unfit: PoolProxiedConnection | None, sql: str, parameters: Parameters) -> list[Row]:
        if unfit is not None:
            unfit.invalidate()
        return self.fetch(sql, parameters)


def _has_idle(pool: Pool) -> bool:
    """Tell whether a connection can be had without waiting for it, and without work of the host's on it.

    Another pool than ours cannot end a connection that is too old here, and would leave it open.
    """
    return isinstance(pool, AsyncPatientPool) and pool.checkedin() > 0 and is_plain(pool)


async def _waited(driver: "psycopg.AsyncConnection[Any]", steps: Steps, end: float) -> Any:  # noqa: ANN401 - of the steps
    """Go through steps of psycopg's, each with a wait of ours.

    Raises:
        CallTimeoutError: the time is up.
    """
    waits, socket = Waits.of(asyncio.get_running_loop()), driver.pgconn.socket
    try:
        wanted: int = next(steps)
        while state := await waits.ready(socket, wanted, end):
            wanted = steps.send(state)
    except StopIteration as done:
        return done.value
    except BaseException:
        waits.forget(socket)
        raise
    raise CallTimeoutError
