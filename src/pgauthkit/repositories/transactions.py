"""`transaction`: a session in a transaction of its own, run again where another was in the way; or a savepoint."""

import asyncio
import functools
import inspect
import random
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from types import TracebackType
from typing import Any, Concatenate, Final, Literal, ParamSpec, TypeAlias, TypeVar, overload

from sqlalchemy import Engine, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgauthkit.database.violations import REFUSALS, violation
from pgauthkit.errors import RepositoryError, RetryableError

__all__ = ["AsyncTransaction", "Isolation", "Transaction", "transaction"]

P = ParamSpec("P")
T = TypeVar("T")
C = TypeVar("C", bound=Callable[..., Any])

Isolation: TypeAlias = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

RETRIES: Final = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5  # seconds


class Transaction:
    """What `transaction` returns for an engine, or for a session."""

    def __init__(self, on: Engine | orm.Session, retries: int | None, isolation: Isolation | None) -> None:
        _refuse_for_savepoint(isinstance(on, orm.Session), retries, isolation)
        self._on = on
        self._retries = retries
        self._isolation: Isolation | None = isolation
        self._stack = ExitStack()

    def __enter__(self) -> orm.Session:
        _refuse_retries(self._retries)
        return self._begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, traceback)
        except REFUSALS as refusal:
            error = refusal
        _raise_ours(error)

    def __call__(self, work: Callable[Concatenate[orm.Session, P], T]) -> Callable[P, T]:
        """Make a function run in such a transaction, with the session as its first argument."""

        @functools.wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.run(work, *args, **kwargs)

        return _without_session(run)

    def run(self, work: Callable[Concatenate[orm.Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function with a session and these arguments, again from the start where another was in the way.

        Raises:
            RetryableError: it was in the way to the last.
        """
        for pause in _pauses(self._on, self._retries):
            try:
                with Transaction(self._on, None, self._isolation) as db:
                    return work(db, *args, **kwargs)
            except RetryableError:
                time.sleep(pause)
        with Transaction(self._on, None, self._isolation) as db:
            return work(db, *args, **kwargs)

    def _begin(self) -> orm.Session:
        if isinstance(self._on, orm.Session):
            self._stack.enter_context(self._on.begin_nested())
            return self._on
        options = {"isolation_level": self._isolation} if self._isolation else {}
        db = self._stack.enter_context(orm.Session(self._on.execution_options(**options), expire_on_commit=False))
        self._stack.enter_context(db.begin())
        return db


class AsyncTransaction:
    """What `transaction` returns for an async engine, or for an async session."""

    def __init__(self, on: AsyncEngine | AsyncSession, retries: int | None, isolation: Isolation | None) -> None:
        _refuse_for_savepoint(isinstance(on, AsyncSession), retries, isolation)
        self._on = on
        self._retries = retries
        self._isolation: Isolation | None = isolation
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> AsyncSession:
        _refuse_retries(self._retries)
        if isinstance(self._on, AsyncSession):
            await self._stack.enter_async_context(self._on.begin_nested())
            return self._on
        options = {"isolation_level": self._isolation} if self._isolation else {}
        session = AsyncSession(self._on.execution_options(**options), expire_on_commit=False)
        db = await self._stack.enter_async_context(session)
        await self._stack.enter_async_context(db.begin())
        return db

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            await self._stack.__aexit__(kind, error, traceback)
        except REFUSALS as refusal:
            error = refusal
        _raise_ours(error)

    def __call__(self, work: Callable[Concatenate[AsyncSession, P], Awaitable[T]]) -> Callable[P, Awaitable[T]]:
        """Make a coroutine function run in such a transaction, with the session as its first argument."""

        @functools.wraps(work)
        async def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return await self.run(work, *args, **kwargs)

        return _without_session(run)

    async def run(
        self, work: Callable[Concatenate[AsyncSession, P], Awaitable[T]], *args: P.args, **kwargs: P.kwargs
    ) -> T:
        """Call a coroutine function with a session and these arguments, as `Transaction.run`.

        Raises:
            RetryableError: another transaction was in the way to the last.
        """
        for pause in _pauses(self._on, self._retries):
            try:
                async with AsyncTransaction(self._on, None, self._isolation) as db:
                    return await work(db, *args, **kwargs)
            except RetryableError:
                await asyncio.sleep(pause)
        async with AsyncTransaction(self._on, None, self._isolation) as db:
            return await work(db, *args, **kwargs)


@overload
def transaction(
    on: Engine | orm.Session, *, retries: int | None = ..., isolation: Isolation | None = ...
) -> Transaction: ...


@overload
def transaction(
    on: AsyncEngine | AsyncSession, *, retries: int | None = ..., isolation: Isolation | None = ...
) -> AsyncTransaction: ...


def transaction(
    on: Engine | orm.Session | AsyncEngine | AsyncSession,
    *,
    retries: int | None = None,
    isolation: Isolation | None = None,
) -> Transaction | AsyncTransaction:
    """Return a transaction: for `with`, as a decorator, or to `run` a function in.

    It commits at the end, and rolls back when something is raised. Objects stay readable after the commit. Errors of
    the driver, those of the commit included, become errors of ours. Inside, on the session that it gave, it is a
    savepoint: what fails in it undoes only itself.

    As a decorator, and with `run`, the function is called again from its start, with a new session, where another
    transaction was in the way (SQLSTATE 40001, 40P01), after a random pause of up to 0.01 s, twice that, … 0.5 s. So it
    should do nothing outside of the database that must not be done twice. A `with` block cannot be run again: there
    `RetryableError` goes to the caller, and `retries` is refused.

    Args:
        on: an engine; or a session, for a savepoint in its transaction. Async ones are for `async with` and `await`.
        retries: how often the function is called again at the most; 5 when not given.
        isolation: of the transaction; that of the engine when not given.

    Raises:
        RepositoryError: `retries` for a `with` block; `retries` or `isolation` for a savepoint.

    Example:
        >>> with transaction(engine) as db:  # doctest: +SKIP
        ...     post = Repository(db, Post).create(title="Hello World", author_id=user.id)
        >>> @transaction(engine, retries=3, isolation="SERIALIZABLE")  # doctest: +SKIP
        ... def publish(db: orm.Session, post_id: str) -> Post:
        ...     return Repository(db, Post).update({"id": post_id}, published=True)
        >>> publish(post.id)  # doctest: +SKIP
    """
    if isinstance(on, AsyncEngine | AsyncSession):
        return AsyncTransaction(on, retries, isolation)
    return Transaction(on, retries, isolation)


def _refuse_for_savepoint(is_session: bool, retries: int | None, isolation: Isolation | None) -> None:  # noqa: FBT001
    if is_session and (retries is not None or isolation is not None):
        raise RepositoryError("A savepoint has no retries and no isolation: they are the whole transaction's.")


def _refuse_retries(retries: int | None) -> None:
    if retries is not None:
        raise RepositoryError("A with block cannot be run again: decorate a function, or call run().")


def _pauses(on: object, retries: int | None) -> Iterator[float]:
    if isinstance(on, orm.Session | AsyncSession):  # a savepoint: only the whole transaction can be run again
        return
    for number in range(RETRIES if retries is None else retries):
        yield random.uniform(0, min(FIRST_PAUSE * 2**number, LONGEST_PAUSE))  # noqa: S311 - spreads racers only


def _raise_ours(error: BaseException | None) -> None:
    """Raise the error of ours for one of the driver's, and keep that from hanging on as its context."""
    if not isinstance(error, REFUSALS):
        return
    failure = violation(error)
    try:
        raise failure
    finally:
        failure.__context__ = None


def _without_session(run: C) -> C:
    """Take the session from the signature, for those who look at it, such as web frameworks."""
    signature = inspect.signature(run)
    shown = signature.replace(parameters=list(signature.parameters.values())[1:])
    run.__signature__ = shown  # type: ignore[attr-defined]  # where `inspect` looks first
    return run
