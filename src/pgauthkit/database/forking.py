"""A forked process gets connections of its own: on its parent's, it would read answers to other people's questions."""

import os
from functools import cache
from typing import Final
from weakref import WeakSet

from sqlalchemy import Engine, orm
from sqlalchemy.exc import UnboundExecutionError

__all__ = ["watch", "watch_session"]

_ENGINES: Final[WeakSet[Engine]] = WeakSet()


def watch(engine: Engine) -> None:
    """Let processes that are forked from now on begin with an empty pool.

    The parent's connections stay open and good: the child forgets them without a word to the server
    (https://docs.sqlalchemy.org/en/21/core/pooling.html#using-connection-pools-with-multiprocessing-or-os-fork).

    Example:
        >>> watch(engine)  # doctest: +SKIP
    """
    _register()
    _ENGINES.add(engine)


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


@cache
def _register() -> None:
    os.register_at_fork(after_in_child=_forget)


def _forget() -> None:
    for engine in tuple(_ENGINES):
        engine.dispose(close=False)
