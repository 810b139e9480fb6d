"""Which line of the host's code is waiting for a statement."""

import inspect
from collections.abc import Iterator
from types import FrameType
from typing import Final

from greenlet import getcurrent

__all__ = ["find_caller"]

# Not the host's: us, what we stand on, and what runs tasks and threads.
_BETWEEN: Final = frozenset({"asyncio", "concurrent", "contextlib", "pgauthkit", "psycopg", "sqlalchemy", "threading"})


def find_caller() -> str | None:
    """Return the file and the line of the innermost code of the host; None where it is not on the stack.

    Example:
        >>> find_caller()  # doctest: +SKIP
        '/srv/shop/shop/orders.py:41'
    """
    for frame in _stack():
        if frame.f_globals.get("__name__", "").partition(".")[0] not in _BETWEEN:
            return f"{frame.f_code.co_filename}:{frame.f_lineno}"
    return None


def _stack() -> Iterator[FrameType]:
    """Walk from here to the bottom, and on in the code that waits for our greenlet."""
    frame = inspect.currentframe()
    greenlet = getcurrent()
    while frame is not None:
        yield frame
        frame = frame.f_back
        while frame is None and greenlet.parent is not None:
            greenlet = greenlet.parent
            frame = greenlet.gr_frame
