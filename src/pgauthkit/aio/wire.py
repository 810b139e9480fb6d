"""`AsyncWire`: how synchronous code inside a greenlet waits for an async driver."""

import asyncio
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import Context
from functools import lru_cache
from typing import Final, TypeVar

from sqlalchemy.pool import PoolProxiedConnection

from pgauthkit.database.greenlet import Awaiting, in_greenlet
from pgauthkit.database.line import Line
from pgauthkit.database.runner import Parameters, Row

__all__ = ["AsyncWire"]

T = TypeVar("T")

# Each holds argon2's memory while it hashes: 19 MiB by default.
MOST_THREADS: Final = 4
_TASKS: Final[set[asyncio.Task[None]]] = set()


@lru_cache(maxsize=1)
def _threads(_process: int) -> ThreadPoolExecutor:
    """All services share them, so that their memory is bounded for the process; a fork has none, and needs its own."""
    return ThreadPoolExecutor(min(MOST_THREADS, os.cpu_count() or 1), thread_name_prefix="pgauthkit-argon2")


class AsyncWire(Awaiting):
    """psycopg's `AsyncConnection`."""

    def ask(self, connection: PoolProxiedConnection, sql: str, parameters: Parameters) -> list[Row]:
        """Run a statement in autocommit; the connection is given back as it was."""
        line = Line.of(connection)
        rows: list[Row] = self.wait(line.awaited(line.ask(sql, parameters)))
        return rows

    def compute(self, slow: Callable[[], T]) -> T:
        """Do it in a thread; as many at once in the process as there are cores, up to four."""
        return self.wait(asyncio.get_running_loop().run_in_executor(_threads(os.getpid()), slow))

    def aside(self, work: Callable[[], None]) -> None:
        """Do it in a task of the event loop."""
        task = asyncio.get_running_loop().create_task(in_greenlet(work), context=Context())
        _TASKS.add(task)  # a loop has weak references to its tasks only
        task.add_done_callback(_TASKS.discard)
