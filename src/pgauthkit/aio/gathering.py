"""`Gathering`: what is asked in one turn of the event loop goes out as one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, Generic, TypeVar

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

    def __init__(self, ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]]) -> None:
        self._ask = ask
        self._gathered: dict[asyncio.AbstractEventLoop, list[tuple[Q, asyncio.Future[A]]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, question: Q) -> A:
        """Return the answer to a question."""
        loop = asyncio.get_running_loop()
        group = self._gathered.get(loop)
        if group is None:
            if not _has_more(loop):
                return (await self._ask([question]))[0]
            group = self._gathered[loop] = []
            try:
                await asyncio.sleep(0)
            except asyncio.CancelledError:
                self._start(group)
                raise
            finally:
                del self._gathered[loop]
            if not group:
                return (await self._ask([question]))[0]
            mine = self._join(loop, group, question)
            self._start(group)
        else:
            mine = self._join(loop, group, question)
        return await mine

    @staticmethod
    def _join(
        loop: asyncio.AbstractEventLoop, group: list[tuple[Q, asyncio.Future[A]]], question: Q
    ) -> "asyncio.Future[A]":
        future: asyncio.Future[A] = loop.create_future()
        group.append((question, future))
        return future

    def _start(self, group: list[tuple[Q, asyncio.Future[A]]]) -> None:
        for first in range(0, len(group), MOST):
            task = asyncio.create_task(self._send(group[first : first + MOST]))
            self._tasks.add(task)  # a loop has weak references to its tasks only
            task.add_done_callback(self._tasks.discard)

    async def _send(self, group: list[tuple[Q, asyncio.Future[A]]]) -> None:
        try:
            answers = await self._ask([question for question, _ in group])
        except asyncio.CancelledError:  # the event loop is being closed
            for _, future in group:
                future.cancel()
            raise
        except Exception as error:  # noqa: BLE001 - it is raised where it was asked
            for _, future in group:
                _fail(future, error)
        else:
            for (_, future), answer in zip(group, answers, strict=True):
                if not future.done():
                    future.set_result(answer)


def _has_more(loop: asyncio.AbstractEventLoop) -> bool:
    """Tell whether others may run in this turn yet: a turn that is waited for in vain costs a lone caller a fifth more.

    A loop that does not show its queue, such as uvloop's, may have more.
    """
    return bool(getattr(loop, "_ready", True))


def _fail(future: "asyncio.Future[A]", error: Exception) -> None:
    """Give each an error of their own: what raises one writes into it."""
    if not future.done():
        future.set_exception(copy.copy(error) if isinstance(error, PgAuthKitError) else error)
        future.exception()  # who is cancelled by now will not look
