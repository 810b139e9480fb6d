"""`Errand`: something that is done beside the calls, by one at a time, so that no call waits for it."""

from collections.abc import Callable
from threading import Lock
from typing import Final

from pgauthkit.database.deadline import one_call
from pgauthkit.errors import PgAuthKitError

__all__ = ["Errand"]

WITHIN: Final = 2.0  # seconds for one run; on a server that is frozen no longer than that
LOST: Final = 10.0  # seconds after which a run is not waited for: an event loop may have ended under it


class Errand:
    """Work that calls ask for, and do not wait for.

    There is no thread of its own that would have to be stopped, or would be missing after a fork: each run is a short
    thread, or a task of the event loop.

    Args:
        work: raises an error of ours where it fails.
        every: seconds from one beginning to the next, at the least.
        aside: starts something beside the calls.
    """

    def __init__(self, work: Callable[[], None], every: float, aside: Callable[[Callable[[], None]], None]) -> None:
        self._work = work
        self._every = every
        self._aside = aside
        self.clear()

    def clear(self) -> None:
        """Know of no run."""
        self._lock = Lock()
        self._begun = float("-inf")
        self._is_running = False
        self._is_asked_again = False

    def ask(self, now: float) -> None:
        """Start it, unless it was started lately; where it is running, it runs once more."""
        if now < self._begun + self._every:
            return
        with self._lock:
            if self._is_running and now < self._begun + LOST:
                self._is_asked_again = True
                return
            self._begun, self._is_running = now, True
        try:
            self._aside(self._run)
        except RuntimeError:  # no thread can be started: that is no reason to refuse the call
            self._is_running = False

    def _run(self) -> None:
        try:
            self._try()
            while self._is_wanted():
                self._try()
        finally:
            self._is_running = False

    def _try(self) -> None:
        try:
            with one_call(WITHIN):
                self._work()
        except PgAuthKitError:
            pass  # a call that needs the server will say so

    def _is_wanted(self) -> bool:
        with self._lock:
            self._is_running, self._is_asked_again = self._is_asked_again, False
            return self._is_running
