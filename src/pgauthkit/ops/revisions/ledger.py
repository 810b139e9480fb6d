"""The ledger: which revision was applied when, by whom, how, how long it took, and what its file said then."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypeAlias

import attrs
import sqlalchemy as sa
from sqlalchemy import Connection, Executable
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.schema import CreateTable

from pgauthkit.migrations import LEDGER_TABLE
from pgauthkit.models import SCHEMA

__all__ = ["Entry", "How", "create_ledger", "forget", "read_ledger", "recorded", "recorded_failure", "recorded_start"]

How: TypeAlias = Literal["run", "stamped", "found"]
"""`run` by us, `stamped` as applied by `resolve`, or `found` applied, by plain Alembic."""

_LEDGER: Final = sa.Table(
    LEDGER_TABLE,
    sa.MetaData(),
    sa.Column("track", sa.Text, primary_key=True),
    sa.Column("revision", sa.Text, primary_key=True),
    sa.Column("checksum", sa.Text, nullable=False),
    sa.Column("how", sa.Text, nullable=False),
    sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
    sa.Column("finished_at", sa.DateTime(timezone=True)),
    sa.Column("sqlstate", sa.Text),
    sa.Column("applied_by", sa.Text, nullable=False, server_default=sa.func.session_user()),
    schema=SCHEMA,
)
_NOW: Final = sa.func.clock_timestamp()


@attrs.frozen(kw_only=True)
class Entry:
    """What the ledger says of one revision.

    Attributes:
        checksum: of what the file said, see `pgauthkit.ops.revisions.source.checksum`.
        how: how it came to be applied.
        started_at: when it was begun.
        finished_at: when it was done; None for a revision outside a transaction that failed or was interrupted.
        sqlstate: why it failed, where the server refused it.
        applied_by: the role.
    """

    checksum: str
    how: How
    started_at: datetime
    finished_at: datetime | None
    sqlstate: str | None
    applied_by: str

    @property
    def duration(self) -> timedelta | None:
        """How long it took; None when that is not known."""
        # In UTC, as the two come in the session's zone, whose clocks may have been put back between them.
        return self.finished_at.astimezone(UTC) - self.started_at if self.finished_at and self.how == "run" else None


def create_ledger() -> Executable:
    """Return the statement that makes the ledger, where there is none.

    Example:
        >>> "CREATE TABLE IF NOT EXISTS pgauthkit.migration_ledger" in str(create_ledger())
        True
    """
    return CreateTable(_LEDGER, if_not_exists=True)


def read_ledger(connection: Connection, track: str) -> Mapping[str, Entry]:
    """Return the entries of a track by revision; none where there is no ledger yet. Reads only.

    Example:
        >>> read_ledger(connection, "bundled")["0001"].how  # doctest: +SKIP
        'run'
    """
    if not sa.inspect(connection).has_table(LEDGER_TABLE, schema=SCHEMA):
        return {}
    names = [field.name for field in attrs.fields(Entry)]
    query = sa.select(_LEDGER).where(_LEDGER.c.track == track)
    rows = connection.execute(query).mappings()
    return {row["revision"]: Entry(**{name: row[name] for name in names}) for row in rows}


def recorded(track: str, revision: str, checksum: str, how: How, *, seconds: float = 0.0) -> Executable:
    """Return the statement that records a revision as applied, now, after so many seconds.

    Example:
        >>> connection.execute(recorded("bundled", "0001", "5f2c…", "stamped"))  # doctest: +SKIP
    """
    started_at = _NOW - sa.func.make_interval(0, 0, 0, 0, 0, 0, seconds) if seconds else _NOW
    return _written(track, revision, checksum=checksum, how=how, started_at=started_at, finished_at=_NOW, sqlstate=None)


def recorded_start(track: str, revision: str, checksum: str) -> Executable:
    """Return the statement that records that a revision outside a transaction begins.

    Example:
        >>> connection.execute(recorded_start("host", "2f1a", "5f2c…"))  # doctest: +SKIP
    """
    return _written(track, revision, checksum=checksum, how="run", started_at=_NOW, finished_at=None, sqlstate=None)


def recorded_failure(track: str, revision: str, sqlstate: str) -> Executable:
    """Return the statement that records why a revision outside a transaction failed.

    Example:
        >>> connection.execute(recorded_failure("host", "2f1a", "23505"))  # doctest: +SKIP
    """
    return sa.update(_LEDGER).where(_is(track, [revision])).values(sqlstate=sqlstate)


def forget(track: str, revisions: Iterable[str]) -> Executable:
    """Return the statement that removes revisions, as they are applied no longer.

    Example:
        >>> connection.execute(forget("host", ["2f1a"]))  # doctest: +SKIP
    """
    return sa.delete(_LEDGER).where(_is(track, list(revisions)))


def _is(track: str, revisions: list[str]) -> sa.ColumnElement[bool]:
    return (_LEDGER.c.track == track) & _LEDGER.c.revision.in_(revisions)


def _written(track: str, revision: str, **values: object) -> Executable:
    statement = insert(_LEDGER).values(track=track, revision=revision, **values)
    written = {name: statement.excluded[name] for name in (*values, "applied_by")}
    return statement.on_conflict_do_update(index_elements=["track", "revision"], set_=written)
