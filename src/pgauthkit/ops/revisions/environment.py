"""Running the env.py of a track: asking where a database is, going up or down, printing SQL."""

import io
import logging
import time
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, Final, TypeAlias

import attrs
from alembic.runtime.environment import EnvironmentContext
from alembic.runtime.migration import MigrationContext, MigrationInfo, MigrationStep
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, MetaData, text

from pgauthkit.errors import MigrationError
from pgauthkit.ops.revisions.bundled import current_revision
from pgauthkit.ops.revisions.ledger import create_ledger, forget, recorded
from pgauthkit.ops.revisions.source import checksum
from pgauthkit.ops.revisions.tracks import Revision, Track
from pgauthkit.ops.server.connection import prepare_session, set_lock_timeout
from pgauthkit.ops.server.failure import explained_loading

__all__ = ["Environment", "logging_kept", "move", "read_environment", "read_heads", "written_out"]

_Steps: TypeAlias = Iterable[MigrationStep]
_WHERE: Final = text("SELECT pg_catalog.current_database(), pg_catalog.pg_postmaster_start_time()")


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
        MigrationError: the env.py connects to another database.

    Example:
        >>> read_environment(host_track(Path.cwd()), connection).version_table  # doctest: +SKIP
        'alembic_version'
    """
    found: list[Environment] = []

    def look(heads: tuple[str, ...], context: MigrationContext) -> _Steps:
        _check_same_database(context, connection)
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

    _run(track, connection, look, dont_mutate=True)
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
        MigrationError: the env.py connects to another database.

    Example:
        >>> move(BUNDLED, connection, "0001")  # doctest: +SKIP
    """

    def steps(heads: tuple[str, ...], context: MigrationContext) -> _Steps:
        _check_same_database(context, connection)
        if context.connection is not None and context.connection is not connection:
            prepare_session(context.connection)
        set_lock_timeout(context.connection or connection, lock_timeout)
        context.on_version_apply_callbacks += (_record(track),)
        return _steps(context, heads, destination, down=down)

    connection.rollback()  # Whatever was read before: in a transaction of ours Alembic would commit nothing.
    _run(track, connection, steps)


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
    options = {"as_sql": True, "starting_rev": start or "base", "destination_rev": destination}
    _run(track, None, steps, buffer=buffer, **options)
    return buffer.getvalue()


def _run(
    track: Track,
    connection: Connection | None,
    work: Callable[[tuple[str, ...], MigrationContext], _Steps],
    *,
    buffer: io.StringIO | None = None,
    **options: Any,  # noqa: ANN401 - Alembic's own
) -> None:
    config = track.config(connection)
    config.output_buffer = buffer
    script = ScriptDirectory.from_config(config)
    whose = "the application" if track.name == "host" else "pgauthkit"
    with (
        logging_kept(),
        EnvironmentContext(config, script, fn=work, **options),
        explained_loading(f"The env.py of {whose}"),
    ):
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


def _check_same_database(context: MigrationContext, connection: Connection) -> None:
    theirs = context.connection
    if theirs is None or theirs is connection:
        return
    if theirs.execute(_WHERE).one() != connection.execute(_WHERE).one():
        raise MigrationError(
            f"The env.py connects to another database, {theirs.engine.url.database}, not to the one that is migrated."
            ' Let it use config.get_main_option("sqlalchemy.url"), or config.attributes["connection"].'
        )


@contextmanager
def logging_kept() -> Generator[None]:
    """Keep the application's logging as it is while an env.py runs."""
    # The env.py of Alembic's template calls fileConfig(), which silences every logger that exists and takes away the
    # handlers of the application.
    root = logging.getLogger()
    known = [found for found in root.manager.loggerDict.values() if isinstance(found, logging.Logger)]
    enabled = [logger for logger in known if not logger.disabled]
    level, handlers = root.level, root.handlers[:]
    try:
        yield
    finally:
        root.setLevel(level)
        root.handlers[:] = handlers
        for logger in enabled:
            logger.disabled = False
