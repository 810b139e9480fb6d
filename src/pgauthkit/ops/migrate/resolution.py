"""Telling the records what was done by hand: a baseline, an accepted edit, a failed revision to be tried again."""

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
from alembic import command
from sqlalchemy import Connection, inspect

from pgauthkit.errors import BaselineError, MigrationError
from pgauthkit.models import SCHEMA
from pgauthkit.ops.revisions.bookkeeping import reconcile
from pgauthkit.ops.revisions.diagnosis import RevisionStatus, diagnose
from pgauthkit.ops.revisions.ledger import create_ledger, forget, recorded
from pgauthkit.ops.revisions.source import checksum
from pgauthkit.ops.revisions.tracks import BUNDLED, Track, TrackName
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for, outside_transactions
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock

__all__ = ["Resolution", "resolve_applied", "resolve_rolled_back"]

_WAIT: Final = timedelta(seconds=5)


@attrs.frozen(kw_only=True)
class Resolution:
    """What was resolved.

    Attributes:
        track: `bundled` or `host`.
        revision: the revision.
        was: the state that it was in before.

    Example:
        >>> resolve_applied("postgresql://app@db.example/app", "0001")  # doctest: +SKIP
        Resolution(track='bundled', revision='0001', was='pending')
    """

    track: TrackName
    revision: str
    was: str


def resolve_applied(
    target: Target, revision: str, *, host: Track | None = None, lock_timeout: timedelta = timedelta(seconds=60)
) -> Resolution:
    """Record that a revision, and all before it, is applied, without running it.

    For a database whose tables exist already (a baseline), for a failed revision that was finished by hand, and for an
    edited one whose change the database has. Whether the tables are really what the revisions make, tells
    `pgauthkit.ops.migrate.drift.find_drift`.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        revision: of either track, the application's first; `bundled:0001` for ours where both have a 0001. Its file's
            name does as well, with or without folder and `.py`.
        host: the application's own revisions.
        lock_timeout: how long to wait for a deployer.

    Raises:
        BaselineError: it is one of ours, and our tables are not there.
        MigrationError: there is no such revision.
        MigrationLockedError: a deployer was not done in time.
        DatabaseUnavailableError: the database cannot be reached.

    Example:
        >>> resolve_applied("postgresql://app@db.example/app", "0001").was  # doctest: +SKIP
        'pending'
    """
    engine = engine_for(target)
    with explained("Resolving", engine.url), migration_lock(engine, timeout=lock_timeout) as connection:
        track, found = _found(connection, revision, host)
        revision = found.id
        if found.state == "missing":
            raise MigrationError(f"Revision {revision} has no file, so it cannot be recorded as applied.")
        if track is BUNDLED and not inspect(connection).has_table("users", schema=SCHEMA):
            raise BaselineError("The tables of pgauthkit are not there: `pgauthkit migrate deploy` makes them.")
        begin_migrating(connection, lock_timeout=_WAIT)
        if found.state == "edited":
            path = next(known.path for known in track.revisions() if known.id == revision)
            with outside_transactions(connection):
                connection.execute(recorded(track.name, revision, checksum(path), "stamped"))
        elif found.state != "applied":
            command.stamp(track.config(connection), revision)
            with outside_transactions(connection):
                connection.execute(create_ledger())
                connection.execute(forget(track.name, [revision]))
        reconcile(connection, track, how="stamped")
    return Resolution(track=track.name, revision=revision, was=found.state)


def resolve_rolled_back(
    target: Target, revision: str, *, host: Track | None = None, lock_timeout: timedelta = timedelta(seconds=60)
) -> Resolution:
    """Record that what a failed revision did was undone by hand, so that the next deployment tries it again.

    Also forgets a revision that was applied once and has no file any more, as after old ones were made into one.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        revision: of either track, the application's first; `bundled:0001` for ours where both have a 0001. Its file's
            name does as well, with or without folder and `.py`.
        host: the application's own revisions.
        lock_timeout: how long to wait for a deployer.

    Raises:
        MigrationError: there is no such revision, or it is applied and has its file: `rollback` undoes it.
        MigrationLockedError: a deployer was not done in time.
        DatabaseUnavailableError: the database cannot be reached.

    Example:
        >>> resolve_rolled_back("postgresql://app@db.example/app", "2f1a", host=track).was  # doctest: +SKIP
        'failed'
    """
    engine = engine_for(target)
    with explained("Resolving", engine.url), migration_lock(engine, timeout=lock_timeout) as connection:
        track, found = _found(connection, revision, host)
        revision = found.id
        if found.state in {"applied", "edited"}:
            raise MigrationError(f"Revision {revision} is applied: `pgauthkit migrate rollback` undoes it.")
        connection.execute(create_ledger())
        connection.execute(forget(track.name, [revision]))
    return Resolution(track=track.name, revision=revision, was=found.state)


def _found(connection: Connection, revision: str, host: Track | None) -> tuple[Track, RevisionStatus]:
    known = diagnose(connection, host)
    for name in (revision, *_of_file(revision, host)):
        for standing, found in known.named(name):
            return (host if host and standing.name == "host" else BUNDLED), found
    raise MigrationError(f"There is no revision {revision}; `pgauthkit migrate status --json` lists them all.")


def _of_file(name: str, host: Track | None) -> Iterator[str]:
    stem = Path(name).name.removesuffix(".py")
    for track in (host, BUNDLED) if host else (BUNDLED,):
        yield from (f"{track.name}:{known.id}" for known in track.revisions() if known.path.stem == stem)
