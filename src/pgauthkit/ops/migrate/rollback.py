"""Undoing revisions: what would be undone, with its SQL and the rows that it would cost, and doing it."""

import re
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Final

import attrs
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pgauthkit.errors import MigrationError
from pgauthkit.ops.dump.backup import backup
from pgauthkit.ops.migrate.step import undo
from pgauthkit.ops.revisions.bookkeeping import reconcile
from pgauthkit.ops.revisions.diagnosis import Status, TrackStatus, diagnose, status
from pgauthkit.ops.revisions.environment import written_out
from pgauthkit.ops.revisions.tracks import BUNDLED, Revision, Track, TrackName
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for, own_connection
from pgauthkit.ops.server.failure import explained, explained_offline
from pgauthkit.ops.server.lock import migration_lock, one_in_this_process

__all__ = ["Loss", "Rollback", "RollbackPlan", "plan_rollback", "rollback"]

_NAME: Final = r'(?P<table>(?:"[^"]+"|\w+)(?:\.(?:"[^"]+"|\w+))?)'
# Each with all that follows it in its statement, where several may be dropped at once.
_TABLES: Final = re.compile(r"\bDROP\s+TABLE\s+(?P<rest>[^;]+)", re.IGNORECASE)
_COLUMNS: Final = re.compile(
    rf"\bALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?{_NAME}\s(?P<rest>[^;]+)", re.IGNORECASE
)
_COLUMN: Final = re.compile(r'\bDROP\s+COLUMN\s+(?:IF\s+EXISTS\s+)?(?P<column>"[^"]+"|\w+)', re.IGNORECASE)
_IN_A_LIST: Final = re.compile(rf"\s*(?:IF\s+EXISTS\s+)?{_NAME}", re.IGNORECASE)


@attrs.frozen(kw_only=True)
class Loss:
    """What a rollback destroys.

    Attributes:
        what: a table, or a column as `table.column`.
        rows: how many rows the table has, or how many of them have a value in the column.

    Example:
        >>> plan_rollback("postgresql://app@db.example/app", "base").losses[0].rows  # doctest: +SKIP
        1204
    """

    what: str
    rows: int


@attrs.frozen(kw_only=True)
class RollbackPlan:
    """What a rollback would do.

    Attributes:
        track: `bundled` or `host`.
        revisions: what it would undo, the newest first.
        sql: the statements; empty where the revision needs a database to say them.
        losses: what they destroy; only what `DROP TABLE` and `DROP COLUMN` destroy is counted.

    Example:
        >>> plan = plan_rollback("postgresql://app@db.example/app", host=track)  # doctest: +SKIP
        >>> plan.revisions, sum(loss.rows for loss in plan.losses)  # doctest: +SKIP
        (('2f1a',), 0)
    """

    track: TrackName
    revisions: tuple[str, ...]
    sql: str
    losses: tuple[Loss, ...]


@attrs.frozen(kw_only=True)
class Rollback:
    """What a rollback did.

    Attributes:
        track: `bundled` or `host`.
        undone: the revisions, the newest first.
        duration: how long it took, with waiting.
        backup: the file of the backup that was made first; None where none was asked for.

    Example:
        >>> done = rollback("postgresql://app@db.example/app", host=track)  # doctest: +SKIP
        >>> done.track, done.undone  # doctest: +SKIP
        ('host', ('2f1a',))
    """

    track: TrackName
    undone: tuple[str, ...]
    duration: timedelta
    backup: Path | None = None


def plan_rollback(target: Target, to: str = "-1", *, host: Track | None = None) -> RollbackPlan:
    """Tell what `rollback` would do. Reads only; counting the rows takes as long as it takes.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        to: as for `rollback`.
        host: the application's own revisions.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
        MigrationError: there is nothing to undo, or less than `to` says, no such revision, or no file for one that must
            be undone.

    Example:
        >>> plan_rollback("postgresql://app@db.example/app", "base").losses  # doctest: +SKIP
        (Loss(what='pgauthkit.users', rows=1204), …)
    """
    engine = engine_for(target)
    with explained("Planning the rollback", engine.url), own_connection(engine) as connection, one_in_this_process():
        track, undone = _chosen(diagnose(connection, host), host, to)
        sql = ""
        for revision in undone:
            try:
                with explained_offline():
                    sql += written_out(track, (revision.id,), f"{revision.id}@-1", down=True)
            except MigrationError:
                return RollbackPlan(track=track.name, revisions=_ids(undone), sql="", losses=())
        return RollbackPlan(track=track.name, revisions=_ids(undone), sql=sql, losses=_losses(connection, sql))


