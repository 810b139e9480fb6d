"""The deadline of a call: how long it may take at the client, whatever the server and the network do."""

import select
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from time import monotonic
from typing import Any, Final, TypeAlias, cast
from weakref import ref

import psycopg
from psycopg import capabilities
from sqlalchemy import Engine

__all__ = [
    "CALL_ENDS",
    "ENDLESS",
    "CallTimeoutError",
    "bind",
    "call_timeout_of",
    "limit_calls",
    "one_call",
    "stop",
    "time_left",
    "wait_in_thread",
    "wait_to_read",
    "watch",
]

Steps: TypeAlias = Generator[Any, Any, Any]
Wait: TypeAlias = Callable[..., Any]

ENDLESS: Final = float("inf")
DEFAULT: Final = 30.0  # seconds, as long as SQLAlchemy waits for a connection of its pool
CANCEL_WITHIN: Final = 0.5  # seconds on top, for asking the server to stop
LONGEST: Final = 86_400.0  # seconds; a clock of the system's has no use for infinity
READ: Final = 1  # as psycopg's `Wait` and `Ready` have them
WRITE: Final = 2
LOOK: Final = 100  # milliseconds
CALL_ENDS: Final[ContextVar[float | None]] = ContextVar("pgauthkit_call_ends", default=None)
"""When the call in which we are must end, by `time.monotonic`; None outside of one."""
_OPTION: Final = "pgauthkit_call_timeout"


class CallTimeoutError(psycopg.OperationalError):
    """The call has taken as long as it may."""


def time_left() -> float | None:
    """Return how many seconds the call has, 0.0 once its time is up; None outside of a call."""
    end = CALL_ENDS.get()
    return None if end is None else max(0.0, end - monotonic())


@contextmanager
def one_call(seconds: float) -> Generator[None]:
    """Let several statements be one call, which takes so many seconds at the most; 0 for as long as it takes.

    Example:
        >>> with one_call(30.0):
        ...     29 < time_left() <= 30
        True
    """
    outer = CALL_ENDS.get()
    CALL_ENDS.set(monotonic() + (seconds or ENDLESS))
    try:
        yield
    finally:
        CALL_ENDS.set(outer)


def limit_calls(engine: Engine, seconds: float) -> None:
    """Say how long a call on an engine may take; 0 for as long as it takes."""
    engine.update_execution_options(**{_OPTION: seconds})


def call_timeout_of(engine: Engine) -> float:
    """Return the seconds that a call on an engine may take: 30.0 where nothing was said, 0.0 for no end.

    Example:
        >>> call_timeout_of(create_engine("postgresql://localhost/app?call_timeout=5"))  # doctest: +SKIP
        5.0
    """
    return float(engine.get_execution_options().get(_OPTION, DEFAULT))


def watch(steps: Steps, end: float) -> Steps:
    """Go through the steps of psycopg's, which is woken ten times a second, and stop when the time is up.

    Raises:
        CallTimeoutError: it is.
    """
    ready, send = None, steps.send
    try:
        while monotonic() < end:
            ready = yield send(ready)
    except StopIteration as done:
        return done.value
    raise CallTimeoutError


def bind(driver: "psycopg.BaseConnection[Any]") -> None:
    """Let all that is sent on a connection end by the deadline of the call in which it is sent.

    That is more than our statement: a pool's ping, and what listeners of the host do. When the time is up, the server
    is asked to stop, and the connection is closed, so that nobody takes the late answer for that to another question.
    """
    if "wait" not in vars(driver):
        keep = _keep_async if isinstance(driver, psycopg.AsyncConnection) else _keep
        wait: Wait = cast("Any", driver).wait.__func__
        # By a weak reference: a connection that is forgotten is gone at once, with a warning, and not some time later.
        vars(driver)["wait"] = keep(ref(driver), wait)


