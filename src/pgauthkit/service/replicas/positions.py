"""`Positions`: what the primary had written when, and what each replica is known to have replayed of it."""

from collections import deque
from collections.abc import Mapping
from datetime import datetime
from threading import Lock
from typing import NamedTuple

__all__ = ["Positions", "Replayed", "Written"]


class Written(NamedTuple):
    """A position of the primary: all that was committed when it was asked for is before it."""

    begun: float  # by the clock of the process, before the primary was asked
    at: datetime  # by the primary's clock, when it answered
    position: int
    flushed: int
    timeline: int


class Replayed(NamedTuple):
    """A position of a replica: whatever it is asked from now on, it has seen all before."""

    known: float  # by the clock of the process, when it had answered
    position: int
    timeline: int


class Positions:
    """What is known of a primary and its replicas.

    A replica's position is asked for before the read, and never in it: a statement sees what was replayed when its
    snapshot was taken, and a function in it runs later.

    Args:
        bound: seconds after which a position of the primary is of no use.
    """

    def __init__(self, bound: float) -> None:
        self._bound = bound
        self.clear()

    def clear(self) -> None:
        """Forget all."""
        self._lock = Lock()
        self._written: deque[Written] = deque()
        self._replayed: dict[datetime, Replayed] = {}
        self._seen: Mapping[datetime, Written] = {}

    @property
    def latest(self) -> Written | None:
        """The newest position of the primary."""
        return self._written[-1] if self._written else None

    def note_written(self, written: Written) -> None:
        """Take down a position of the primary."""
        with self._lock:
            self._written.append(written)
            while self._written[0].begun < written.begun - self._bound:
                self._written.popleft()
            self._compare()

    def note_replayed(self, server: datetime, replayed: Replayed) -> None:
        """Take down a position of a replica, by when the server was started; those not heard of lately are dropped."""
        with self._lock:
            since = replayed.known - self._bound
            others = {one: other for one, other in self._replayed.items() if other.known >= since}
            self._replayed = {**others, server: replayed}
            self._compare()

    def forget_replicas(self) -> None:
        """Ask no replica until one is heard of again."""
        with self._lock:
            self._replayed = {}
            self._compare()

    def seen(self, begun: float) -> Mapping[datetime, Written]:
        """Return for each replica what it has seen of the primary, where that is enough for a call that began then."""
        least = begun - self._bound
        return {server: written for server, written in self._seen.items() if written.begun >= least}

    def _compare(self) -> None:
        self._seen = {
            server: newest for server, replayed in self._replayed.items() if (newest := self._newest(replayed))
        }

    def _newest(self, replayed: Replayed) -> Written | None:
        """Return the newest position that a replica has replayed.

        On the primary's own timeline: after a promotion, a replica that cannot follow may be further on another.
        """
        return next(
            (
                written
                for written in reversed(self._written)
                if written.position <= replayed.position and written.timeline == replayed.timeline
            ),
            None,
        )
