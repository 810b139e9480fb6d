"""A connection for changing the schema: a server session of its own, with bounded waits and a name to be found by."""

import json
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Final, TypeAlias

from sqlalchemy import URL, Connection, Engine, NullPool, text
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit.database.engine import create_engine
from pgauthkit.database.sessions import check_engine
from pgauthkit.errors import ConfigError
from pgauthkit.ops.server.pooler import is_pooled

__all__ = [
    "APPLICATION_NAME",
    "Target",
    "begin_migrating",
    "engine_for",
    "outside_transactions",
    "own_connection",
    "prepare_session",
    "set_lock_timeout",
]

Target: TypeAlias = Engine | AsyncEngine | str
"""A database: an engine, whose connections are used; an async engine, whose URL is used; or a `postgresql://` URL."""

APPLICATION_NAME: Final = "pgauthkit migrate"
_SETTINGS: Final[Mapping[str, str]] = {
    "application_name": APPLICATION_NAME,
    "datestyle": "ISO",  # The one that psycopg reads, also on an engine of the host's.
    "lock_timeout": "5s",
    # A role's own limits are made for requests: a migration may take as long as it takes, its lock with it.
    "statement_timeout": "0",
    "transaction_timeout": "0",
    "idle_in_transaction_session_timeout": "0",
    "idle_session_timeout": "0",
}
# Only those that the server knows: transaction_timeout is new in PostgreSQL 17.
_SET: Final = text(
    "SELECT pg_catalog.set_config(known.name, wanted.value, false)"
    " FROM pg_catalog.json_each_text(CAST(:settings AS json)) AS wanted"
    " JOIN pg_catalog.pg_settings AS known ON known.name = wanted.key"
)
# A deployer that is killed in the middle of a statement would leave the server working, with every lock, to its end.
# New in PostgreSQL 14.
_NOTICE_DEATH: Final = text(
    "SELECT pg_catalog.set_config(name, '1s', false) FROM pg_catalog.pg_settings"
    " WHERE name = 'client_connection_check_interval'"
)
_LOCK_TIMEOUT: Final = text("SELECT pg_catalog.set_config('lock_timeout', :value, false)")


def engine_for(target: Target) -> Engine:
    """Return the engine that reaches a database.

    A synchronous engine is used as it is, because only it knows its `creator`, its events and its certificates. Of an
    async engine only the URL is used.

    Raises:
        ConfigError: the URL is not one of PostgreSQL, or it is neither a URL nor an engine.

    Example:
        >>> engine_for("postgresql://app@db.example/app").url.database
        'app'
    """
    if isinstance(target, str):
        return _engine(target)
    check_engine(target, ", or a postgresql:// URL as text", name="target")
    if isinstance(target, AsyncEngine) or target.dialect.is_async:
        return _engine(target.url.set(drivername="postgresql"))
    return target


def _engine(url: str | URL) -> Engine:
    if not url:
        raise ConfigError(["target: the URL is empty."])
    return create_engine(url, poolclass=NullPool)


@contextmanager
def own_connection(engine: Engine) -> Generator[Connection]:
    """Open a connection in AUTOCOMMIT, and really close it at the end, whatever the engine's pool.

    So its settings (`application_name`, a `lock_timeout` of 5 s, no other timeout) never leak to a request, and the
    locks of its session end with it. Meanwhile it takes one place in the pool. Behind a pooler nothing is set.
    """
    with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
        try:
            if not is_pooled(connection):  # Or the settings would be another client's next.
                prepare_session(connection)
            yield connection
        finally:
            # Not detach() at the start: SQLAlchemy 2.1 cannot set the isolation level of a detached connection, which
            # Alembic's autocommit_block does.
            connection.invalidate()


def prepare_session(connection: Connection) -> None:
    """Give a session our name, a `lock_timeout` of 5 s, and no other timeout."""
    connection.execute(_SET, {"settings": json.dumps(dict(_SETTINGS))})
    with suppress(DataError):  # A server on Windows cannot look whether its client is there.
        connection.execute(_NOTICE_DEATH)


@contextmanager
def outside_transactions(connection: Connection) -> Generator[Connection]:
    """Let an own connection do what must not be in a transaction, and what must last whatever comes after it."""
    connection.commit()
    connection.execution_options(isolation_level="AUTOCOMMIT")
    try:
        yield connection
    finally:
        connection.rollback()
        connection.execution_options(isolation_level="READ COMMITTED")


def set_lock_timeout(connection: Connection, lock_timeout: timedelta | None) -> None:
    """Say how long a statement of this session waits for a lock on a table; None for as long as it takes."""
    # 0 would mean to wait for ever. Session-level, because SET LOCAL would be lost with each revision's commit.
    milliseconds = 0 if lock_timeout is None else max(1, round(lock_timeout.total_seconds() * 1000))
    connection.execute(_LOCK_TIMEOUT, {"value": f"{milliseconds}ms"})


def begin_migrating(connection: Connection, *, lock_timeout: timedelta) -> None:
    """Make an own connection fit for Alembic: real transactions, and none begun.

    Args:
        connection: one of `own_connection`.
        lock_timeout: how long a statement waits for a lock on a table, PostgreSQL's `lock_timeout`.
    """
    set_lock_timeout(connection, lock_timeout)
    connection.commit()
    connection.execution_options(isolation_level="READ COMMITTED")
