"""A day's work on a database of development: apply what there is, write the new revision, show it, apply it."""

from collections.abc import Callable
from pathlib import Path

import attrs

from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.deployment import deploy
from pgauthkit.ops.migrate.review import Script, pending_sql
from pgauthkit.ops.revisions.diagnosis import status
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.seed.run import Seeding, seed as run_seed
from pgauthkit.ops.server.connection import Target, engine_for

__all__ = ["Development", "develop"]


@attrs.frozen(kw_only=True)
class Development:
    """What was done.

    Attributes:
        written: the new revision's file; None where the models ask for nothing.
        scripts: its SQL, one script at most.
        applied: the revisions of both tracks that were applied, the oldest first.
        seeding: the seed that filled a fresh database, one without any revision before; None where none was run.
        by_hand: what differs and must be written by hand, in sentences.

    Example:
        >>> develop("postgresql://localhost/blog", track, "Add posts").applied  # doctest: +SKIP
        ('2f1a',)
    """

    written: Path | None
    scripts: tuple[Script, ...]
    applied: tuple[str, ...]
    seeding: Seeding | None = None
    by_hand: tuple[str, ...] = ()


def develop(
    target: Target,
    host: Track | None,
    message: str,
    *,
    seed: str | None = None,
    production: bool = False,
    on_written: Callable[[Path], None] | None = None,
    on_script: Callable[[Script], None] | None = None,
) -> Development:
    """Apply what is pending, write what the models ask for as a new revision, apply that as well, and seed.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; a database of development.
        host: the application's track.
        message: what the new revision does, the first line of its file.
        seed: the application's seed, as `module:function`, run where the database is fresh; None for none.
        production: whether this is production, where it is refused.
        on_written: called with the file of the new revision, which stays where what follows fails.
        on_script: called with the SQL of the new revision before that is applied.

    Raises:
        ConfigError: the application has no migrations yet.
        DatabaseUnavailableError: the database cannot be reached.
        SeedError: the seed failed; the revisions are applied.
        MigrationError: this is production; the models and the database cannot be compared; or as for `deploy`.

    Example:
        >>> develop("postgresql://localhost/blog", track, "Add posts").applied  # doctest: +SKIP
        ('0001', '2f1a')
    """
    if production:
        raise MigrationError("PGAUTHKIT_ENV says that this is production: `pgauthkit migrate deploy` is for it.")
    engine = engine_for(target)
    is_fresh = not any(track.current for track in status(engine, host=host).tracks)
    before = deploy(engine, host=host)
    by_hand: list[str] = []
    written = new_revision(engine, host, message, on_by_hand=by_hand.extend)
    if written and on_written:
        on_written(written)
    scripts = pending_sql(engine, host=host)
    if on_script:
        for script in scripts:
            on_script(script)
    after = deploy(engine, host=host)
    applied = (*before.applied, *before.host, *after.host)
    seeding = run_seed(engine, seed, host=host) if seed and is_fresh else None
    return Development(written=written, scripts=scripts, applied=applied, seeding=seeding, by_hand=tuple(by_hand))
