"""Running the env.py of a track: asking where a database is, going up or down, printing SQL."""

import io
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from datetime import timedelta
from typing import Any, Final, TypeAlias

import attrs
from alembic.config import Config
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData

from pgauthkit.ops.project.loading import explained_loading, explained_running
from pgauthkit.ops.revisions.bundled import current_revision
from pgauthkit.ops.revisions.ledger import create_ledger, forget, recorded
from pgauthkit.ops.revisions.lending import lend
from pgauthkit.ops.revisions.logs import logging_kept
from pgauthkit.ops.revisions.source import checksum
from pgauthkit.ops.revisions.tracks import Revision, Track
from pgauthkit.ops.server.connection import prepare_session, set_lock_timeout

__all__ = ["Environment", "move", "read_environment", "read_heads", "run_environment", "written_out"]

_Steps: TypeAlias = Iterable[MigrationStep]
_CURE: Final = (
    "It may take the connection that it is given in place of its own:"
    ' `connection = context.config.attributes.get("connection")`, where that is not None.'
)


@attrs.frozen(kw_only=True)
class Environment:
    """What an env.py says of a database.

    Attributes:
        heads: the rows of its version table.
        version_table: the name of that table.
        version_schema: its schema; None for the connection's own.
        metadata: the tables that the application declares.
    """

    heads: tuple[str, ...]
    version_table: str
    version_schema: str | None
    metadata: tuple[MetaData, ...]


def read_heads(track: Track, connection: Connection) -> tuple[str, ...]:
    """Return the rows of a track's version table; none where there is no such table. Reads only.

    Example:
        >>> read_heads(BUNDLED, connection)  # doctest: +SKIP
        ('0001',)
    """
    if track.name == "bundled":
        current = current_revision(connection)
        return (current,) if current else ()
    return read_environment(track, connection).heads


def read_environment(track: Track, connection: Connection) -> Environment:
    """Run a track's env.py to see what it works on. Reads only.

    Raises:
        MigrationError: the env.py raises, or connects to several databases.

    Example:
        >>> read_environment(host_track(Path.cwd()), connection).version_table  # doctest: +SKIP
        'alembic_version'
    """
    found: list[Environment] = []

    def look(heads: tuple[str, ...], context: MigrationContext) -> _Steps:
        metadata = context.opts.get("target_metadata")
        found.append(
            Environment(
                heads=tuple(heads),
                version_table=context.version_table,
                version_schema=context.version_table_schema,
                metadata=(metadata,) if isinstance(metadata, MetaData) else tuple(metadata or ()),
            )
        )
        return ()

    run_environment(track, connection, look, dont_mutate=True)
    return found[0]


def move(
    track: Track,
    connection: Connection,
    destination: str,
    *,
    down: bool = False,
    lock_timeout: timedelta | None = timedelta(seconds=5),
) -> None:
    """Apply revisions up to one, or undo all above one, and write it into the ledger in the same transactions.

    Args:
        track: whose revisions.
        connection: not in a transaction; see `pgauthkit.ops.server.connection.begin_migrating`.
        destination: a revision; when going down also `base`, or a number such as `-1`.
        down: whether to undo.
        lock_timeout: how long a statement waits for a lock on a table; None for as long as it takes.

    Raises:
        MigrationError: the env.py raises, or connects to several databases.

    Example:
        >>> move(BUNDLED, connection, "0001")  # doctest: +SKIP
    """

    def steps(heads: tuple[str, ...], context: MigrationContext) -> _Steps:
        if context.connection is not None and context.connection is not connection:
            prepare_session(context.connection)
        set_lock_timeout(context.connection or connection, lock_timeout)
        context.on_version_apply_callbacks += (_record(track),)
        return _steps(context, heads, destination, down=down)

    connection.rollback()  # Whatever was read before: in a transaction of ours Alembic would commit nothing.
    run_environment(track, connection, steps)


