"""Bringing a database to the revision that this release needs, and telling where it stands."""

import logging
import time
from datetime import timedelta
from typing import Final

import attrs
from alembic import command
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from pgauthkit.errors import MigrationError
from pgauthkit.ops.connection import Target, begin_migrating, engine_for, own_connection
from pgauthkit.ops.failure import explained, is_in_the_way, sqlstate
from pgauthkit.ops.lock import migration_lock
from pgauthkit.ops.revisions import alembic_config, bundled_revisions, current_revision

__all__ = ["Deployment", "Status", "deploy", "status"]

_log: Final = logging.getLogger("pgauthkit.migrate")
# Pauses between tries, as parts of the time that a statement waits for a lock: whoever queued behind us gets in.
_PAUSES: Final = (0.1, 0.2, 0.4, 0.8)


@attrs.frozen(kw_only=True)
class Status:
    """Where a database stands.

    Attributes:
        current: the revision that it is at; None when it has none of ours.
        head: the revision that this release needs.
        pending: what a deployment would apply, the oldest first.
    """

    current: str | None
    head: str
    pending: tuple[str, ...]

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do."""
        return self.current == self.head

    @property
    def is_ahead(self) -> bool:
        """Whether the database is at a revision that this release does not know: a newer one has been here."""
        return not self.in_sync and not self.pending


@attrs.frozen(kw_only=True)
class Deployment:
    """What a deployment did.

    Attributes:
        applied: the revisions that it applied, the oldest first; empty where nothing was to do.
        head: the revision that the database is at now.
        duration: how long it took, with waiting.
    """

    applied: tuple[str, ...]
    head: str
    duration: timedelta


def deploy(
    target: Target,
    *,
    lock_timeout: timedelta = timedelta(seconds=60),
    statement_lock_timeout: timedelta = timedelta(seconds=5),
) -> Deployment:
    """Apply the revisions that a database lacks, each in a transaction of its own; nothing when there are none.

    Any number may deploy at once: one holds the lock and applies, the others wait and find nothing left to do. A
    deployer with nothing to do takes no lock and never waits. A deployer that is killed leaves the revisions that it
    finished, and no part of another.

    A statement that waits for a table longer than `statement_lock_timeout` gives up, because everybody else queues
    behind it; its revision is then tried again, five times in all. From async code: `await asyncio.to_thread(deploy,
    engine)`.

    Args:
        target: an engine, of whose connections one is used at a time, and closed; an async engine, of which only the
            URL is used; or a `postgresql://` URL. It must lead to the server itself, or to a pooler in session mode.
        lock_timeout: how long to wait for another deployer.
        statement_lock_timeout: how long a statement waits for a lock on a table (PostgreSQL's `lock_timeout`).

    Raises:
        ConfigError: the URL is not one of PostgreSQL.
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.
        MigrationLockedError: another deployer was not done in time.
        MigrationError: the server refused a revision, which is then undone; or the database is ahead of this release.

    Example:
        >>> deploy("postgresql://app@db.example/app").applied  # doctest: +SKIP
        ('0001',)
    """
    started = time.monotonic()
    engine = engine_for(target)
    found = status(engine)
    applied: tuple[str, ...] = ()
    if _pending(found):
        with explained("The deployment", engine.url), migration_lock(engine, timeout=lock_timeout) as connection:
            applied = _pending(_read(connection))
            begin_migrating(connection, lock_timeout=statement_lock_timeout)
            for revision in applied:
                _apply(connection, revision, statement_lock_timeout)
    return Deployment(applied=applied, head=found.head, duration=timedelta(seconds=time.monotonic() - started))


def status(target: Target) -> Status:
    """Tell where a database stands. Takes no lock but that of reading, and writes nothing.

    Args:
        target: as for `deploy`.

    Raises:
        ConfigError: the URL is not one of PostgreSQL.
        DatabaseUnavailableError: the database cannot be reached.
        MigrationError: the version table cannot be read, or has more than one row.

    Example:
        >>> status("postgresql://app@db.example/app")  # doctest: +SKIP
        Status(current=None, head='0001', pending=('0001',))
    """
    engine = engine_for(target)
    with explained("Reading the version table", engine.url), own_connection(engine) as connection:
        return _read(connection)


def _read(connection: Connection) -> Status:
    current, revisions = current_revision(connection), bundled_revisions()
    if current is None:
        pending = revisions
    elif current in revisions:
        pending = revisions[revisions.index(current) + 1 :]
    else:
        pending = ()
    return Status(current=current, head=revisions[-1], pending=pending)


def _pending(found: Status) -> tuple[str, ...]:
    if found.is_ahead:
        raise MigrationError(
            f"The database is at revision {found.current}, which this release of pgauthkit does not know: a newer one"
            " has migrated it. Nothing was changed."
        )
    return found.pending


def _apply(connection: Connection, revision: str, statement_lock_timeout: timedelta) -> None:
    # One call of Alembic for each revision, so that a failure has a name, and a second try begins where the first did.
    pauses = [part * statement_lock_timeout.total_seconds() for part in _PAUSES]
    with explained(f"Revision {revision}", connection.engine.url):
        while True:
            try:
                return command.upgrade(alembic_config(connection), revision)
            except DBAPIError as error:
                connection.rollback()
                if not (pauses and is_in_the_way(error)):
                    raise
                _log.warning("Revision %s met another transaction (SQLSTATE %s): again.", revision, sqlstate(error))
                time.sleep(pauses.pop(0))
