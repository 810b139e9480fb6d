"""Where a database stands: every revision of both tracks, and what is the matter with it."""

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from typing import Literal, TypeAlias

import attrs
from sqlalchemy import Connection

from pgauthkit.ops.revisions.environment import read_heads
from pgauthkit.ops.revisions.ledger import Entry, How, read_ledger
from pgauthkit.ops.revisions.source import checksum
from pgauthkit.ops.revisions.tracks import BUNDLED, Revision, Track, TrackName
from pgauthkit.ops.server.connection import Target, engine_for, own_connection
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import one_in_this_process

__all__ = ["RevisionStatus", "State", "Status", "TrackStatus", "diagnose", "status"]

State: TypeAlias = Literal["applied", "pending", "edited", "missing", "failed", "interrupted"]
"""`edited`: applied, and its file changed since. `missing`: applied, and there is no file. `failed`: the server refused
a revision outside a transaction, which blocks a deployment. `interrupted`: the deployer of such a revision was ended
in the middle; the next deployment finishes it."""


@attrs.frozen(kw_only=True)
class RevisionStatus:
    """One revision, as files, version table and ledger have it.

    Attributes:
        id: the revision.
        title: the first line of its file; empty where there is none.
        state: see `State`.
        how: how it was applied; None where the ledger does not know.
        applied_at: when it was applied.
        duration: how long that took.
        applied_by: by which role.
        sqlstate: why it failed.

    Example:
        >>> RevisionStatus(id="0001", title="Users, magic links, sessions", state="pending").applied_at is None
        True
    """

    id: str
    title: str
    state: State
    how: How | None = None
    applied_at: datetime | None = None
    duration: timedelta | None = None
    applied_by: str | None = None
    sqlstate: str | None = None


@attrs.frozen(kw_only=True)
class TrackStatus:
    """Where a database stands on one track.

    Attributes:
        name: `bundled` or `host`.
        current: the rows of the version table.
        heads: where a deployment leads.
        revisions: all of them, the oldest first; those without a file last.

    Example:
        >>> status("postgresql://app@db.example/app").bundled.in_state("edited")  # doctest: +SKIP
        ()
    """

    name: TrackName
    current: tuple[str, ...]
    heads: tuple[str, ...]
    revisions: tuple[RevisionStatus, ...]

    def in_state(self, *states: State) -> tuple[str, ...]:
        """Return the revisions in one of these states, the oldest first."""
        return tuple(revision.id for revision in self.revisions if revision.state in states)

    @property
    def pending(self) -> tuple[str, ...]:
        """What a deployment would apply, the oldest first."""
        return self.in_state("pending", "interrupted")

    @property
    def in_sync(self) -> bool:
        """Whether every revision is applied, as its file says."""
        return all(revision.state == "applied" for revision in self.revisions)

    @property
    def unknown(self) -> tuple[str, ...]:
        """The rows of the version table that no file explains."""
        return tuple(set(self.current) & set(self.in_state("missing")))

    @property
    def is_ahead(self) -> bool:
        """Whether the database is where these files do not lead, and lacks none of them, so newer files exist."""
        return bool(self.unknown) and not self.pending

    @property
    def is_diverged(self) -> bool:
        """Whether the database is where these files do not lead, and lacks some of them, so there are two histories."""
        return bool(self.unknown) and bool(self.pending)


