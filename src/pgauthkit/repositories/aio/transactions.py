"""`AsyncTransaction`: a transaction of its own, or a savepoint, for `async with` and `await`."""

import asyncio
import functools
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import AsyncExitStack
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgauthkit.database.violations import REFUSALS
from pgauthkit.errors import RetryableError
from pgauthkit.repositories.retrying import (
    Isolation,
    Watch,
    pauses,
    raise_ours,
    refuse_for_savepoint,
    refuse_retries,
    without_session,
)

__all__ = ["AsyncAttempt", "AsyncTransaction"]

P = ParamSpec("P")
T = TypeVar("T")


class AsyncTransaction:
    """What `transaction` returns for an async engine, or for an async session; see `Transaction`."""

    def __init__(self, on: AsyncEngine | AsyncSession, retries: int | None, isolation: Isolation | None) -> None:
        if isinstance(on, AsyncSession):
            refuse_for_savepoint(retries, isolation)
        self._on = on
        self._retries = retries
        self._isolation: Isolation | None = isolation
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> AsyncSession:
        refuse_retries(self._retries)
        db = await self._begin()
        self._stack.push(Watch(db.sync_session))
        return db

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._stack.__aexit__(kind, error, traceback)
        except REFUSALS as refusal:
            error = refusal
        raise_ours(error)

    async def __aiter__(self) -> AsyncIterator["AsyncAttempt"]:
        """Return one attempt after another, until one does not conflict with another transaction."""
        for pause in pauses(self._retries, savepoint=isinstance(self._on, AsyncSession)):
            attempt = AsyncAttempt(AsyncTransaction(self._on, None, self._isolation))
            yield attempt
            if not attempt.again:
                return
            await asyncio.sleep(pause)
        yield AsyncAttempt(AsyncTransaction(self._on, None, self._isolation), last=True)

    def __call__(
        self, work: Callable[Concatenate[AsyncSession, P], Awaitable[T]]
    ) -> Callable[P, Coroutine[Any, Any, T]]:
        """Make a coroutine function run in such a transaction, with the session as its first argument."""

        @functools.wraps(work)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.run(work, *args, **kwargs)

        return without_session(run)

    async def run(
        self, work: Callable[Concatenate[AsyncSession, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a coroutine function with a session and these arguments, as `Transaction.run`.

        Raises:
            RetryableError: the last attempt conflicted as well.
        """
        results: list[T] = []
        async for attempt in self:
            async with attempt as db:
                results.append(await work(db, *args, **kwargs))
        return results[-1]

    async def _begin(self) -> AsyncSession:
        if isinstance(self._on, AsyncSession):
            await self._stack.enter_async_context(self._on.begin_nested())
            return self._on
        options = {"isolation_level": self._isolation} if self._isolation else {}
        session = AsyncSession(self._on.execution_options(**options), expire_on_commit=False)
        db = await self._stack.enter_async_context(session)
        await self._stack.enter_async_context(db.begin())
        return db


class AsyncAttempt:
    """One run of a block that may be run again; see `Attempt`."""

    def __init__(self, transaction: AsyncTransaction, *, last: bool = False) -> None:
        self._transaction = transaction
        self._last = last
        self.again: bool = False

    async def __aenter__(self) -> AsyncSession:
        return await self._transaction.__aenter__()

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            await self._transaction.__aexit__(kind, error, traceback)
        except RetryableError:
            if self._last:
                raise
            self.again = True
        else:
            self.again = not self._last and isinstance(error, RetryableError)
        return self.again
