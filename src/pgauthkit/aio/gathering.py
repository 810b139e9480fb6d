"""`Gathering`: what is asked in one turn of the event loop goes out as one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from contextvars import Context
from functools import partial
from typing import ClassVar, Final, Generic, TypeVar, cast

from pgauthkit.aio.waits import Loop, Wake
from pgauthkit.errors import PgAuthKitError

__all__ = ["Gathering"]

Q = TypeVar("Q")
A = TypeVar("A")

MOST: Final = 64  # questions in one statement, so that nobody waits for an endless list


class Gathering(Generic[Q, A]):
    """Gathers questions, and gives each who asked the answer to theirs.

    Nothing is kept: a question that is asked a turn later is another one. Who is alone asks in a task of their own, as
    without a gathering. For several there is a task that none of them can cancel.

    Args:
        ask: answers so many questions, in their order.
    """

    # The loop in which those of a group go on, one after the other; where threads have loops, that of the last of them.
    _answering: ClassVar[Loop | None] = None

    def __init__(self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._ask = ask
        self._gathered: dict[Loop, list[tuple[Q, Wake[A]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, question: Q) -> A:
        """Return the answer to a question."""
        loop = asyncio.get_running_loop()
        group = self._gathered.get(loop)
        if group is None:
            if self._answering is not loop and not _has_more(loop):
                return (await self._ask([question]))[0]
            group = self._gathered[loop] = []
            loop.call_soon(self._send, loop, context=Context())
        mine: Wake[A] = Wake(loop=loop)
        group.append((question, mine))
        return await mine

    def _send(self, loop: Loop) -> None:
        """Ask what was gathered in a turn."""
        group = self._gathered.pop(loop)
        for first in range(0, len(group), MOST):
            task = loop.create_task(self._answered(loop, group[first : first + MOST]))
            self._tasks.add(task)  # a loop has weak references to its tasks only

    async def _answered(self, loop: Loop, group: list[tuple[Q, Wake[A]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in group])
        except asyncio.CancelledError:  # the event loop is being closed
            for _, waiting in group:
                waiting.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            resumed = [partial(waiting.fail, _own(error)) for _, waiting in group]
        else:
            resumed = [partial(waiting.wake, answer) for (_, waiting), answer in zip(group, answers, strict=True)]
        finally:  # not by a callback, which would be something to do for the loop as the answers are given
            self._tasks.discard(cast("asyncio.Task[None]", asyncio.current_task()))
        # All in one step of the loop; not here, where a task runs.
        loop.call_soon(self._resume, loop, resumed, context=Context())

    def _resume(self, loop: Loop, resumed: Sequence[Callable[[], None]]) -> None:
        for number, resume in enumerate(resumed, 1):
            # While some are left, more may be asked in this turn than the loop's queue shows.
            Gathering._answering = loop if number < len(resumed) else None
            try:
                resume()
            except BaseException:  # what ends the loop, such as an interrupt; it may be run again
                loop.call_soon(self._resume, loop, resumed[number:], context=Context())
                raise


def _has_more(loop: Loop) -> bool:
    """Tell whether others may run in this turn yet: a turn that is waited for in vain costs a lone caller a fifth more.

    A loop that does not show its queue, such as uvloop's, may have more.
    """
    ready: Sequence[asyncio.Handle] | None = getattr(loop, "_ready", None)
    return ready is None or (bool(ready) and not all(handle.cancelled() for handle in tuple(ready)))


def _own(error: Exception) -> Exception:
    """Return an error for one of many: what raises one writes into it."""
    return copy.copy(error) if isinstance(error, PgAuthKitError) else error
