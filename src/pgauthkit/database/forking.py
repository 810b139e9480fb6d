"""A forked process gets connections of its own: on its parent's, it would read answers to other people's questions."""

import os
import socket
from contextlib import suppress
from functools import cache
from typing import Any, Final
from weakref import WeakSet

import psycopg
from sqlalchemy import Engine

__all__ = ["note", "remember", "sever"]

Driver = psycopg.BaseConnection[Any]

_ENGINES: Final[WeakSet[Engine]] = WeakSet()
_CONNECTIONS: Final[WeakSet[Driver]] = WeakSet()


def remember(engine: Engine) -> bool:
    """Let processes that are forked from now on begin with an empty pool; tell whether the engine is new.

    The parent's connections stay open and good, and the child sends nothing on them. A session or a connection that
    the child was left with, as by a fork in the middle of a transaction, is closed in the child.
    https://docs.sqlalchemy.org/en/21/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork
    """
    _register()
    is_new = engine not in _ENGINES
    _ENGINES.add(engine)
    return is_new


def note(driver: Driver) -> None:
    """Have a connection closed in processes that are forked while it is open."""
    _CONNECTIONS.add(driver)


def sever(driver: Driver) -> None:
    """Close a connection of the parent's in this process, without a word on the socket that both have."""
    with suppress(psycopg.OperationalError):  # it was closed before
        ours, theirs = socket.socketpair()
        with ours, theirs:
            os.dup2(ours.fileno(), driver.pgconn.socket, inheritable=False)
        driver.pgconn.finish()  # what it sends goes nowhere


@cache
def _register() -> None:
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    for driver in tuple(_CONNECTIONS):
        sever(driver)
    _CONNECTIONS.clear()
    for engine in tuple(_ENGINES):
        engine.dispose(close=False)
