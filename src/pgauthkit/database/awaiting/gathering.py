"""`Gathering`: what is asked in one turn of the event loop goes out as one."""

import asyncio
import copy
from collections.abc import Awaitable, Callable, Hashable, Sequence
from contextlib import nullcontext
from contextvars import Context
from functools import partial
from typing import ClassVar, Final, Generic, TypeAlias, TypeVar, cast

from pgauthkit.database.awaiting.waits import Loop, Wake
from pgauthkit.database.deadline import one_call
from pgauthkit.errors import PgAuthKitError

__all__ = ["ApartError", "Gathering"]

Q = TypeVar("Q")
A = TypeVar("A")

MOST: Final = 64  # questions in one statement, so that nobody waits for an endless list


class ApartError(Exception):
    """Each question is to be asked alone.

    Attributes:
        left: how many seconds there are for that; None for as many as any call has.
    """

    def __init__(self, left: float | None = None) -> None:
        super().__init__()
        self.left: float | None = left


Group: TypeAlias = "list[tuple[Q, Wake[A | ApartError]]]"


class Gathering(Generic[Q, A]):
    """Gathers questions, and gives each who asked the answer to theirs.

    Nothing is kept: a question that is asked a turn later is another one. Who is alone asks in a task of their own, as
    without a gathering. For several there is a task that none of them can cancel.

    Args:
        alone: answers one question.
        ask: answers so many questions, in their order; raises `ApartError` where each is to be asked alone.
        kind: what the questions of one statement have in common; None for one that is asked alone.
    """

    # The loop in which those of a group go on, one after the other; where threads have loops, that of the last of them.
    _answering: ClassVar[Loop | None] = None

    def __init__(
        self,
        alone: Callable[[Q], Awaitable[A]],
        ask: Callable[[Sequence[Q]], Awaitable[Sequence[A]]],
        kind: Callable[[Q], Hashable] = type,
    ) -> None:
        self._alone = alone
        self._ask = ask
        self._kind = kind
        self._gathered: dict[Loop, dict[Hashable, Group[Q, A]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def answer(self, question: Q) -> A:
        """Return the answer to a question."""
        loop = asyncio.get_running_loop()
        groups = self._gathered.get(loop)
        if groups is None and self._answering is not loop and not _has_more(loop):
            return await self._alone(question)
        kind = self._kind(question)
        if kind is None:
            return await self._alone(question)
        if groups is None:
            groups = self._gathered[loop] = {}
            loop.call_soon(self._send, loop, context=Context())
        mine: Wake[A | ApartError] = Wake(loop=loop)
        groups.setdefault(kind, []).append((question, mine))
        answer = await mine
        if not isinstance(answer, ApartError):
            return answer
        with nullcontext() if answer.left is None else one_call(answer.left):
            return await self._alone(question)

    def _send(self, loop: Loop) -> None:
        """Ask what was gathered in a turn; one that nothing was gathered with is asked by its own task."""
        resumed: list[Callable[[], None]] = []
        for group in self._gathered.pop(loop).values():
            for first in range(0, len(group), MOST):
                part = group[first : first + MOST]
                if len(part) == 1:
                    resumed.append(partial(part[0][1].wake, ApartError()))
                else:
                    task = loop.create_task(self._answered(loop, part))
                    self._tasks.add(task)  # a loop has weak references to its tasks only
        self._resume(loop, resumed)

    async def _answered(self, loop: Loop, group: "Group[Q, A]") -> None:
        try:
            answers = await self._ask([question for question, _ in group])
        except asyncio.CancelledError:  # the event loop is being closed
            for _, waiting in group:
                waiting.cancel()
            raise
        except ApartError as apart:
            resumed = [partial(waiting.wake, apart) for _, waiting in group]
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
