"""Making a new revision of the application's: from the difference between its models and the database, or empty."""

import warnings
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from datetime import timedelta
from pathlib import Path

from alembic.operations.ops import MigrationScript
from alembic.runtime.migration import MigrationContext
from alembic.util import CommandError

from pgauthkit.errors import ConfigError, MigrationError, PendingMigrationsError
from pgauthkit.ops.migrate.autogenerate.hazards import Hazard, find_hazards
from pgauthkit.ops.migrate.autogenerate.ordering import ordered
from pgauthkit.ops.migrate.autogenerate.renames import Rename, rename_columns
from pgauthkit.ops.migrate.autogenerate.schemas import schemas_for
from pgauthkit.ops.migrate.autogenerate.settling import leave_out
from pgauthkit.ops.migrate.rendering import render_escaped
from pgauthkit.ops.migrate.supplement import models_of, supplement
from pgauthkit.ops.revisions.diagnosis import status
from pgauthkit.ops.revisions.environment import read_environment
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.revisions.writing import write_revision
from pgauthkit.ops.server.connection import Target, begin_migrating, engine_for
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.lock import migration_lock

__all__ = ["new_revision", "require_host"]


def new_revision(
    target: Target,
    host: Track | None,
    message: str,
    *,
    empty: bool = False,
    renames: Mapping[str, str] | None = None,
    on_rename: Callable[[Rename], bool] | None = None,
    on_hazards: Callable[[tuple[Hazard, ...]], None] | None = None,
    on_by_hand: Callable[[tuple[str, ...]], None] | None = None,
) -> Path | None:
    """Write a new revision of the application's, and return its file; None where the models ask for nothing.

    Models and database are compared by Alembic, and then by the server's catalog: what the models make, in schemas of
    the moment that are rolled back, against what is there. Otherwise the database is only read. It must be at the
    application's head, as the difference to it is what is written.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; a database of development.
        host: the application's track.
        message: what the revision does, the first line of its file.
        empty: whether to leave it empty, to be written by hand.
        renames: columns that have only a new name: the new one by `table.column`.
        on_rename: asked whether a column that goes and one of the same type that comes are one; None for no.
        on_hazards: called with what the revision does to the rows that are there, where there is something to say.
        on_by_hand: called with what differs and no statement was found for, in sentences, where there is something.

    Raises:
        ConfigError: the application has no migrations yet.
        PendingMigrationsError: the database is not at the head.
        DatabaseUnavailableError: the database cannot be reached.
        MigrationError: the models and the database cannot be compared, or there is no such change as `renames` says.

    Example:
        >>> new_revision("postgresql://localhost/blog", track, "Add posts")  # doctest: +SKIP
        PosixPath('migrations/versions/20260131_2f1a_add_posts.py')
    """
    host, engine = require_host(host), engine_for(target)
    found = status(engine, host=host)
    if any(track.pending for track in found.tracks):
        raise PendingMigrationsError("The database lacks revisions that exist: run `pgauthkit migrate deploy` first.")
    with explained("Comparing models and database", engine.url), migration_lock(engine) as connection:
        read_environment(host, connection)
        begin_migrating(connection, lock_timeout=timedelta(seconds=5))
        by_hand: list[str] = []
        hazards: list[Hazard] = []

        def complete(context: MigrationContext, _revision: object, directives: list[MigrationScript]) -> None:
            doubtful = _prepare(context, directives[0], renames or {}, on_rename or (lambda _: False), by_hand)
            by_hand.extend(supplement(context, engine, directives[0]))
            hazards.extend(_finish(context, directives[0], doubtful))
            render_escaped(context)
            if directives[0].upgrade_ops and directives[0].upgrade_ops.is_empty():
                directives.clear()

        heads = found.tracks[-1].heads
        with _quiet(), _several_heads(heads) if len(heads) > 1 else nullcontext():
            made = write_revision(
                host, connection, message, autogenerate=not empty, directives=None if empty else complete
            )
    if hazards and on_hazards:
        on_hazards(tuple(hazards))
    if by_hand and on_by_hand:
        on_by_hand(tuple(by_hand))
    return Path(made.path) if made else None


def require_host(host: Track | None) -> Track:
    """Return the application's track.

    Raises:
        ConfigError: the application has none yet.

    Example:
        >>> from pgauthkit.ops.revisions.tracks import BUNDLED
        >>> require_host(BUNDLED) is BUNDLED
        True
    """
    if host is None:
        how = "`pgauthkit migrate init` makes the folder; --models blog.models:Base names the base of your models"
        raise ConfigError([f"migrations: the application has none yet; {how}."])
    return host


@contextmanager
def _several_heads(heads: Sequence[str]) -> Generator[None]:
    """Explain what Alembic refuses where there are several migrations that none follows."""
    try:
        yield
    except CommandError as error:
        raise MigrationError(
            f"The application's migrations have several ends, {' and '.join(heads)}, as when two branches of the code"
            " are merged. Let one follow the other: name it as `down_revision` in the other's file, or write a"
            " revision that follows both (alembic merge heads). Nothing was written."
        ) from error


@contextmanager
def _quiet() -> Generator[None]:
    """Keep back what Alembic says of cycles, and of what the catalog compares: generated columns, CHECKs, indexes."""
    with warnings.catch_warnings():
        # SQLAlchemy does not know what it has read itself of a primary key with INCLUDE.
        warnings.filterwarnings("ignore", "Can't validate argument 'dialect_options'")
        warnings.filterwarnings("ignore", "Expression #.* detected to include an operator clause")
        warnings.filterwarnings("ignore", "Computed default on|Could not parse CHECK")
        warnings.filterwarnings("ignore", "Cannot correctly sort tables")
        yield


def _prepare(
    context: MigrationContext,
    script: MigrationScript,
    renames: Mapping[str, str],
    agrees: Callable[[Rename], bool],
    by_hand: list[str],
) -> tuple[Rename, ...]:
    up, down = script.upgrade_ops, script.downgrade_ops
    assert up is not None  # noqa: S101 - one script has one of each
    assert down is not None  # noqa: S101 - the same
    by_hand.extend(leave_out(models_of(context), up))
    doubtful = rename_columns(context, up, renames, agrees)
    up.ops[:] = ordered(up.ops)
    up.reverse_into(down)
    return doubtful


def _finish(context: MigrationContext, script: MigrationScript, doubtful: Sequence[Rename]) -> tuple[Hazard, ...]:
    up, down, connection = script.upgrade_ops, script.downgrade_ops, context.connection
    assert up is not None  # noqa: S101 - as above
    assert down is not None  # noqa: S101 - the same
    assert connection is not None  # noqa: S101 - it has been compared
    made, gone = schemas_for(connection, up.ops, context.version_table_schema)
    up.ops[:], down.ops[:] = [*made, *up.ops], [*down.ops, *gone]
    hazards = find_hazards(connection, up.ops)
    losses = {hazard.loses for hazard in hazards}
    renamed = {f"{rename.table}.{rename.old}": rename.warning for rename in doubtful}
    said = (Hazard(message=renamed[name], is_refused=False, loses=name if name in losses else None) for name in renamed)
    return (*(hazard for hazard in hazards if hazard.loses not in renamed), *said)
