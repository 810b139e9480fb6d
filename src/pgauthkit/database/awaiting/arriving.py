"""Waiting in a task of asyncio for the answer on a connection: the twin of `deadline.wait_in_thread`."""

import asyncio
from collections.abc import Generator
from typing import TYPE_CHECKING, Any, TypeAlias

from pgauthkit.database.awaiting.waits import Waits
from pgauthkit.database.deadline import CALL_ENDS, ENDLESS, CallTimeoutError, stop

if TYPE_CHECKING:
    import psycopg

__all__ = ["wait_in_task"]

Steps: TypeAlias = Generator[Any, Any, Any]


async def wait_in_task(driver: "psycopg.AsyncConnection[Any]", steps: Steps, end: float | None = None) -> Any:  # noqa: ANN401 - of the steps
    """Go through steps of psycopg's until the call in which we are must end, as its own `wait` does.

    Args:
        driver: the connection. When the time is up, or the task is cancelled, it is closed: see `deadline.bind`.
        steps: to go through.
        end: when the call must end, where that is another time.

    Returns:
        What they return.

    Raises:
        CallTimeoutError: the time is up.

    Example:
        >>> await wait_in_task(driver, execute(driver.pgconn))  # doctest: +SKIP
    """
    waits, socket = Waits.of(asyncio.get_running_loop()), driver.pgconn.socket
    if end is None:
        end = CALL_ENDS.get() or ENDLESS
    try:
        wanted: int = next(steps)
        while state := await waits.ready(socket, wanted, end):
            wanted = steps.send(state)
    except StopIteration as done:
        return done.value
    except Exception:  # of the steps, which have ended with it
        raise
    except BaseException:
        waits.forget(socket)
        await stop(driver)
        raise
    await stop(driver)
    raise CallTimeoutError
