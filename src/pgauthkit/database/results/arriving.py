"""Waiting in a task of asyncio for the answer on a connection: the twin of `deadline.wait_in_thread`."""

from asyncio import AbstractEventLoop, Future, InvalidStateError, TimerHandle, get_running_loop
from collections.abc import Generator
from contextlib import suppress
from time import monotonic
from typing import TYPE_CHECKING, Any, TypeAlias

from pgauthkit.database.deadline import CALL_ENDS, LONGEST, READ, WRITE, CallTimeoutError, stop

if TYPE_CHECKING:
    import psycopg

__all__ = ["wait_in_task"]

Steps: TypeAlias = Generator[Any, Any, Any]


async def wait_in_task(driver: "psycopg.AsyncConnection[Any]", steps: Steps) -> Any:  # noqa: ANN401 - of the steps
    """Go through steps of psycopg's until the call in which we are must end, as its own `wait` does.

    The task is woken once, at the end, and not for each part of an answer: many rows come in many parts.

    Args:
        driver: the connection. When the time is up, or the task is cancelled, it is closed: see `deadline.bind`.
        steps: to go through.

    Returns:
        What they return.

    Raises:
        CallTimeoutError: the time is up.

    Example:
        >>> await wait_in_task(driver, execute(driver.pgconn))  # doctest: +SKIP
    """
    try:
        wanted: int = next(steps)
    except StopIteration as done:
        return done.value
    going = _Going(get_running_loop(), driver.pgconn.socket, steps)
    going.begin(wanted)
    try:
        await going.finished
    finally:
        if not going.has_ended:
            going.forget()
            await stop(driver)
    return going.outcome()


class _Going:
    """Steps on their way, taken by the event loop itself as the socket becomes ready.

    Attributes:
        finished: done when there is an outcome, or the time is up.
        has_ended: whether the steps have.
    """

    def __init__(self, loop: AbstractEventLoop, socket: int, steps: Steps) -> None:
        self.finished: Future[None] = loop.create_future()
        self.has_ended: bool = False
        self._loop = loop
        self._socket = socket
        self._steps = steps
        self._wanted = 0
        self._timer: TimerHandle | None = None
        self._value: Any = None
        self._error: Exception | None = CallTimeoutError()

    def begin(self, wanted: int) -> None:
        """Wait for what is wanted, until the call must end."""
        self._watch(wanted)
        end = CALL_ENDS.get()
        if end is not None:
            self._timer = self._loop.call_later(min(end - monotonic(), LONGEST), self._finish)

    def forget(self) -> None:
        """Wait for nothing any more."""
        self._watch(0)
        if self._timer is not None:
            self._timer.cancel()

    def outcome(self) -> Any:  # noqa: ANN401 - of the steps
        """Return what the steps returned, or raise what they raised."""
        if self._error is not None:
            raise self._error
        return self._value

    def _go(self, ready: int) -> None:
        try:
            wanted = self._steps.send(ready)
        except StopIteration as done:
            self._end(None, done.value)
        except Exception as error:  # noqa: BLE001 - raised where it is waited for
            self._end(error)
        else:
            if wanted != self._wanted:
                self._watch(wanted)

    def _end(self, error: Exception | None, value: Any = None) -> None:  # noqa: ANN401 - the same
        self.has_ended, self._error, self._value = True, error, value
        self._finish()

    def _finish(self) -> None:
        self.forget()
        with suppress(InvalidStateError):  # the task was cancelled in this turn of the loop
            self.finished.set_result(None)

    def _watch(self, wanted: int) -> None:
        loop, socket, changed = self._loop, self._socket, wanted ^ self._wanted
        self._wanted = wanted
        if changed & READ:
            _ = loop.add_reader(socket, self._go, READ) if wanted & READ else loop.remove_reader(socket)
        if changed & WRITE:
            _ = loop.add_writer(socket, self._go, WRITE) if wanted & WRITE else loop.remove_writer(socket)
