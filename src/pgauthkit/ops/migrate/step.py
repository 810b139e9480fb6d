"""One revision, up or down: retried after a lock timeout or a conflict, and never half done without a record."""

import logging
import time
from datetime import timedelta
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError, PendingRollbackError

from pgauthkit.errors import MigrationError
from pgauthkit.ops.revisions.environment import move
from pgauthkit.ops.revisions.ledger import create_ledger, recorded_failure, recorded_start
from pgauthkit.ops.revisions.source import checksum, is_autocommit, words
from pgauthkit.ops.revisions.tracks import Revision, Track
from pgauthkit.ops.server.connection import outside_transactions
from pgauthkit.ops.server.failure import (
    advice,
    explained,
    is_about_the_connection,
    is_in_the_way,
    server_message,
    sqlstate,
)

__all__ = ["apply", "undo"]

_log: Final = logging.getLogger("pgauthkit.migrate")
# Pauses between tries, as parts of the time that a statement waits for a lock: those queued behind us get in.
_PAUSES: Final = (0.1, 0.2, 0.4, 0.8)
_INVALID: Final = text(
    "SELECT relation.relname, pg_catalog.format('DROP INDEX CONCURRENTLY IF EXISTS %I.%I', nspname, relname) AS mend"
    " FROM pg_catalog.pg_index JOIN pg_catalog.pg_class AS relation ON relation.oid = indexrelid"
    " JOIN pg_catalog.pg_namespace AS schema ON schema.oid = relnamespace"
    " WHERE NOT indisvalid AND relkind = 'i' AND relname = ANY(:names)"
)


def apply(connection: Connection, track: Track, revision: Revision, *, lock_timeout: timedelta) -> None:
    """Apply one revision, whose parents are applied.

    In a transaction it is done wholly or not at all. Outside of one (an `autocommit_block()`, as for CREATE INDEX
    CONCURRENTLY) the ledger says that it was begun; INVALID indexes that an earlier try left under a name in the file
    are dropped first.

    Args:
        connection: one that holds the migration lock, after `begin_migrating`.
        track: the revision's.
        revision: what to apply.
        lock_timeout: how long a statement waits for a lock on a table.

    Raises:
        DatabaseUnavailableError: the database was lost.
        MigrationError: the server refused the revision.

    Example:
        >>> apply(connection, BUNDLED, BUNDLED.revisions()[0], lock_timeout=timedelta(seconds=5))  # doctest: +SKIP
    """
    with explained(f"Revision {revision.id}", connection.engine.url):
        if not is_autocommit(revision.path, "upgrade"):
            return _again(connection, track, revision, lock_timeout)
        with outside_transactions(connection):
            connection.execute(create_ledger())
            connection.execute(recorded_start(track.name, revision.id, checksum(revision.path)))
        try:
            _again(connection, track, revision, lock_timeout, autocommit=True)
        except DBAPIError as error:
            if is_about_the_connection(state := sqlstate(error)):
                raise  # Interrupted, not failed: the next deployment tries again.
            with outside_transactions(connection):
                connection.execute(recorded_failure(track.name, revision.id, str(state)))
            raise MigrationError(_blocked(revision.id, error)) from error


def undo(connection: Connection, track: Track, revision: Revision, *, lock_timeout: timedelta) -> None:
    """Undo one revision, which nothing that is applied follows; see `apply`.

    Raises:
        DatabaseUnavailableError: the database was lost.
        MigrationError: the server refused.

    Example:
        >>> undo(connection, BUNDLED, BUNDLED.revisions()[0], lock_timeout=timedelta(seconds=5))  # doctest: +SKIP
    """
    with explained(f"Undoing revision {revision.id}", connection.engine.url):
        is_autocommit(revision.path, "downgrade")
        _again(connection, track, revision, lock_timeout, down=True)


def _again(
    connection: Connection,
    track: Track,
    revision: Revision,
    lock_timeout: timedelta,
    *,
    autocommit: bool = False,
    down: bool = False,
) -> None:
    pauses = [part * lock_timeout.total_seconds() for part in _PAUSES]
    while True:
        try:
            if autocommit:
                _drop_invalid(connection, revision)
            # CREATE INDEX CONCURRENTLY waits for old transactions while it blocks nobody, so it may take its time.
            wait = None if autocommit else lock_timeout
            return move(track, connection, _destination(revision, down=down), down=down, lock_timeout=wait)
        except PendingRollbackError as error:
            # The end of Alembic's autocommit block, on a connection that is lost, hides that it was lost.
            raise error.__context__ or error from None
        except DBAPIError as error:
            connection.rollback()
            if not (pauses and is_in_the_way(error)):
                raise
            _log.warning("Revision %s met another transaction (SQLSTATE %s): again.", revision.id, sqlstate(error))
            time.sleep(pauses.pop(0))


def _destination(revision: Revision, *, down: bool) -> str:
    return f"{revision.id}@-1" if down else revision.id


def _drop_invalid(connection: Connection, revision: Revision) -> None:
    # IF NOT EXISTS would keep what a killed CREATE INDEX CONCURRENTLY left: an index that costs, and is never used.
    with outside_transactions(connection):
        for name, mend in connection.execute(_INVALID, {"names": sorted(words(revision.path))}).all():
            _log.warning("Index %s is INVALID, left by an earlier try: dropped.", name)
            connection.execute(text(mend))


def _blocked(revision: str, error: DBAPIError) -> str:
    return (
        f"Revision {revision} failed: {server_message(error)} (SQLSTATE {sqlstate(error)}).{advice(error)}"
        " It runs outside a transaction, so a part of it may be done. When the cause is gone, let it be tried again"
        f" with `pgauthkit migrate resolve --rolled-back {revision}`, or finish it by hand and say so with"
        f" `pgauthkit migrate resolve --applied {revision}`."
    )