def wait_in_thread(driver: "psycopg.Connection[Any]", poll: select.poll, steps: Steps) -> Any:  # noqa: ANN401 - of the steps
    """Go through steps of psycopg's until the call in which we are must end, as its own `wait` does, in half the time.

    Args:
        driver: the connection. When the time is up, or the thread is interrupted, it is closed: see `bind`.
        poll: of its socket, for what there is to be read.
        steps: to go through.

    Returns:
        What they return.

    Raises:
        CallTimeoutError: the time is up.

    Example:
        >>> wait_in_thread(driver, poll, execute(driver.pgconn))  # doctest: +SKIP
    """
    end = CALL_ENDS.get()
    try:
        wanted: int = next(steps)
        while True:
            wanted = steps.send(_ready(driver, poll, wanted, end))
    except StopIteration as done:
        return done.value


async def stop(driver: "psycopg.AsyncConnection[Any]") -> None:
    """Ask the server to stop, and close the connection, on which a late answer would be taken for another's.

    Example:
        >>> await stop(connection)  # doctest: +SKIP
    """
    with suppress(psycopg.Error):
        capabilities.has_cancel_safe(check=True)
        await driver.cancel_safe(timeout=CANCEL_WITHIN)
    driver.pgconn.finish()


def _keep(found: Callable[[], Any], wait: Wait) -> Wait:
    def wait_in_time(steps: Steps, *options: Any, **named: Any) -> Any:  # noqa: ANN401 - psycopg's own
        driver, end = found(), CALL_ENDS.get()
        if end is None:
            return wait(driver, steps, *options, **named)
        try:
            return wait(driver, watch(steps, end))
        except CallTimeoutError:
            _stop(driver)
            raise

    return wait_in_time


def _stop(driver: "psycopg.Connection[Any]") -> None:
    with suppress(psycopg.Error):
        capabilities.has_cancel_safe(check=True)
        driver.cancel_safe(timeout=CANCEL_WITHIN)
    driver.pgconn.finish()


def wait_to_read(driver: "psycopg.Connection[Any]", poll: select.poll, end: float | None) -> int:
    """Wait until there is something on a socket, and return what has happened to it.

    Args:
        driver: the connection. When the time is up, or the thread is interrupted, it is closed: see `bind`.
        poll: of its socket.
        end: of the call, by `time.monotonic`; None where it has none.

    Raises:
        CallTimeoutError: the time is up.

    Example:
        >>> wait_to_read(driver, poll, monotonic() + 30)  # doctest: +SKIP
        1
    """
    try:
        # An interrupt that is sent to another thread is seen at the next look only.
        while not (found := poll.poll(LOOK)):
            if end is not None and end <= monotonic():
                raise CallTimeoutError  # noqa: TRY301 - as any other end
    except BaseException:
        _stop(driver)
        raise
    return found[0][1]


def _ready(driver: "psycopg.Connection[Any]", poll: select.poll, wanted: int, end: float | None) -> int:
    """Wait until a socket is ready, and return for what."""
    if wanted != READ:
        poll = select.poll()
        poll.register(driver.pgconn.socket, select.POLLIN | select.POLLOUT if wanted & READ else select.POLLOUT)
    happened = wait_to_read(driver, poll, end)
    return (READ if happened & ~select.POLLOUT else 0) | (WRITE if happened & ~select.POLLIN else 0)


def _keep_async(found: Callable[[], Any], wait: Wait) -> Wait:
    async def wait_until(steps: Steps, end: float) -> Any:  # noqa: ANN401 - the same
        driver = found()
        try:
            return await wait(driver, watch(steps, end))
        except CallTimeoutError:
            await stop(driver)
            raise

    def wait_in_time(steps: Steps, *options: Any, **named: Any) -> Awaitable[Any]:  # noqa: ANN401 - the same
        end = CALL_ENDS.get()
        waiting: Awaitable[Any] = wait(found(), steps, *options, **named) if end is None else wait_until(steps, end)
        return waiting

    return wait_in_time
