"""`Quick`: a statement on a connection that is at hand, awaited without a greenlet."""

from logging import INFO
from time import monotonic
from typing import cast

import psycopg
from sqlalchemy import Pool
from sqlalchemy.exc import MissingGreenlet, SQLAlchemyError
from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.awaiting.arriving import wait_in_task
from pgauthkit.database.deadline import CALL_ENDS
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
        outer = CALL_ENDS.get()
        end = monotonic() + self._limit if outer is None else outer
        try:
            rows: list[Row] = await wait_in_task(line.driver, line.ask(sql, parameters), end)
        except (psycopg.Error, SQLAlchemyError) as error:
            failure = await in_greenlet(self._failed, connection, error)
        except BaseException:
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
        if self._log or self._engine.logger.isEnabledFor(INFO) or not _has_idle(self._engine.pool):
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
