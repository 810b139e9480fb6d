"""`Uses`: which sessions are in use, gathered for the primary, by which that is written."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import Final, TypeAlias

from pgauthkit.service.memory.marks import elapsed

__all__ = ["Use", "Uses"]

Use: TypeAlias = tuple[str, bytes]
"""The id of a session, and the hash of the token that it was asked by."""

MOST: Final = 100_000  # that wait for the primary; what comes beyond is written by a later call
IN_ONE: Final = 500  # in one statement
NEVER: Final = float("-inf")


class Uses:
    """Sessions that are due by the answers of a replica.

    They are due there until it has replayed that they were written. Until then they are not written again.

    Args:
        write: sends uses to the primary.
        bound: seconds after which every answer has what was written before.
    """

    def __init__(self, write: Callable[[Sequence[Use]], object], bound: float) -> None:
        self._write = write
        self._bound = bound
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._lock = Lock()
        self._waiting: dict[Use, None] = {}
        self._written: dict[Use, float] = {}

    def is_due(self, use: Use, as_of: float) -> bool:
        """Tell whether it is still to be written by what an answer says that is as of then."""
        return use not in self._waiting and self._written.get(use, NEVER) < as_of

    def add(self, use: Use) -> None:
        """Have a use written by the next `send`."""
        with self._lock:
            if len(self._waiting) < MOST:
                self._waiting[use] = None

    def send(self) -> None:
        """Write what waits. Where the primary is away it is given up: the next call finds it due again."""
        with self._lock:
            waiting, self._waiting = list(self._waiting), {}
        for first in range(0, len(waiting), IN_ONE):
            self.write(waiting[first : first + IN_ONE])

    def write(self, uses: Sequence[Use]) -> None:
        """Write these at once."""
        self._write(uses)
        now = elapsed()
        with self._lock:
            self._written.update(dict.fromkeys(uses, now))
            for use in [use for use, when in self._written.items() if when < now - self._bound]:
                del self._written[use]
