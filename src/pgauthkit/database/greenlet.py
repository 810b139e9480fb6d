"""The way from async code into synchronous code that waits through an async driver: one greenlet a call."""

from collections.abc import Callable
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy.util import greenlet_spawn

__all__ = ["in_greenlet"]

P = ParamSpec("P")
T = TypeVar("T")


async def in_greenlet(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous code that waits through SQLAlchemy's async drivers.

    Example:
        >>> await in_greenlet(repository.count)  # doctest: +SKIP
        3
    """
    return await greenlet_spawn(partial(call, *args, **kwargs))
