"""Errors of the driver and the server, translated into our own: unreachable, not migrated, conflicting, taken."""

import re
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from typing import Final

import psycopg
from psycopg import errors as pg
from psycopg.pq import ConnStatus
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError, SQLAlchemyError, TimeoutError as PoolTimeoutError

from pgauthkit.database.deadline import CallTimeoutError
from pgauthkit.database.line import UnacknowledgedError
from pgauthkit.database.suitability import UnsuitableError
from pgauthkit.errors import (
    ConfigError,
    DatabaseUnavailableError,
    PendingMigrationsError,
    PgAuthKitError,
    RetryableError,
    UniqueViolationError,
)

__all__ = ["translate", "translated"]

_RETRYABLE: Final = (pg.SerializationFailure, pg.DeadlockDetected)
_NOT_MIGRATED: Final = (pg.UndefinedTable, pg.UndefinedColumn, pg.InvalidSchemaName)
# The function that finds that a plan cannot be kept: src/backend/utils/cache/plancache.c
_OF_PLANS: Final = "RevalidateCachedQuery"
_CHANGED: Final = (
    "A statement was prepared before a table was changed: roll the transaction back, and run it again, "
    "which prepares it again."
)
_FULL: Final = "The server has no connection left: lower the pools, or use PgBouncer."
_PASSWORD: Final = "The user or the password is wrong."  # noqa: S105 - a sentence about it
_NO_PASSWORD: Final = "The server wants a password, and the URL has none."  # noqa: S105 - the same
_NO_DATABASE: Final = "There is no such database or user: create it, or check the name in the URL."
_STARTING: Final = "The server is starting up: try again in a moment."
_STOPPING: Final = "The server is shutting down, or an administrator ended the connection: try again in a moment."
_CRASHED: Final = "The server recovers from a crash: try again in a moment, and see its log."
_TIMED_OUT: Final = "No answer in time: check the network, a firewall, or raise connect_timeout."
_NOT_ALLOWED: Final = "The server does not let this user in from here: see its pg_hba.conf, which may also demand TLS."
_WRONG_SIDE: Final = "No host is what target_session_attrs asks for: a failover may be under way, so try again."
_CERTIFICATE: Final = "The server's certificate is not trusted here: check sslrootcert, the host's name, and its dates."
_IDLE_IN_TRANSACTION: Final = "The transaction was idle for too long: see idle_in_transaction_session_timeout."
_DATABASE_MISSING: Final = "There is no such database: create it, or check its name in the URL."
_NOT_PASSED_ON: Final = "A pooler does not pass on what the URL sets: give pgbouncer=True, and use role settings."
_NO_SUCH_VALUE: Final = "A setting in the URL, behind its question mark, has a value that libpq does not know."
_POOLER_ALONE: Final = "The pooler is there, and got no connection to its server: see its log."
_GONE: Final = "The connection is closed: it was lost before, or this process was forked, and it is the parent's."
_CLOSED: Final = "The other side closed the connection: see the logs of the server, and of a proxy or pooler before it."
# The states in which the server, or what is before it, cannot serve anyone; in every other one it answered.
_UNREACHABLE: Final = re.compile(r"08...|57P0.|53300")
# libpq counts the parameters itself, sends nothing, and gives no SQLSTATE.
_TOO_MANY: Final = "number of parameters must be between"
_ADVICE: Final[Mapping[str, str]] = {
    "22P05": "The database's encoding lacks a character: keep the application in one with ENCODING 'UTF8'.",
    "53100": "The server's disk is full: make room on it.",
    "53200": "The server is out of memory: ask for less at once, or lower work_mem.",
    "54000": "A limit of PostgreSQL was exceeded, such as 2,704 bytes of values in an entry of an index: store less.",
    "55000": "Refresh a materialized view before it is read, and give an upsert a key that is not deferrable.",
}
_TOO_LONG: Final = (
    "No answer within call_timeout. The call may have been carried out or not: read what it would have changed,"
    " or make it again where that does no harm."
)
_UNACKNOWLEDGED: Final = (
    "The wait for a synchronous standby was cancelled: it was committed, and a failover may still lose it."
)
_READ_ONLY: Final = (
    "The server is a read-only standby: connect to the primary. Or default_transaction_read_only is on for this"
    " database or role: set it to off."
)
_HINTS_BY_CLASS: Final[Mapping[type[Exception], str]] = {
    CallTimeoutError: _TOO_LONG,
    UnacknowledgedError: _UNACKNOWLEDGED,
    PoolTimeoutError: "Every connection of the pool is in use: raise pool_size, or look for a leak.",
    pg.ReadOnlySqlTransaction: _READ_ONLY,
    pg.QueryCanceled: "The statement was cancelled: see statement_timeout, and who holds a lock.",
    pg.LockNotAvailable: "The statement waited for a lock in vain: see lock_timeout, and who holds it.",
    pg.IdleInTransactionSessionTimeout: _IDLE_IN_TRANSACTION,
    pg.IdleSessionTimeout: "The connection was idle for too long: see idle_session_timeout, and lower pool_recycle.",
    pg.AdminShutdown: _STOPPING,
    pg.CrashShutdown: _CRASHED,
    pg.CannotConnectNow: _STARTING,
    pg.TooManyConnections: _FULL,
    pg.InvalidPassword: _PASSWORD,
    pg.InvalidAuthorizationSpecification: _NOT_ALLOWED,
    pg.InvalidCatalogName: _NO_DATABASE,
    pg.ConnectionTimeout: _TIMED_OUT,
}
# A connection that never was has no SQLSTATE (libpq keeps it to itself), only words: libpq's own, which are not
# translated in the wheels, and the server's, which may be (lc_messages). Where no word is known, see `_by_password`.
_HINTS_BY_WORDS: Final[Mapping[str, str]] = {
    r"password authentication failed": _PASSWORD,
    r"no password supplied": _NO_PASSWORD,
    r'database "[^"]*" does not exist|no such database': _DATABASE_MISSING,
    r'role "[^"]*" does not exist': "There is no such user: create it, or check its name in the URL.",
    r"Connection refused": "Nothing listens there: is PostgreSQL running, and are host and port right?",
    r"No such file or directory": "There is no socket in that directory: is PostgreSQL running, and is the path right?",
    r"resolve host": "The host's name cannot be resolved: check its spelling and the DNS.",
    r"timeout expired": _TIMED_OUT,
    r"too many (clients|connections)|remaining connection slots|no more connections allowed": _FULL,
    r"starting up|not (yet )?accepting connections": _STARTING,
    r"shutting down": _STOPPING,
    r"recovery mode": _CRASHED,
    r"no pg_hba\.conf entry|pg_hba\.conf rejects|not permitted to log in": _NOT_ALLOWED,
    r"hot standby mode|session is (not )?read-only": _WRONG_SIDE,
    r"invalid \w+ value": _NO_SUCH_VALUE,
    r"certificate": _CERTIFICATE,
    r"does not support SSL": "The server speaks no TLS, and the URL demands it (sslmode).",
    r"unsupported startup parameter": _NOT_PASSED_ON,
    r"closed the connection unexpectedly": _CLOSED,
    r"the connection is closed": _GONE,
    r"query_wait_timeout|cannot connect to server": _POOLER_ALONE,
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
    if known := _of_our_tree(cause):
        return known
    if hints := _hints(cause):
        return DatabaseUnavailableError(f"{_headline(cause)}{_shown(url)}.", hints=hints)
    if _TOO_MANY in str(cause):
        return PgAuthKitError("The statement has more than 65,535 parameters: ask for fewer values at once.")
    name, state = type(cause).__name__, str(getattr(cause, "sqlstate", None))
    advice = f" {_ADVICE[state]}" if state in _ADVICE else ""
    return PgAuthKitError(f"PostgreSQL refused the statement (SQLSTATE {state}, {name}).{advice}")


def _headline(cause: BaseException | None) -> str:
    if isinstance(cause, UnacknowledgedError):
        return "The database did not confirm the commit"
    if isinstance(cause, pg.QueryCanceled | pg.LockNotAvailable):
        return f"The database gave the statement up (SQLSTATE {cause.sqlstate}, {type(cause).__name__})"
    return "Cannot reach the database"


def _of_our_tree(cause: BaseException | None) -> PgAuthKitError | None:
    if isinstance(cause, _RETRYABLE):
        return RetryableError()
    if _is_stale(cause):
        return RetryableError(_CHANGED)
    if isinstance(cause, _NOT_MIGRATED):
        return PendingMigrationsError()
    if isinstance(cause, pg.UniqueViolation):
        return UniqueViolationError(constraint=cause.diag.constraint_name, table=cause.diag.table_name)
    return ConfigError([f"engine: {cause}"]) if isinstance(cause, UnsuitableError) else None


def _is_stale(cause: BaseException | None) -> bool:
    """Tell that a statement was prepared before a table was changed, of which the server's function tells."""
    if isinstance(cause, pg.FeatureNotSupported):
        return cause.diag.source_function == _OF_PLANS
    return isinstance(cause, pg.InvalidSqlStatementName)


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
    if _TOO_MANY in words or (cause.sqlstate and not _UNREACHABLE.fullmatch(cause.sqlstate)):
        return []
    found = [hint for pattern, hint in _HINTS_BY_WORDS.items() if re.search(pattern, words)]
    return list(dict.fromkeys(found)) or _by_password(cause) or list(_GENERAL)


def _by_password(cause: psycopg.Error) -> list[str]:
    """Judge by whether a password was asked for: then the server was reached, whatever language it speaks."""
    refused = cause.pgconn is not None and cause.pgconn.status == ConnStatus.BAD and cause.pgconn.used_password
    return [_PASSWORD, _NO_DATABASE, _FULL] if refused else []


def _shown(url: URL | None) -> str:
    if url is None:
        return ""
    plain = url.difference_update_query(["password", "sslpassword", "passfile"]).set(drivername="postgresql")
    return f" at {plain.render_as_string(hide_password=True)}"
