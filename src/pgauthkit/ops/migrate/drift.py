"""Drift: how a database differs from what its applied migrations make, in sentences."""

from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta

import attrs
from sqlalchemy import Connection, make_url, text

from pgauthkit.migrations import LEDGER_TABLE, VERSION_TABLE
from pgauthkit.models import SCHEMA
from pgauthkit.ops.migrate.catalog import Item, Kind, describe, schemas_with_tables
from pgauthkit.ops.migrate.theirs import declared_by, declared_on_users
from pgauthkit.ops.revisions.environment import move, read_environment, read_heads
from pgauthkit.ops.revisions.tracks import BUNDLED, Track
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for, own_connection
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock, one_in_this_process
from pgauthkit.ops.server.shadow import shadow_database

__all__ = ["Difference", "find_drift"]


@attrs.frozen(kw_only=True)
class Difference:
    """One thing that is not as the migrations make it.

    Attributes:
        kind: `table`, `column`, `constraint`, `index`, `trigger`, `rule`, `policy`, `statistics`, `type`, `view`,
            `function`, `sequence`, `operator`, `collation` and so on; see `pgauthkit.ops.migrate.catalog.Kind`.
        name: its full name.
        migrations: its definition by the migrations; None where they do not make it.
        database: its definition in the database; None where it is not there.

    Example:
        >>> Difference(kind="table", name="public.notes", migrations=None, database="TABLE").explanation
        'The table public.notes is in the database, and no migration makes it.'
    """

    kind: Kind
    name: str
    migrations: str | None
    database: str | None

    @property
    def explanation(self) -> str:
        """What is different, in a sentence."""
        owner = declared_by(self.name)
        what = f"{self.kind} {self.name}{f' of {owner}' if owner else ''}"
        if self.database is None:
            return f"The {what} is missing: the migrations make it, and it was dropped or renamed by hand."
        if self.migrations is None:
            return f"The {what} is in the database, and no migration makes it."
        if self.database.endswith(" INVALID"):
            return f"The {what} is INVALID: its CREATE INDEX CONCURRENTLY did not finish, and no query uses it."
        return f"The {what} is different."

    @property
    def ways_out(self) -> tuple[str, str]:
        """The two things to do, which are to keep what the database has or to go back to what the migrations make."""
        if self.migrations is None:
            keep, back = "makes it too", "drop it by hand"
        elif self.database is None:
            keep, back = "drops it too", "make it again by hand, as they define it"
        else:
            keep, back = "makes it the same", "change it back by hand, as they define it"
        kept = f"write a migration that {keep} (`pgauthkit migrate new --empty`)"
        return (
            f"To keep it so: {kept}, and record it here (`pgauthkit migrate resolve --applied`).",
            f"To go back to the migrations: {back}.",
        )


def find_drift(
    target: Target, *, host: Track | None = None, shadow_url: str | None = None, ignored: Collection[str] = ()
) -> tuple[Difference, ...]:
    """Compare a database with an empty one on which the same revisions have been run, by the server's catalog.

    Nothing is changed in the database. What is pending is no drift. The second database, the shadow, is made beside the
    first and dropped again.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`.
        host: the application's own revisions; without them only our tables are compared, and of these not the columns
            that the application's class of users declares, with their constraints and indexes.
        shadow_url: an empty database to be used as the shadow, for a role that may not create one. What the revisions
            make in it is left there.
        ignored: names of tables, views, sequences, types and functions that no migration makes and nobody should ask
            about.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.
        MigrationError: the role may not create databases, or a revision fails on the shadow.

    Example:
        >>> for found in find_drift("postgresql://app@db.example/app"):  # doctest: +SKIP
        ...     print(found.explanation, *found.ways_out)
    """
    engine = engine_for(target)
    with explained("Looking for drift", engine.url), own_connection(engine) as connection:
        tracks = [(track, _heads(track, connection)) for track in (BUNDLED, host) if track]
        home = connection.scalar(text("SELECT quote_ident(current_schema())"))
        with _shadow(connection, shadow_url) as url:
            expected, schemas, hidden = _expected(url, tracks, ignored, home or "public")
        found = describe(connection, schemas, ignored=hidden)
        theirs = declared_on_users() if host is None else frozenset[str]()
    return _differences(expected, {item: found[item] for item in found if item.name not in theirs})


def _heads(track: Track, connection: Connection) -> tuple[str, ...]:
    with one_in_this_process():
        return read_heads(track, connection)


def _shadow(connection: Connection, url: str | None) -> AbstractContextManager[str]:
    if url is not None:
        return nullcontext(url)
    cure = "Give an empty one with --shadow-url, or the right to make one: ALTER ROLE … CREATEDB."
    return shadow_database(connection, cure=cure)


def _expected(
    url: str, tracks: list[tuple[Track, tuple[str, ...]]], ignored: Collection[str], home: str
) -> tuple[Mapping[Item, str], tuple[str, ...], tuple[str, ...]]:
    engine = engine_for(url)
    hidden = [VERSION_TABLE, LEDGER_TABLE, *ignored]
    with explained("The shadow database", make_url(url)), migration_lock(engine) as connection:
        # The one that the search path leads to may have been made by hand.
        connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {home}"))
        begin_migrating(connection, lock_timeout=timedelta(seconds=5))
        for track, heads in tracks:
            applied = track.applied(heads)
            for revision in track.revisions():
                if revision.id in applied:  # One by one, as when deployed: a block in autocommit asks for that.
                    move(track, connection, revision.id)
            hidden.append(read_environment(track, connection).version_table)
        schemas = schemas_with_tables(connection) if len(tracks) > 1 else (SCHEMA,)
        return describe(connection, schemas, ignored=hidden), schemas, tuple(hidden)


def _differences(expected: Mapping[Item, str], found: Mapping[Item, str]) -> tuple[Difference, ...]:
    items = sorted(expected.keys() | found.keys(), key=lambda item: (item.owner or item.name, item.kind, item.name))
    holders = ("table", "view")
    tables = {item.name for item in items if item.kind in holders and (item in expected) != (item in found)}
    return tuple(
        Difference(kind=item.kind, name=item.name, migrations=expected.get(item), database=found.get(item))
        for item in items
        # A table or view that is there on one side only speaks for all that belongs to it.
        if expected.get(item) != found.get(item) and (item.kind in holders or item.owner not in tables)
    )
