"""What both kinds of transaction share: when to run again, what to refuse, and errors of ours."""

import inspect
import random
from collections.abc import Callable, Iterator
from types import TracebackType
from typing import Any, Final, Literal, TypeAlias, TypeVar

from psycopg.pq import TransactionStatus
from sqlalchemy import Connection, event, orm

from pgauthkit.database.violations import FAILED_BEFORE, REFUSALS, violation
from pgauthkit.errors import RepositoryError

__all__ = ["Isolation", "Watch", "pauses", "raise_ours", "refuse_for_savepoint", "refuse_retries", "without_session"]

C = TypeVar("C", bound=Callable[..., Any])

Isolation: TypeAlias = Literal["READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"]

RETRIES: Final = 5
FIRST_PAUSE, LONGEST_PAUSE = 0.01, 0.5  # seconds


class Watch:
    """Raises at the end of a block where its transaction failed and the error was caught inside.

    SQLAlchemy, after a failed flush, and PostgreSQL, after a failed statement, answer a commit with a rollback and no
    word: what the block wrote would be lost in silence.

    Args:
        db: a session that has not begun, or is in a savepoint.
    """

    def __init__(self, db: orm.Session) -> None:
        self._db = db
        self._connections: list[Connection] = []
        event.listen(db, "after_begin", self._note)

    def __call__(
        self, kind: type[BaseException] | None, _error: BaseException | None, _traceback: TracebackType | None
    ) -> None:
        """Look, as the exit of a context does."""
        event.remove(self._db, "after_begin", self._note)
        if kind is None and (not self._db.is_active or any(map(_is_aborted, self._connections))):
            raise RepositoryError(FAILED_BEFORE)

    def _note(self, _session: orm.Session, _transaction: orm.SessionTransaction, connection: Connection) -> None:
        self._connections.append(connection)


def pauses(retries: int | None, *, savepoint: bool) -> Iterator[float]:
    """Return the seconds to wait before each further try; none for a savepoint, since others stay unseen in it."""
    for number in range(0 if savepoint else RETRIES if retries is None else retries):
        yield random.uniform(0, min(FIRST_PAUSE * 2**number, LONGEST_PAUSE))  # noqa: S311 - spreads racers only


def refuse_for_savepoint(retries: int | None, isolation: Isolation | None) -> None:
    """Refuse options that are the whole transaction's.

    Raises:
        RepositoryError: there is one.
    """
    if retries is not None or isolation is not None:
        raise RepositoryError("A savepoint has no retries and no isolation: they are the whole transaction's.")


def refuse_retries(retries: int | None) -> None:
    """Refuse `retries` for a `with` block, which Python cannot run again.

    Raises:
        RepositoryError: it was given.
    """
    if retries is not None:
        raise RepositoryError(
            "A with block cannot be run again: decorate a function, call run(), "
            "or write `for attempt in transaction(…)` and in it `with attempt as db`."
        )


def raise_ours(error: BaseException | None) -> None:
    """Raise the error of ours for one of the driver's, and keep that from hanging on as its context."""
    if not isinstance(error, REFUSALS):
        return
    failure = violation(error)
    try:
        raise failure
    finally:
        failure.__context__ = None


def without_session(run: C) -> C:
    """Take the session from the signature, for those who look at it, such as web frameworks."""
    signature = inspect.signature(run)
    shown = signature.replace(parameters=list(signature.parameters.values())[1:])
    run.__signature__ = shown  # type: ignore[attr-defined]  # where `inspect` looks first
    return run


def _is_aborted(connection: Connection) -> bool:
    if connection.closed or connection.invalidated:
        return False
    driver: Any = connection.connection.driver_connection
    return bool(driver.info.transaction_status == TransactionStatus.INERROR)
