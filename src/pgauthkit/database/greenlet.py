"""The way from async code into synchronous code that waits through an async driver: one greenlet a call."""

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial
from typing import ParamSpec, TypeVar

from sqlalchemy.util import await_only, greenlet_spawn

__all__ = ["Awaiting", "in_greenlet"]

P = ParamSpec("P")
T = TypeVar("T")


class Awaiting:
    """How synchronous code inside a greenlet waits for the event loop."""

    is_async = True

    def pause(self, seconds: float) -> None:
        """Let the event loop go on."""
        self.wait(asyncio.sleep(seconds))

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait for something awaitable, and return its result."""
        return await_only(awaitable)


async def in_greenlet(call: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
    """Run synchronous code that waits through SQLAlchemy's async drivers.

    Example:
        >>> await in_greenlet(repository.count)  # doctest: +SKIP
        3
    """
    return await greenlet_spawn(partial(call, *args, **kwargs))
