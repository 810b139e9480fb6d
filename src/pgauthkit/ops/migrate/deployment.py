"""Bringing a database to the revisions that this release and the application need."""

import logging
import time
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
from sqlalchemy import Connection

from pgauthkit.errors import EditedMigrationError, MigrationError
from pgauthkit.ops.dump.backup import backup
from pgauthkit.ops.migrate.step import apply
from pgauthkit.ops.revisions.bookkeeping import reconcile
from pgauthkit.ops.revisions.diagnosis import Status, TrackStatus, diagnose, status
from pgauthkit.ops.revisions.tracks import BUNDLED, Track
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock

__all__ = ["Deployment", "deploy"]

_log: Final = logging.getLogger("pgauthkit.migrate")


@attrs.frozen(kw_only=True)
class Deployment:
    """What a deployment did.

    Attributes:
        applied: the revisions of ours that it applied, the oldest first; empty where nothing was to do.
        head: the revision of ours that the database is at now.
        duration: how long it took, with waiting.
        host: the application's revisions that it applied, the oldest first.
        edited: revisions of both tracks whose files were changed after they had been applied.
        backup: the file of the backup that was made first; None where none was asked for, or nothing was to do.

    Example:
        >>> done = deploy("postgresql://app@db.example/app")  # doctest: +SKIP
        >>> done.applied, done.head  # doctest: +SKIP
        (('0001',), '0001')
    """

    applied: tuple[str, ...]
    head: str
    duration: timedelta
    host: tuple[str, ...] = ()
    edited: tuple[str, ...] = ()
    backup: Path | None = None


def deploy(
    target: Target,
    *,
    host: Track | None = None,
    strict: bool = False,
    backup_to: Path | None = None,
    lock_timeout: timedelta = timedelta(seconds=60),
    statement_lock_timeout: timedelta = timedelta(seconds=5),
) -> Deployment:
    """Apply the revisions that a database lacks, ours first, each in a transaction of its own.

    Any number may deploy at once: one holds the lock and applies, the others wait and find nothing left to do. A
    deployer with nothing to do takes no lock and never waits. A deployer that is killed leaves the revisions that it
    finished, and no part of another; of a revision outside a transaction (CREATE INDEX CONCURRENTLY) the ledger says
    that it was begun, and the next deployment clears away what it left and finishes.

    A statement that waits for a table longer than `statement_lock_timeout` gives up, because everybody else queues
    behind it; its revision is then tried again, five times in all. From async code: `await asyncio.to_thread(deploy,
    engine)`.

    Args:
        target: an engine, of whose connections one is used at a time, and closed; an async engine, of which only the
            URL is used; or a `postgresql://` URL. It must lead to the server itself, or to a pooler in session mode.
        host: the application's own revisions, see `pgauthkit.ops.revisions.tracks.host_track`.
        strict: whether an edited revision is an error, and not a warning.
        backup_to: a directory for a backup that is made before anything is applied, see
            `pgauthkit.ops.dump.backup.backup`; None for none. Deployers that start at once each need a directory.
        lock_timeout: how long to wait for another deployer.
        statement_lock_timeout: how long a statement waits for a lock on a table (PostgreSQL's `lock_timeout`).

    Raises:
        ConfigError: the URL is not one of PostgreSQL.
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.
        BackupError: there is no backup to be had; nothing was applied.
        MigrationLockedError: another deployer was not done in time.
        EditedMigrationError: `strict`, and a file was changed after it had been applied.
        MigrationError: the server refused a revision, or had refused one outside a transaction that nobody has resolved
            since; the database is ahead of these files; the URL leads to a pooler in transaction mode.

    Example:
        >>> deploy("postgresql://app@db.example/app").applied  # doctest: +SKIP
        ('0001',)
    """
    started = time.monotonic()
    engine = engine_for(target)
    found = _checked(status(engine, host=host), strict=strict)
    edited = tuple(name for track in found.tracks for name in track.in_state("edited"))
    for name in edited:
        _log.warning("The file of revision %s was changed after it had been applied.", name)
    saved = None
    if any(track.pending for track in found.tracks):
        if backup_to is not None:
            saved = backup(engine, directory=backup_to, host=host).file
        with explained("The deployment", engine.url), migration_lock(engine, timeout=lock_timeout) as connection:
            found = _checked(diagnose(connection, host), strict=strict)
            begin_migrating(connection, lock_timeout=statement_lock_timeout)
            _deploy_track(connection, BUNDLED, found.bundled, statement_lock_timeout)
            if host and found.host:
                _deploy_track(connection, host, found.host, statement_lock_timeout)
    return Deployment(
        applied=found.bundled.pending,
        head=found.head,
        duration=timedelta(seconds=time.monotonic() - started),
        host=found.host.pending if found.host else (),
        edited=edited,
        backup=saved,
    )


def _deploy_track(connection: Connection, track: Track, found: TrackStatus, lock_timeout: timedelta) -> None:
    for revision in track.revisions():
        if revision.id in found.pending:
            apply(connection, track, revision, lock_timeout=lock_timeout)
    reconcile(connection, track, how="found")


def _checked(found: Status, *, strict: bool) -> Status:
    for track in found.tracks:
        if track.unknown:
            raise MigrationError(_unknown(track))
        if failed := track.in_state("failed"):
            raise MigrationError(
                f"Revision {failed[0]} failed before, outside a transaction, so a part of it may be done. Nothing was"
                f" changed now. Let it be tried again with `pgauthkit migrate resolve --rolled-back {failed[0]}`, or"
                f" finish it by hand and say so with `pgauthkit migrate resolve --applied {failed[0]}`."
            )
        if strict and (edited := track.in_state("edited")):
            raise EditedMigrationError(
                f"The file of revision {edited[0]} was changed after it had been applied. Take the change back and make"
                " a new revision of it; or, where the database has it already, accept it with"
                f" `pgauthkit migrate resolve --applied {edited[0]}`."
            )
    return found


def _unknown(track: TrackStatus) -> str:
    revision = ", ".join(track.unknown)
    if track.name == "bundled":
        return (
            f"The database is at revision {revision}, which this release of pgauthkit does not know: a newer one has"
            " migrated it. Nothing was changed."
        )
    return (
        f"The database is at revision {revision}, which is not among the application's files: a newer version of it has"
        " migrated the database, or the file was lost. Nothing was changed."
    )
