"""`Waits`: what the calls of one event loop wait for, each for its socket to be ready, and none for too long."""

import asyncio
import select
from collections.abc import Callable
from contextvars import Context
from time import monotonic
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary, ref

from pgauthkit.database.deadline import ENDLESS, LONGEST, READ, WRITE

__all__ = ["TIMED_OUT", "Loop", "Waits", "Wake"]

T = TypeVar("T")
Loop = asyncio.AbstractEventLoop
Woken = Callable[[int, int], None]

TIMED_OUT: Final = 0
_OF: Final[WeakKeyDictionary[Loop, "ref[Waits]"]] = WeakKeyDictionary()


class Wake(asyncio.Future[T]):
    """What one task waits for, and is resumed by at once: after another future it would be a turn of the loop later."""

    _resume: Callable[["Wake[T]"], object]
    _context: Context

    def add_done_callback(self, fn: Callable[[Any], object], /, *, context: Context | None = None) -> None:
        """Note what resumes the task, which is all that waits for it."""
        self._resume, self._context = fn, context or Context()

    def wake(self, result: T) -> None:
        """Resume the task, unless it was cancelled. To be called by the event loop alone, while no task runs."""
        if not self.done():
            self.set_result(result)
            self._context.run(self._resume, self)

    def fail(self, error: Exception) -> None:
        """Do the same, with an error."""
        if not self.done():
            self.set_exception(error)
            self._context.run(self._resume, self)

    def cancel(self, msg: Any | None = None) -> bool:  # noqa: ANN401 - asyncio's own
        """Let the task be resumed with a `CancelledError`."""
        if is_cancelled := super().cancel(msg):
            self.get_loop().call_soon(self._resume, self, context=self._context)
        return is_cancelled


class Waits:
    """The waits of one event loop.

    Sockets are watched by an epoll of ours, which the loop watches once and for all: to tell the loop of each wait, and
    that it is over, takes two calls of the system, and was a tenth of the time of `authenticate`. Where there is none
    (macOS), the loop watches them itself. One timer is for all: a call that is answered in time needs none.
    """

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self._waiting: dict[int, tuple[Wake[int], float]] = {}
        self._next_look = ENDLESS
        self._sockets = _Epoll(loop, self._wake) if hasattr(select, "epoll") else _Loop(loop, self._wake)

    @classmethod
    def of(cls, loop: Loop) -> "Waits":
        """Return those of a loop, which has them as long as it watches, and takes them with it."""
        kept = _OF.get(loop)
        waits = None if kept is None else kept()
        if waits is None:
            waits = cls(loop)
            _OF[loop] = ref(waits)
        return waits

    def ready(self, socket: int, wanted: int, end: float) -> Wake[int]:
        """Return what is woken when a socket is ready, by `READ` or `WRITE`, or, at its end, by `TIMED_OUT`."""
        wake: Wake[int] = Wake(loop=self._loop)
        self._waiting[socket] = wake, end
        self._sockets.watch(socket, wanted)
        if end < self._next_look:
            self._look_at(end)
        return wake

    def forget(self, socket: int) -> None:
        """Leave a socket that nobody waits for any more, before its connection is closed."""
        if self._waiting.pop(socket, None):
            self._sockets.leave(socket)

    def _wake(self, socket: int, state: int) -> None:
        if waiting := self._waiting.pop(socket, None):
            waiting[0].wake(state)

    def _look_at(self, moment: float) -> None:
        self._next_look = moment
        # In a context of its own: it would keep that of whoever came first for as long as it waits.
        self._loop.call_later(min(moment - monotonic(), LONGEST), self._look, context=Context())

    def _look(self) -> None:
        """Wake those whose time is up, and look again when that of the next is."""
        self._next_look, now = ENDLESS, monotonic()
        for socket, (_, end) in tuple(self._waiting.items()):
            if end <= now:
                self._sockets.leave(socket)
                self._loop.call_soon(self._wake, socket, TIMED_OUT, context=Context())
        ends = [end for _, end in self._waiting.values() if end > now]
        if ends and min(ends) < ENDLESS:
            self._look_at(min(ends))


class _Epoll:
    """Sockets in an epoll of their own. What is closed is gone from it, and each is watched until it is ready once."""

    def __init__(self, loop: Loop, woken: Woken) -> None:
        self._epoll = select.epoll()
        self._woken = woken
        self._call_soon = loop.call_soon
        Context().run(loop.add_reader, self._epoll.fileno(), self._arrived)

    def watch(self, socket: int, wanted: int) -> None:
        wanted_of_it = (select.EPOLLIN if wanted & READ else 0) | (select.EPOLLOUT if wanted & WRITE else 0)
        try:
            self._epoll.modify(socket, wanted_of_it | select.EPOLLONESHOT)
        except FileNotFoundError:
            self._epoll.register(socket, wanted_of_it | select.EPOLLONESHOT)

    def leave(self, socket: int) -> None:
        """Do nothing: it says once that it is ready, and nobody listens."""

    def _arrived(self) -> None:
        arrived = self._epoll.poll(0)
        for socket, happened in arrived[1:]:  # in steps of their own: one may raise what ends the loop
            self._call_soon(self._woken, socket, _state(happened), context=Context())
        for socket, happened in arrived[:1]:  # none where it was closed just now
            self._woken(socket, _state(happened))


class _Loop:
    """Sockets that the event loop watches itself."""

    def __init__(self, loop: Loop, woken: Woken) -> None:
        self._loop = loop
        self._woken = woken

    def watch(self, socket: int, wanted: int) -> None:
        if wanted & READ:
            self._loop.add_reader(socket, self._arrived, socket, READ)
        if wanted & WRITE:
            self._loop.add_writer(socket, self._arrived, socket, WRITE)

    def leave(self, socket: int) -> None:
        self._loop.remove_reader(socket)
        self._loop.remove_writer(socket)

    def _arrived(self, socket: int, state: int) -> None:
        self.leave(socket)
        self._woken(socket, state)


def _state(happened: int) -> int:
    return (READ if happened & ~select.EPOLLOUT else 0) | (WRITE if happened & ~select.EPOLLIN else 0)
