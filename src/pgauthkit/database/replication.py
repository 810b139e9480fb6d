"""A primary and its replica: what each is set to, and how to wait until one has what the other has."""

import time
from collections.abc import Mapping
from typing import Any, Final

import psycopg
from sqlalchemy import Connection, orm, text

from pgauthkit.database.unavailable import translated
from pgauthkit.errors import DatabaseUnavailableError

__all__ = ["PAUSE_REPLAY", "STREAMING", "catch_up", "has_replayed", "log_position", "written"]

# What a server needs to be copied and followed, and the copy as well: a standby refuses less than its primary has.
STREAMING: Final[Mapping[str, str]] = {"wal_level": "replica", "max_wal_senders": "4", "hot_standby": "on"}
_PAUSE: Final = 0.005  # seconds between two questions
# The function alone asks for a pause: what has arrived by then is still replayed.
# https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-RECOVERY-CONTROL
PAUSE_REPLAY: Final = (
    "DO $$ BEGIN PERFORM pg_catalog.pg_wal_replay_pause();"
    " WHILE pg_catalog.pg_get_wal_replay_pause_state() <> 'paused' LOOP PERFORM pg_catalog.pg_sleep(0.005); END LOOP;"
    " END $$"
)


def log_position(db: orm.Session | Connection) -> str:
    """Return how far a primary has written: what was committed before is before it.

    It stands for what a caller has written, for `has_replayed`. Ask after the commit, in a transaction of its own.

    Args:
        db: on the primary; of async code by `run_sync`.

    Example:
        >>> with engine.connect() as connection:  # doctest: +SKIP
        ...     seen = log_position(connection)  # '0/1A2B3C8'
    """
    return str(db.scalar(text("SELECT pg_catalog.pg_current_wal_insert_lsn()::text")))


def has_replayed(db: orm.Session | Connection, position: str) -> bool:
    """Tell whether a replica shows all that its primary had written up to a position.

    The statements after it do. At REPEATABLE READ only those of a later transaction do, as this one has its snapshot.
    On a server that takes writes itself it is True.

    Args:
        db: on the replica; of async code by `run_sync`.
        position: what `log_position` returned.

    Example:
        >>> with replica_engine.connect() as connection:  # doctest: +SKIP
        ...     has_replayed(connection, seen)
        True
    """
    question = (
        "SELECT NOT pg_catalog.pg_is_in_recovery()"
        " OR pg_catalog.pg_last_wal_replay_lsn() >= CAST(:position AS pg_catalog.pg_lsn)"
    )
    return bool(db.scalar(text(question), {"position": position}))


def catch_up(primary: str, replica: str, *, timeout: float = 10.0) -> None:
    """Wait until a replica has replayed all that its primary has written by now.

    Args:
        primary: the URL of a database of the primary.
        replica: the same of the replica.
        timeout: in seconds.

    Raises:
        DatabaseUnavailableError: it has not in that time, or one of them cannot be reached.

    Example:
        >>> catch_up(server.url(), server.replica.url())  # doctest: +SKIP
    """
    with translated():
        with psycopg.connect(primary, autocommit=True) as connection:
            position = written(connection)
        # Of the whole server: a new database is there when its making has been replayed.
        with psycopg.connect(replica, dbname="postgres", autocommit=True) as connection:
            if not _has_replayed(connection, position, time.monotonic() + timeout):
                raise DatabaseUnavailableError(
                    f"The replica has not caught up within {timeout:g} s.",
                    hints=["See whether its replay is paused (pg_wal_replay_resume), or a query blocks it."],
                )


def written(connection: "psycopg.Connection[Any]") -> str:
    """Return how far a primary has written, and have that sent to those who follow it. In autocommit.

    Example:
        >>> written(connection)  # doctest: +SKIP
        '0/1A2B3C8'
    """
    row = connection.execute("SELECT pg_catalog.pg_current_wal_insert_lsn()::text").fetchone()
    # They get what is flushed, as a commit that waits for it does with all that was written before.
    connection.execute("SET synchronous_commit = 'local'")
    connection.execute("SELECT pg_catalog.pg_logical_emit_message(true, 'pgauthkit', '')")
    return str(row and row[0])


def _has_replayed(connection: "psycopg.Connection", position: str, end: float) -> bool:
    question = "SELECT pg_catalog.pg_last_wal_replay_lsn() >= %s::pg_catalog.pg_lsn"
    while connection.execute(question, [position]).fetchone() != (True,):
        if time.monotonic() > end:
            return False
        time.sleep(_PAUSE)
    return True