def rollback(
    target: Target,
    to: str = "-1",
    *,
    host: Track | None = None,
    backup_to: Path | None = None,
    lock_timeout: timedelta = timedelta(seconds=60),
    statement_lock_timeout: timedelta = timedelta(seconds=5),
) -> Rollback:
    """Undo revisions by their `downgrade()`, the newest first, each in a transaction of its own.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        to: `-1` for the last revision, `-2` for the last two; a revision, of either track, to be the last that stays
            (the application's where both have it, unless it is given as `bundled:0001`); or `base` for all. A number
            and `base` mean the application's track where that has something to undo, and ours otherwise.
        host: the application's own revisions.
        backup_to: a directory for a backup that is made first, see `pgauthkit.ops.dump.backup.backup`; None for none.
        lock_timeout: how long to wait for a deployer.
        statement_lock_timeout: how long a statement waits for a lock on a table.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.
        BackupError: there is no backup to be had; nothing was undone.
        MigrationLockedError: a deployer was not done in time.
        MigrationError: the server refused, as where a foreign key of the application points at our tables; there is
            nothing to undo, or less than `to` says, no such revision, or no file for one that must be undone.

    Example:
        >>> rollback("postgresql://app@db.example/app", host=track).undone  # doctest: +SKIP
        ('2f1a',)
    """
    started = time.monotonic()
    engine = engine_for(target)
    saved = None
    if backup_to is not None:
        _chosen(status(engine, host=host), host, to)  # Or a backup is made for nothing.
        saved = backup(engine, directory=backup_to, host=host).file
    with explained("The rollback", engine.url), migration_lock(engine, timeout=lock_timeout) as connection:
        track, undone = _chosen(diagnose(connection, host), host, to)
        begin_migrating(connection, lock_timeout=statement_lock_timeout)
        for revision in undone:
            undo(connection, track, revision, lock_timeout=statement_lock_timeout)
        reconcile(connection, track, how="found")
    duration = timedelta(seconds=time.monotonic() - started)
    return Rollback(track=track.name, undone=_ids(undone), duration=duration, backup=saved)


def _chosen(found: Status, host: Track | None, to: str) -> tuple[Track, tuple[Revision, ...]]:
    standing = _standing(found, to)
    if standing.unknown:
        raise MigrationError(f"Revision {', '.join(standing.unknown)} has no file here, so it cannot be undone.")
    track = host if host and standing.name == "host" else BUNDLED
    done = set(standing.in_state("applied", "edited"))
    applied = [revision for revision in track.revisions() if revision.id in done]
    if to == "base":
        undone = applied
    elif to.startswith("-"):
        if -int(to) > len(applied) > 0:
            count = f"{len(applied)} are" if len(applied) > 1 else "1 is"
            raise MigrationError(f"Only {count} applied, so {to} cannot be undone. Nothing was changed. `base` is all.")
        undone = applied[int(to) :]
    else:
        last = to.rpartition(":")[2]
        undone = [revision for revision in applied if last in track.applied([revision.id]) - {revision.id}]
    if not undone:
        raise MigrationError("There is nothing to undo.")
    return track, tuple(undone[::-1])


def _standing(found: Status, to: str) -> TrackStatus:
    if to != "base" and not re.fullmatch(r"-[1-9]\d{0,3}", to):
        for standing, revision in found.named(to):
            if revision.state in {"applied", "edited"}:
                return standing
        raise MigrationError(f"Revision {to} is not applied, so there is no way back to it.")
    host_has_some = found.host is not None and (found.host.in_state("applied", "edited") or found.host.unknown)
    return found.host if found.host is not None and host_has_some else found.bundled


def _ids(revisions: tuple[Revision, ...]) -> tuple[str, ...]:
    return tuple(revision.id for revision in revisions)


def _losses(connection: Connection, sql: str) -> tuple[Loss, ...]:
    losses = [Loss(what=name, rows=_count(connection, query)) for name, query in _questions(sql)]
    return tuple(loss for loss in losses if loss.rows)


def _questions(sql: str) -> Iterator[tuple[str, str]]:
    for dropped in _TABLES.finditer(sql):
        for table in filter(None, map(_IN_A_LIST.match, dropped["rest"].split(","))):
            yield table["table"], f"SELECT count(*) FROM {table['table']}"  # noqa: S608 - a name in the revision's file
    for changed in _COLUMNS.finditer(sql):
        name = changed["table"]
        for column in _COLUMN.findall(changed["rest"]):
            yield f"{name}.{column}", f"SELECT count({column}) FROM {name}"  # noqa: S608 - the same


def _count(connection: Connection, query: str) -> int:
    try:
        return int(connection.execute(text(query)).scalar_one())
    except DBAPIError:  # Not there, which DROP … IF EXISTS allows; or made and dropped on the way.
        connection.rollback()
        return 0
