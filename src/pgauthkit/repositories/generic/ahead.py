"""Work done ahead: the next batch is made ready while the server has the one before."""

import time
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import Final, TypeVar

__all__ = ["ahead"]

# Of the time that it took to make the first.
_HEAD_START: Final = 0.25

T = TypeVar("T")
U = TypeVar("U")


def ahead(items: Iterable[T], make: Callable[[T], U]) -> Generator[U]:
    """Yield what is made of each item, with the next one in the making in another thread meanwhile.

    The items themselves are taken in the caller's thread, when nothing of the caller's is under way; context variables
    are those of the caller. It takes a quarter off the time of `create_many`, which waits for the server half of it.
    The other thread starts a moment late, a quarter of the time that it works: of two threads of Python's one runs, for
    5 ms on end (`sys.getswitchinterval`), and the caller has to send something before it waits.

    Args:
        items: taken one ahead.
        make: must not touch what the caller works with.
    """

    def later(item: T) -> U:
        time.sleep(_HEAD_START * taken)
        return make(item)

    left = iter(items)
    for first in left:
        start = time.perf_counter()
        ready = make(first)
        taken = time.perf_counter() - start
        with ThreadPoolExecutor(1, "pgauthkit-ahead") as pool:  # no thread is started for a single item
            for item in left:
                following = pool.submit(copy_context().run, later, item)
                yield ready
                ready = following.result()
        yield ready
