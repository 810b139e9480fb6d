"""Pools that keep to the deadline of a call, while it waits for a connection and while one is made."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import Any

from sqlalchemy import AsyncAdaptedQueuePool, QueuePool
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from pgauthkit.database.deadline import CallTimeoutError, time_left

__all__ = ["AsyncPatientPool", "PatientPool", "in_task", "in_thread"]

Create = Callable[[], Any]


class _Patience:
    """Waits for a connection that is in use until `pool_timeout`, or the end of the call, whichever is first."""

    _longest: float
    _overflow: int
    _max_overflow: int

    @property
    def _timeout(self) -> float:
        if self._overflow < self._max_overflow:
            return self._longest  # nobody has to wait
        left = time_left()
        return self._longest if left is None else min(self._longest, left)

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        self._longest = seconds


class PatientPool(_Patience, QueuePool):
    """The pool of `create_engine`."""


class AsyncPatientPool(_Patience, AsyncAdaptedQueuePool):
    """The pool of `create_async_engine`.

    A connection that is too old is replaced as it is asked for, which need not be in a greenlet. To make the next one
    waits for the network, and is refused there; to end the old one does not, and without it nobody would.
    """

    def _close_connection(self, connection: Any, *, terminate: bool = False) -> None:  # noqa: ANN401 - the driver's
        if in_greenlet():
            super()._close_connection(connection, terminate=terminate)
        else:
            connection.driver_connection.pgconn.finish()


def in_thread(create: Create, seconds: float) -> Any:  # noqa: ANN401 - the driver's
    """Make a connection, and wait for it for so long; one that comes later is closed.

    Raises:
        CallTimeoutError: it takes longer.
    """
    made: Future[Any] = Future()

    def run() -> None:
        try:
            made.set_result(create())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            made.set_exception(error)

    Thread(target=copy_context().run, args=[run], name="pgauthkit-connect", daemon=True).start()
    try:
        return made.result(seconds)
    except BaseException as error:
        made.add_done_callback(_close)  # an interrupt from the keyboard leaves it in the making as well
        if not isinstance(error, TimeoutError):
            raise
    raise CallTimeoutError


def _close(made: "Future[Any]") -> None:
    if made.exception() is None:
        made.result().close()


def in_task(create: Create, seconds: float) -> Any:  # noqa: ANN401 - the driver's
    """Do the same in a greenlet, for an event loop."""
    try:
        return await_only(asyncio.wait_for(greenlet_spawn(create), seconds))
    except TimeoutError:
        pass  # ours is raised outside, so that it has no other as its context
    raise CallTimeoutError
