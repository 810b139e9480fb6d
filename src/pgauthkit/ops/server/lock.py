"""The lock that lets one deployer at a time change a database's schema."""

import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, timedelta
from typing import Final

from sqlalchemy import Connection, Engine, text

from pgauthkit.errors import MigrationLockedError
from pgauthkit.migrations import VERSION_TABLE
from pgauthkit.models import SCHEMA
from pgauthkit.ops.server.connection import own_connection, prepare_session
from pgauthkit.ops.server.pooler import refuse_transaction_mode

__all__ = ["lock_holder", "migration_lock", "one_in_this_process"]

_POLL: Final = 0.1  # seconds
# Advisory locks are per database already; product and version table keep other users of advisory locks apart.
_NAME: Final = {"name": f"pgauthkit:{SCHEMA}.{VERSION_TABLE}"}
_TRY: Final = text("SELECT pg_catalog.pg_try_advisory_lock(pg_catalog.hashtextextended(:name, 0))")
# https://www.postgresql.org/docs/16/view-pg-locks.html: a bigint key is classid (high half) and objid, objsubid 1.
_HOLDER: Final = text(
    "SELECT activity.pid, activity.application_name, activity.backend_start,"
    " date_trunc('second', pg_catalog.clock_timestamp() - activity.backend_start) AS age"
    " FROM pg_catalog.pg_locks AS lock JOIN pg_catalog.pg_stat_activity AS activity USING (pid)"
    " WHERE lock.locktype = 'advisory' AND lock.granted AND lock.objsubid = 1"
    " AND lock.database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database())"
    " AND (CAST(lock.classid AS bigint) << 32 | CAST(lock.objid AS bigint)) = pg_catalog.hashtextextended(:name, 0)"
)
# Alembic's `op` and `context` are proxies for one migration in the whole process.
_ALEMBIC: Final = threading.Lock()


@contextmanager
def migration_lock(target: Engine | Connection, *, timeout: timedelta = timedelta(seconds=60)) -> Generator[Connection]:
    """Hold the migration lock of a database, and yield the connection whose session holds it.

    The lock is polled with `pg_try_advisory_lock` on a new connection in AUTOCOMMIT: a process that waits in a blocking
    call holds a snapshot, for which CREATE INDEX CONCURRENTLY waits for ever. Run the migration on the connection
    yielded: losing the lock, by a cut or by `pg_terminate_backend`, then loses the open transaction with it.
    The lock ends with the connection, at the end of the `with`. It writes nothing.

    Errors of the driver pass as they are; see `pgauthkit.ops.server.failure.explained`.

    Args:
        target: the engine to connect with, or a connection of it, which itself is left alone.
        timeout: how long to wait for the holder of the lock, in all.

    Raises:
        MigrationLockedError: the time is up; `holder` says who holds the lock, where the server says so.
        MigrationError: a pooler in transaction mode is in between, behind which a session's lock is void.

    Example:
        >>> with migration_lock(engine) as connection:  # doctest: +SKIP
        ...     connection.execute(text("CREATE SCHEMA IF NOT EXISTS pgauthkit"))
    """
    deadline = time.monotonic() + timeout.total_seconds()
    with own_connection(target.engine) as connection:
        refuse_transaction_mode(connection)
        prepare_session(connection)
        _wait_for_database(connection, deadline)
        with one_in_this_process(timeout=timedelta(seconds=max(0.0, deadline - time.monotonic()))):
            yield connection


@contextmanager
def one_in_this_process(*, timeout: timedelta = timedelta(seconds=60)) -> Generator[None]:
    """Be the only thread that uses Alembic; `migration_lock` includes it.

    Raises:
        MigrationLockedError: the time is up.

    Example:
        >>> with one_in_this_process():
        ...     pass
    """
    if not _ALEMBIC.acquire(timeout=timeout.total_seconds()):
        raise MigrationLockedError(
            "Another thread of this process is migrating a database, and Alembic can do one at a time.",
            holder="another thread of this process",
        )
    try:
        yield
    finally:
        _ALEMBIC.release()


def lock_holder(connection: Connection) -> tuple[int, str] | None:
    """Return who holds the migration lock: the server's process id, and a description; None when nobody does.

    The server says for how long only to a superuser, to a member of `pg_read_all_stats` and to the holder's own role.
    Reads the server's list of locks, and changes nothing.

    Example:
        >>> lock_holder(connection)  # doctest: +SKIP
        (4242, 'pid 4242, "pgauthkit migrate", connected for 0:00:07, since 2026-01-31 12:00:00 UTC')
    """
    row = connection.execute(_HOLDER, _NAME).first()
    if row is None:
        return None
    who = f'pid {row.pid}, "{row.application_name}"'
    if row.backend_start is None:
        return row.pid, who
    return row.pid, f"{who}, connected for {row.age}, since {row.backend_start.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _wait_for_database(connection: Connection, deadline: float) -> None:
    while not connection.scalar(_TRY, _NAME):
        if time.monotonic() >= deadline:
            raise _locked(lock_holder(connection))
        time.sleep(_POLL)
    connection.commit()


def _locked(holder: tuple[int, str] | None) -> MigrationLockedError:
    if holder is None:
        return MigrationLockedError("Another process was migrating this database until just now: try again.")
    pid, description = holder
    return MigrationLockedError(
        f"Another process is migrating this database: {description}. If it hangs, end it, which undoes its unfinished"
        f" revision: SELECT pg_terminate_backend({pid});",
        holder=description,
    )