def written_out(track: Track, start: tuple[str, ...], destination: str, *, down: bool = False) -> str:
    """Return the SQL between two revisions, the ledger's lines included. Needs no database.

    Args:
        track: whose revisions.
        start: the rows of the version table; none for a database with nothing.
        destination: where it goes.
        down: whether the way is down.

    Example:
        >>> from pgauthkit.ops.revisions.tracks import BUNDLED
        >>> "CREATE TABLE pgauthkit.users" in written_out(BUNDLED, (), "head")
        True
    """

    def steps(_heads: tuple[str, ...], context: MigrationContext) -> _Steps:
        context.on_version_apply_callbacks += (_record(track),)
        return _steps(context, start, destination, down=down)

    buffer = io.StringIO()
    options: dict[str, Any] = {"as_sql": True, "starting_rev": start or "base", "destination_rev": destination}
    run_environment(track, None, steps, buffer=buffer, **options)
    return buffer.getvalue()


def run_environment(
    track: Track,
    connection: Connection | None,
    work: Callable[[tuple[str, ...], MigrationContext], _Steps],
    *,
    config: Config | None = None,
    buffer: io.StringIO | None = None,
    **options: Any,  # noqa: ANN401 - Alembic's own
) -> None:
    """Run a track's env.py, on our connection or to write SQL.

    Args:
        track: whose env.py.
        connection: ours; None for SQL.
        work: what Alembic asks for the steps to take.
        config: Alembic's configuration; None for the track's.
        buffer: what SQL is written to.
        **options: of Alembic's `EnvironmentContext`.

    Raises:
        MigrationError: the env.py or a revision raises; says in which file and line. What the database refuses, and
            Alembic, is raised as it is.

    Example:
        >>> run_environment(BUNDLED, connection, lambda heads, context: ())  # doctest: +SKIP
    """
    config = config or track.config(connection)
    config.output_buffer = buffer
    script = ScriptDirectory.from_config(config)
    whose = "the application" if track.name == "host" else "pgauthkit"
    is_loaded = False

    def loaded() -> None:
        nonlocal is_loaded
        is_loaded = True
        put_back()

    with (
        logging_kept() as put_back,
        EnvironmentContext(config, script, fn=work, **options) as environment,
        explained_running(f"A revision of {whose}") if connection is not None else nullcontext(),
        explained_loading(f"The env.py of {whose}", cure=_CURE, until=lambda: is_loaded),
    ):
        lend(environment, connection, on_configure=loaded)
        script.run_env()


def _steps(context: MigrationContext, heads: tuple[str, ...], destination: str, *, down: bool) -> _Steps:
    script = context.environment_context.script if context.environment_context else None
    assert script is not None  # noqa: S101 - Alembic made the context from ours
    # The functions behind `alembic upgrade` and `alembic downgrade`; Alembic has no public ones.
    find = script._downgrade_revs if down else script._upgrade_revs  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
    return find(destination, heads)  # type: ignore[arg-type]


def _record(track: Track) -> Callable[..., None]:
    # on_version_apply is called within the revision's own transaction, whatever the env.py.
    files = {revision.id: revision for revision in track.revisions()}
    started = time.monotonic()

    def record(*, ctx: MigrationContext, step: MigrationInfo, **_: object) -> None:
        nonlocal started
        if not ctx.as_sql or (track.name == "bundled" and not step.source_revision_ids):
            ctx.execute(create_ledger())
        for revision in step.up_revision_ids:
            if step.is_upgrade:
                ctx.execute(_recorded(track, files[revision], 0.0 if ctx.as_sql else time.monotonic() - started))
            else:
                ctx.execute(forget(track.name, [revision]))
        started = time.monotonic()

    return record


def _recorded(track: Track, revision: Revision, seconds: float) -> Any:  # noqa: ANN401 - see recorded()
    return recorded(track.name, revision.id, checksum(revision.path), "run", seconds=seconds)
