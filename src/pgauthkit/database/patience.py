"""Pools that keep to the deadline of a call, while it waits for a connection and while one is made."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from contextvars import copy_context
from threading import Thread
from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import AsyncAdaptedQueuePool, Engine, QueuePool, event
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.pool import ConnectionPoolEntry
from sqlalchemy.util import await_only, greenlet_spawn

from pgauthkit.database.deadline import CallTimeoutError, Deadline, bind
from pgauthkit.database.encoding import check_encoding

if TYPE_CHECKING:
    import psycopg

__all__ = ["AsyncPatientPool", "PatientPool", "keep_time"]

Create = Callable[[], Any]


class _Patience:
    """Waits for a connection that is in use until `pool_timeout`, or the end of the call, whichever is first."""

    _longest: float

    @property
    def _timeout(self) -> float:
        deadline = Deadline.current()
        return self._longest if deadline is None else min(self._longest, deadline.left)

    @_timeout.setter
    def _timeout(self, seconds: float) -> None:
        self._longest = seconds


class PatientPool(_Patience, QueuePool):
    """The pool of `create_engine`."""


class AsyncPatientPool(_Patience, AsyncAdaptedQueuePool):
    """The pool of `create_async_engine`."""


def keep_time(engine: Engine) -> None:
    """Let the connections of an engine know of deadlines, from their making on.

    `connect_timeout` is for each host and each of its addresses, two seconds at the least, and is the driver's to keep:
    a call that needs a connection waits for no longer than it has time.
    """
    pool: Any = engine.pool
    if not isinstance(pool._creator, _Creator):  # noqa: SLF001 - no other name is there for it
        pool._creator = _Creator(pool._invoke_creator, is_async=engine.dialect.is_async)  # noqa: SLF001 - the same
        event.listen(engine, "connect", _begin, insert=True)  # before SQLAlchemy's own, which talks to the server


def _begin(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    driver = cast("psycopg.BaseConnection[Any]", record.driver_connection)
    bind(driver)
    if Deadline.current() is not None:  # what the host does by itself may be in any encoding
        check_encoding(driver)


class _Creator:
    def __init__(self, create: Callable[[Any], Any], *, is_async: bool) -> None:
        self._create = create
        self._run: Final = _in_task if is_async else _in_thread

    def __call__(self, connection_record: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own
        deadline = Deadline.current()
        if deadline is None or deadline.left == float("inf"):
            return self._create(connection_record)
        return self._run(lambda: self._create(connection_record), deadline.left)


def _in_thread(create: Create, seconds: float) -> Any:  # noqa: ANN401 - the driver's
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


def _in_task(create: Create, seconds: float) -> Any:  # noqa: ANN401 - the driver's
    try:
        return await_only(asyncio.wait_for(greenlet_spawn(create), seconds))
    except TimeoutError:
        pass  # ours is raised outside, so that it has no other as its context
    raise CallTimeoutError
