"""Receiving the results of a statement in a thread: the twin of what `arriving` does in a task."""

import select
from typing import TYPE_CHECKING, Any, cast

import psycopg
from psycopg.pq import ExecStatus

from pgauthkit.database.deadline import CALL_ENDS, wait_to_read

if TYPE_CHECKING:
    from psycopg.pq.abc import PGresult

__all__ = ["receive"]


def receive(driver: "psycopg.Connection[Any]", poll: select.poll) -> "list[PGresult]":
    """Wait until the call in which we are must end for the results of what was sent whole, and return them.

    psycopg's `execute` gives Python's lock away eight times for that, with the wait. Each is a chance for another
    thread to take it, on another core, and to be waited for; with eight threads that can be two thirds of the processor
    time. Here it is three times.

    Args:
        driver: the connection. When the time is up, or the thread is interrupted, it is closed: see `deadline.bind`.
        poll: of its socket, for what there is to be read.

    Raises:
        CallTimeoutError: the time is up.
        psycopg.OperationalError: the connection is lost.

    Example:
        >>> receive(driver, poll)  # doctest: +SKIP
    """
    pgconn, end = driver.pgconn, CALL_ENDS.get()
    results: list[PGresult] = []
    while True:
        wait_to_read(driver, poll, end)
        try:
            pgconn.consume_input()
        except psycopg.OperationalError:
            if any(result.status == ExecStatus.FATAL_ERROR for result in results):
                return results  # the server's last word says more than that it is gone
            raise
        # Asked before each of them: `get_result` waits for one that is not there, and lets no other thread run.
        while not pgconn.is_busy():
            result = pgconn.get_result()
            if result is None:
                _hear(driver)
                return results
            results.append(result)


def _hear(driver: "psycopg.Connection[Any]") -> None:
    """Hand notifications to the host's functions, as psycopg does with each result.

    Where there are none, libpq keeps them for the host's next statement: to look for them gives the lock away as well.
    """
    if not cast("Any", driver)._notify_handlers:  # noqa: SLF001 - psycopg has no public name for them
        return
    while (notification := driver.pgconn.notifies()) and driver.pgconn.notify_handler:
        driver.pgconn.notify_handler(notification)
