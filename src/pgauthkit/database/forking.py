"""A forked process gets connections of its own: on its parent's, it would read answers to other people's questions."""

import os
import socket
from contextlib import suppress
from functools import cache
from typing import Any, Final, cast
from weakref import WeakSet

import psycopg
from sqlalchemy import Engine, event, orm
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import UnboundExecutionError
from sqlalchemy.pool import ConnectionPoolEntry

__all__ = ["sever", "watch", "watch_session"]

Driver = psycopg.BaseConnection[Any]

_ENGINES: Final[WeakSet[Engine]] = WeakSet()
_CONNECTIONS: Final[WeakSet[Driver]] = WeakSet()


def watch(engine: Engine) -> None:
    """Let processes that are forked from now on begin with an empty pool, and without their parent's connections.

    Those stay open and good for the parent: the child says nothing on them, not even that they are closed. A session
    or a connection that the child was left with, as by a fork in the middle of a transaction, is closed in the child
    (https://docs.sqlalchemy.org/en/21/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork).

    Example:
        >>> watch(engine)  # doctest: +SKIP
    """
    _register()
    if engine not in _ENGINES:
        _ENGINES.add(engine)
        event.listen(engine, "connect", _note)


def watch_session(db: orm.Session, model: type[object]) -> None:
    """Do the same for the engine that a session uses for a model, where it has one by now.

    Example:
        >>> watch_session(db, Post)  # doctest: +SKIP
    """
    try:
        bind = db.get_bind(model)
    except UnboundExecutionError:
        return
    watch(bind.engine)


def sever(driver: Driver) -> None:
    """Close a connection of the parent's in this process, without a word on the socket that both have."""
    with suppress(psycopg.OperationalError):  # it was closed before
        ours, theirs = socket.socketpair()
        with ours, theirs:
            os.dup2(ours.fileno(), driver.pgconn.socket, inheritable=False)
        driver.pgconn.finish()  # what it sends goes nowhere


def _note(_connection: DBAPIConnection, record: ConnectionPoolEntry) -> None:
    _CONNECTIONS.add(cast("Driver", record.driver_connection))


@cache
def _register() -> None:
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    for driver in tuple(_CONNECTIONS):
        sever(driver)
    _CONNECTIONS.clear()
    for engine in tuple(_ENGINES):
        engine.dispose(close=False)