@attrs.frozen(kw_only=True)
class Status:
    """Where a database stands.

    Attributes:
        bundled: on our track.
        host: on the application's; None where none was given.

    Example:
        >>> found = status("postgresql://app@db.example/app")  # doctest: +SKIP
        >>> found.in_sync, found.pending  # doctest: +SKIP
        (False, ('0001',))
    """

    bundled: TrackStatus
    host: TrackStatus | None = None

    @property
    def tracks(self) -> tuple[TrackStatus, ...]:
        """Both tracks, in the order in which they are deployed."""
        return (self.bundled, self.host) if self.host else (self.bundled,)

    @property
    def current(self) -> str | None:
        """The revision of ours that it is at; None when it has none."""
        return next(iter(self.bundled.current), None)

    @property
    def head(self) -> str:
        """The revision of ours that this release needs."""
        return self.bundled.heads[0]

    @property
    def pending(self) -> tuple[str, ...]:
        """What a deployment would apply of ours, the oldest first."""
        return self.bundled.pending

    @property
    def in_sync(self) -> bool:
        """Whether there is nothing to do and nothing to explain, on either track."""
        return all(track.in_sync for track in self.tracks)

    @property
    def is_ahead(self) -> bool:
        """Whether the database is at a revision that this release does not know, since a newer one has been here."""
        return self.bundled.is_ahead

    def named(self, revision: str) -> Iterator[tuple[TrackStatus, RevisionStatus]]:
        """Yield what goes by a name, the application's first; `bundled:0001` is ours where both have a 0001."""
        track, _, id_ = revision.rpartition(":")
        for standing in reversed(self.tracks):
            for found in standing.revisions:
                if found.id == id_ and track in {"", standing.name}:
                    yield standing, found


def status(target: Target, *, host: Track | None = None) -> Status:
    """Tell where a database stands. Takes no lock but that of reading, and writes nothing.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        host: the application's own revisions.

    Raises:
        ConfigError: the URL is not one of PostgreSQL.
        DatabaseUnavailableError: the database cannot be reached.
        MigrationLockedError: another thread of this process was migrating for a minute.
        MigrationError: the version table cannot be read, or has more than one row.

    Example:
        >>> status("postgresql://app@db.example/app").pending  # doctest: +SKIP
        ('0001',)
    """
    engine = engine_for(target)
    with explained("Reading the version table", engine.url), own_connection(engine) as connection:
        if host is None:
            return diagnose(connection, None)
        with one_in_this_process():
            return diagnose(connection, host)


def diagnose(connection: Connection, host: Track | None) -> Status:
    """Tell where a database stands. Reads only.

    Example:
        >>> diagnose(connection, None).in_sync  # doctest: +SKIP
        True
    """
    return Status(bundled=_track(connection, BUNDLED), host=_track(connection, host) if host else None)


def _track(connection: Connection, track: Track) -> TrackStatus:
    current, revisions, ledger = read_heads(track, connection), track.revisions(), read_ledger(connection, track.name)
    known = {revision.id for revision in revisions}
    applied = track.applied(current)
    if not known.issuperset(current):
        # The version table leads out of our files: only the ledger knows what came before. Where there is none, assume
        # that a newer release has been here, which has all of ours.
        done = {name for name, entry in ledger.items() if entry.finished_at}
        applied |= (done or known) & known
    missing = {name for name, entry in ledger.items() if entry.finished_at and name not in known}
    missing |= set(current) - known
    return TrackStatus(
        name=track.name,
        current=current,
        heads=tuple(sorted(known - {parent for revision in revisions for parent in revision.parents})),
        revisions=(
            *(_revision(found, ledger.get(found.id), is_applied=found.id in applied) for found in revisions),
            *(_missing(name, ledger) for name in sorted(missing)),
        ),
    )


def _revision(revision: Revision, entry: Entry | None, *, is_applied: bool) -> RevisionStatus:
    if is_applied:
        edited = entry is not None and entry.finished_at is not None and entry.checksum != checksum(revision.path)
        return _told(revision.id, revision.title, "edited" if edited else "applied", entry)
    if entry is None or entry.finished_at:  # Undone by plain Alembic, which knows no ledger.
        return RevisionStatus(id=revision.id, title=revision.title, state="pending")
    return _told(revision.id, revision.title, "failed" if entry.sqlstate else "interrupted", entry)


def _missing(revision: str, ledger: Mapping[str, Entry]) -> RevisionStatus:
    return _told(revision, "", "missing", ledger.get(revision))


def _told(revision: str, title: str, state: State, entry: Entry | None) -> RevisionStatus:
    if entry is None:
        return RevisionStatus(id=revision, title=title, state=state)
    return RevisionStatus(
        id=revision,
        title=title,
        state=state,
        how=entry.how,
        applied_at=entry.finished_at,
        duration=entry.duration,
        applied_by=entry.applied_by,
        sqlstate=entry.sqlstate,
    )
