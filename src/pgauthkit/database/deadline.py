"""`Deadline`: how long a call may take at the client, whatever the server and the network do."""

import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import suppress
from contextvars import ContextVar
from typing import Any, Final, Self, TypeAlias, cast
from weakref import ref

import psycopg
from psycopg import capabilities
from sqlalchemy import Engine

__all__ = ["CallTimeoutError", "Deadline", "bind", "call_timeout_of", "limit_calls"]

Steps: TypeAlias = Generator[Any, Any, Any]
Wait: TypeAlias = Callable[..., Any]

DEFAULT: Final = 30.0  # seconds, as long as SQLAlchemy waits for a connection of its pool
CANCEL_WITHIN: Final = 0.5  # seconds on top, for asking the server to stop
_OPTION: Final = "pgauthkit_call_timeout"


class CallTimeoutError(psycopg.OperationalError):
    """The call has taken as long as it may."""


class Deadline:
    """The end of a call; as a context, of all that is sent meanwhile on connections that know of it (see `bind`).

    Args:
        seconds: from now on; 0 for no end.

    Example:
        >>> with Deadline(2.5) as deadline:
        ...     round(deadline.left, 1)
        2.5
    """

    __slots__ = ("_end",)

    def __init__(self, seconds: float) -> None:
        self._end = time.monotonic() + seconds if seconds else float("inf")

    def __enter__(self) -> Self:
        _CURRENT.set(self)
        return self

    def __exit__(self, *_error: object) -> None:
        _CURRENT.set(None)  # no call is made inside of another

    @staticmethod
    def current() -> "Deadline | None":
        """Return that of the call in which we are; None outside of one."""
        return _CURRENT.get()

    @property
    def is_endless(self) -> bool:
        """Whether there is none."""
        return self._end == float("inf")

    @property
    def left(self) -> float:
        """Seconds until then; 0.0 when it has passed."""
        return max(0.0, self._end - time.monotonic())

    def watch(self, steps: Steps) -> Steps:
        """Go through the steps of psycopg's, which is woken ten times a second, and break off when it has passed.

        Raises:
            CallTimeoutError: it has.
        """
        try:
            ready = None
            while time.monotonic() < self._end:
                ready = yield steps.send(ready)
        except StopIteration as end:
            return end.value
        raise CallTimeoutError


_CURRENT: Final[ContextVar[Deadline | None]] = ContextVar("pgauthkit_deadline", default=None)


def limit_calls(engine: Engine, seconds: float) -> None:
    """Say how long a call on an engine may take; 0 for as long as it takes."""
    engine.update_execution_options(**{_OPTION: seconds})


def call_timeout_of(engine: Engine) -> float:
    """Return the seconds that a call on an engine may take; 30.0 where nothing was said.

    Example:
        >>> call_timeout_of(create_engine("postgresql://localhost/app?call_timeout=5"))  # doctest: +SKIP
        5.0
    """
    return float(engine.get_execution_options().get(_OPTION, DEFAULT))


def bind(driver: "psycopg.BaseConnection[Any]") -> None:
    """Let all that is sent on a connection end by the deadline of the call in which it is sent.

    That is more than our statement: a pool's ping, and what listeners of the host do. When the time is over, the server
    is asked to stop, and the connection is closed, so that nobody takes the late answer for that to another question.
    """
    if "wait" not in vars(driver):
        keep = _keep_async if isinstance(driver, psycopg.AsyncConnection) else _keep
        wait: Wait = cast("Any", driver).wait.__func__
        # By a weak reference: a connection that is forgotten is gone at once, with a warning, and not some time later.
        vars(driver)["wait"] = keep(ref(driver), wait)


def _keep(found: Callable[[], Any], wait: Wait) -> Wait:
    def wait_in_time(steps: Steps, *options: Any, **named: Any) -> Any:  # noqa: ANN401 - psycopg's own
        driver, deadline = found(), _CURRENT.get()
        if deadline is None:
            return wait(driver, steps, *options, **named)
        try:
            return wait(driver, deadline.watch(steps), *options, **named)
        except CallTimeoutError:
            with suppress(psycopg.Error):
                capabilities.has_cancel_safe(check=True)
                driver.cancel_safe(timeout=CANCEL_WITHIN)
            driver.pgconn.finish()
            raise

    return wait_in_time


def _keep_async(found: Callable[[], Any], wait: Wait) -> Wait:
    async def wait_until(deadline: Deadline, steps: Steps, options: Any, named: Any) -> Any:  # noqa: ANN401 - the same
        driver = found()
        try:
            return await wait(driver, deadline.watch(steps), *options, **named)
        except CallTimeoutError:
            with suppress(psycopg.Error):
                capabilities.has_cancel_safe(check=True)
                await driver.cancel_safe(timeout=CANCEL_WITHIN)
            driver.pgconn.finish()
            raise

    def wait_in_time(steps: Steps, *options: Any, **named: Any) -> Awaitable[Any]:  # noqa: ANN401 - the same
        deadline = _CURRENT.get()
        if deadline is None:
            unbounded: Awaitable[Any] = wait(found(), steps, *options, **named)
            return unbounded
        return wait_until(deadline, steps, options, named)

    return wait_in_time
