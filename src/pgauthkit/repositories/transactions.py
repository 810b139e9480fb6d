"""`transaction`: a session in a transaction of its own, retried after a conflict with another; or a savepoint."""

import functools
import inspect
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Concatenate, ParamSpec, TypeVar, cast, overload

from sqlalchemy import Engine, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, async_scoped_session

from pgauthkit.database.connecting import watch
from pgauthkit.database.sessions import session_of
from pgauthkit.database.violations import REFUSALS
from pgauthkit.errors import RepositoryError, RetryableError
from pgauthkit.repositories.aio.transactions import AsyncTransaction
from pgauthkit.repositories.retrying import (
    Isolation,
    Watch,
    pauses,
    raise_ours,
    refuse_for_savepoint,
    refuse_retries,
    without_session,
)

__all__ = ["Attempt", "Transaction", "transaction"]

P = ParamSpec("P")
T = TypeVar("T")


class Transaction:
    """What `transaction` returns for an engine, or for a session.

    Example:
        >>> with transaction(engine) as db:  # doctest: +SKIP
        ...     Repository(db, Post).create(title="Hello World", author_id=user.id)
    """

    def __init__(self, on: Engine | orm.Session, retries: int | None, isolation: Isolation | None) -> None:
        if isinstance(on, orm.Session):
            refuse_for_savepoint(retries, isolation)
        self._on = on
        self._retries = retries
        self._isolation: Isolation | None = isolation
        self._stack = ExitStack()

    def __enter__(self) -> orm.Session:
        refuse_retries(self._retries)
        db = self._begin()
        self._stack.push(Watch(db))
        return db

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            self._stack.__exit__(kind, error, traceback)
        except REFUSALS as refusal:
            error = refusal
        raise_ours(error)

    def __iter__(self) -> Iterator["Attempt"]:
        """Return one attempt after another, until one does not conflict with another transaction."""
        for pause in pauses(self._retries, savepoint=isinstance(self._on, orm.Session)):
            attempt = Attempt(Transaction(self._on, None, self._isolation))
            yield attempt
            if not attempt.again:
                return
            time.sleep(pause)
        yield Attempt(Transaction(self._on, None, self._isolation), last=True)

    def __call__(self, work: Callable[Concatenate[orm.Session, P], T]) -> Callable[P, T]:
        """Make a function run in such a transaction, with the session as its first argument.

        Raises:
            RepositoryError: it is a coroutine function, which would run after the transaction has ended.
        """
        if inspect.iscoroutinefunction(work):
            raise RepositoryError("A coroutine function needs an async engine: it would run after the commit.")

        @functools.wraps(work)
        def run(*args: P.args, **kwargs: P.kwargs) -> T:
            return self.run(work, *args, **kwargs)

        return without_session(run)

    def run(self, work: Callable[Concatenate[orm.Session, P], T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function with a session and these arguments, again from the start after a conflict with another.

        Raises:
            RetryableError: the last attempt conflicted as well.
        """
        results: list[T] = []
        for attempt in self:
            with attempt as db:
                results.append(work(db, *args, **kwargs))
        return results[-1]

    def _begin(self) -> orm.Session:
        if isinstance(self._on, orm.Session):
            self._stack.enter_context(self._on.begin_nested())
            return self._on
        options = {"isolation_level": self._isolation} if self._isolation else {}
        db = self._stack.enter_context(orm.Session(self._on.execution_options(**options), expire_on_commit=False))
        self._stack.enter_context(db.begin())
        return db


class Attempt:
    """One run of a block that may be run again: a context that gives a session.

    Attributes:
        again: after the block, whether it conflicted with another transaction, and another attempt follows.

    Example:
        >>> for attempt in transaction(engine, retries=3, isolation="SERIALIZABLE"):  # doctest: +SKIP
        ...     with attempt as db:
        ...         Repository(db, Post).update({"id": post.id}, published=True)
    """

    def __init__(self, transaction: Transaction, *, last: bool = False) -> None:
        self._transaction = transaction
        self._last = last
        self.again: bool = False

    def __enter__(self) -> orm.Session:
        return self._transaction.__enter__()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool:
        try:
            self._transaction.__exit__(kind, error, traceback)
        except RetryableError:
            if self._last:
                raise
            self.again = True
        else:
            self.again = not self._last and isinstance(error, RetryableError)
        return self.again


@overload
def transaction(
    on: Engine | orm.Session | orm.scoped_session[Any], *, retries: int | None = ..., isolation: Isolation | None = ...
) -> Transaction: ...


@overload
def transaction(
    on: AsyncEngine | AsyncSession | async_scoped_session[Any],
    *,
    retries: int | None = ...,
    isolation: Isolation | None = ...,
) -> AsyncTransaction: ...


def transaction(
    on: Engine | orm.Session | orm.scoped_session[Any] | AsyncEngine | AsyncSession | async_scoped_session[Any],
    *,
    retries: int | None = None,
    isolation: Isolation | None = None,
) -> Transaction | AsyncTransaction:
    """Return a transaction: for `with`, for `for`, as a decorator, or to `run` a function in.

    It commits at the end, and rolls back when something is raised. Objects stay readable after the commit. Errors of
    the driver, those of the commit included, become errors of ours; so does the end of a block whose transaction failed
    though the error was caught. Inside, on the session that it gave, it is a savepoint: what fails in it undoes only
    itself.

    As a decorator, in a `for`, and with `run`, everything is done again from the start, with a new session, where
    it conflicts with another transaction (SQLSTATE 40001, 40P01), after a random pause of up to 0.01 s, twice that, …
    0.5 s. So it should do nothing outside of the database that must not be done twice. A bare `with` block cannot be
    run again: there `RetryableError` goes to the caller, and `retries` is refused.

    Args:
        on: an engine; or a session (or a `scoped_session`), for a savepoint in its transaction. Async ones are for
            `async with`, `async for` and `await`.
        retries: how often it is done again at the most; 5 when not given.
        isolation: of the transaction; that of the engine when not given.

    Raises:
        RepositoryError: `on` is something else, such as a URL or a sessionmaker; `retries` for a bare `with` block;
            `retries` or `isolation` for a savepoint.

    Example:
        >>> with transaction(engine) as db:  # doctest: +SKIP
        ...     post = Repository(db, Post).create(title="Hello World", author_id=user.id)
        >>> for attempt in transaction(engine, retries=3, isolation="SERIALIZABLE"):  # doctest: +SKIP
        ...     with attempt as db:
        ...         Repository(db, Post).update({"id": post.id}, published=True)
        >>> @transaction(engine, retries=3, isolation="SERIALIZABLE")  # doctest: +SKIP
        ... def publish(db: orm.Session, post_id: str) -> Post:
        ...     return Repository(db, Post).update({"id": post_id}, published=True)
        >>> publish(post.id)  # doctest: +SKIP
    """
    found: Engine | orm.Session | AsyncEngine | AsyncSession = session_of(on)
    if isinstance(found, Engine | AsyncEngine):
        watch(found if isinstance(found, Engine) else found.sync_engine)
    elif not isinstance(cast("object", found), orm.Session | AsyncSession):
        raise RepositoryError(f"{type(on).__name__} is neither a Session nor an Engine, which a transaction needs.")
    if isinstance(found, AsyncEngine | AsyncSession):
        return AsyncTransaction(found, retries, isolation)
    return Transaction(found, retries, isolation)
