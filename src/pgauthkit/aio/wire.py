"""`AsyncWire`: how synchronous code inside a greenlet waits for an async driver."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any, Final, TypeVar

from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only

from pgauthkit.database.line import Line
from pgauthkit.database.runner import Parameters, Row

__all__ = ["AsyncWire"]

T = TypeVar("T")

# Each holds argon2's memory while it hashes: 19 MiB by default.
MOST_THREADS: Final = 4


@lru_cache(maxsize=1)
def _threads(_process: int) -> ThreadPoolExecutor:
    """All services share them, so that their memory is bounded for the process; a fork has none, and needs its own."""
    return ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="pgauthkit-argon2")


class AsyncWire:
    """psycopg's `AsyncConnection`."""

    is_async = True

    def ask(self, connection: PoolProxiedConnection, sql: str, parameters: Parameters) -> list[Row]:
        """Run a statement in autocommit; the connection is given back as it was."""
        driver: Any = connection.driver_connection
        rows: list[Row] = _wait(driver.wait(Line.of(connection).ask(sql, parameters)))
        return rows

    def pause(self, seconds: float) -> None:
        """Let the event loop go on."""
        _wait(asyncio.sleep(seconds))

    def compute(self, slow: Callable[[], T]) -> T:
        """Do it in a thread; as many at once in the process as there are cores, up to four."""
        return _wait(asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), slow))


def _wait(awaitable: Awaitable[T]) -> T:
    return await_only(awaitable)
