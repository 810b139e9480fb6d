"""Errors of the driver and the server, told in our own: unreachable, not migrated, in the way of another, taken."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as pg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError as PoolTimeoutError

from pgauthkit.errors import (
    DatabaseUnavailableError,
    PendingMigrationsError,
    PgAuthKitError,
    RetryableError,
    UniqueViolationError,
)

__all__ = ["translate", "translated"]

_RETRYABLE: Final = (pg.SerializationFailure, pg.DeadlockDetected)
_NOT_MIGRATED: Final = (pg.UndefinedTable, pg.UndefinedColumn, pg.InvalidSchemaName)
_HINTS_BY_CLASS: Final[Mapping[type[Exception], str]] = {
    PoolTimeoutError: "Every connection of the pool is in use: raise pool_size, or look for a leak.",
    pg.ReadOnlySqlTransaction: "The server is a read-only standby: connect to the primary.",
    pg.QueryCanceled: "The statement was cancelled: see statement_timeout, and who holds a lock.",
    pg.LockNotAvailable: "The statement waited for a lock in vain: see lock_timeout, and who holds it.",
}
# libpq gives no SQLSTATE for a refused connection, only its own words (untranslated in the wheels).
_HINTS_BY_WORDS: Final[Mapping[str, str]] = {
    "password authentication failed": "The user or the password is wrong.",
    "no password supplied": "The server wants a password, and the URL has none.",
    "does not exist": "There is no such database or user: create it, or check the name in the URL.",
    "Connection refused": "Nothing listens there: is PostgreSQL running, and are host and port right?",
    "No such file or directory": "There is no socket in that directory: is PostgreSQL running, and is the path right?",
    "resolve host": "The host's name cannot be resolved: check its spelling and the DNS.",
    "timeout expired": "No answer in time: check the network, a firewall, or raise connect_timeout.",
    "too many clients": "The server has no connection left: lower the pools, or use PgBouncer.",
    "remaining connection slots": "The server has no connection left: lower the pools, or use PgBouncer.",
    "starting up": "The server is starting up: try again in a moment.",
    "does not support SSL": "The server speaks no TLS, and the URL demands it (sslmode).",
}
_GENERAL: Final = (
    "Check the URL (DATABASE_URL, where it came from the environment).",
    "Check that PostgreSQL is running and lets this host in (pg_hba.conf, firewall).",
)


def translate(error: Exception, url: URL | None = None) -> PgAuthKitError:
    """Return the error of ours that says the same as one of psycopg or SQLAlchemy.

    Judged by class and SQLSTATE; the server's texts and values stay out of it. `url` is shown without its password.
    """
    cause = error.orig if isinstance(error, DBAPIError) else error
    if isinstance(cause, _RETRYABLE):
        return RetryableError()
    if isinstance(cause, _NOT_MIGRATED):
        return PendingMigrationsError()
    if isinstance(cause, pg.UniqueViolation):
        return UniqueViolationError(constraint=cause.diag.constraint_name, table=cause.diag.table_name)
    if hints := _hints(cause):
        return DatabaseUnavailableError(f"Cannot reach the database{_shown(url)}.", hints=hints)
    name, state = type(cause).__name__, getattr(cause, "sqlstate", None)
    return PgAuthKitError(f"PostgreSQL refused the statement (SQLSTATE {state}, {name}).")


@contextmanager
def translated(url: URL | None = None) -> Generator[None]:
    """Raise our errors in place of psycopg's and SQLAlchemy's, which may carry values and parameters."""
    try:
        yield
    except (psycopg.Error, SQLAlchemyError) as error:
        raise translate(error, url) from None


def _hints(cause: BaseException | None) -> list[str]:
    for kind, hint in _HINTS_BY_CLASS.items():
        if isinstance(cause, kind):
            return [hint]
    if not isinstance(cause, psycopg.OperationalError | psycopg.InterfaceError):
        return []
    words = str(cause)
    return list(dict.fromkeys(hint for part, hint in _HINTS_BY_WORDS.items() if part in words)) or list(_GENERAL)


def _shown(url: URL | None) -> str:
    if url is None:
        return ""
    plain = url.difference_update_query(["password", "sslpassword", "passfile"]).set(drivername="postgresql")
    return f" at {plain.render_as_string(hide_password=True)}"
