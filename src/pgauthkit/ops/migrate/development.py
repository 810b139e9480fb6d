"""A day's work on a database of development: apply what there is, write the new revision, show it, apply it."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path

import attrs

from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate.authoring import new_revision, require_host
from pgauthkit.ops.migrate.autogenerate.hazards import Hazard
from pgauthkit.ops.migrate.autogenerate.renames import Rename
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
        warnings: what the revision did to the rows that were there, in sentences.

    Example:
        >>> develop("postgresql://localhost/blog", track, "Add posts").applied  # doctest: +SKIP
        ('2f1a',)
    """

    written: Path | None
    scripts: tuple[Script, ...]
    applied: tuple[str, ...]
    seeding: Seeding | None = None
    by_hand: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def develop(
    target: Target,
    host: Track | None,
    message: str,
    *,
    seed: str | None = None,
    production: bool = False,
    renames: Mapping[str, str] | None = None,
    on_rename: Callable[[Rename], bool] | None = None,
    on_warnings: Callable[[tuple[str, ...]], None] | None = None,
    on_written: Callable[[Path], None] | None = None,
    on_script: Callable[[Script], None] | None = None,
    on_losses: Callable[[tuple[str, ...]], None] | None = None,
) -> Development:
    """Apply what is pending, write what the models ask for as a new revision, apply that as well, and seed.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; a database of development.
        host: the application's track.
        message: what the new revision does, the first line of its file.
        seed: the application's seed, as `module:function`, run where the database is fresh; None for none.
        production: whether this is production, where it is refused.
        renames: columns that have only a new name: the new one by `table.column`.
        on_rename: asked whether a column that goes and one of the same type that comes are one; None for no.
        on_warnings: called with what the new revision does to rows, before it is applied, if there is something to say.
        on_written: called with the file of the new revision, which stays where what follows fails.
        on_script: called with the SQL of the new revision before that is applied.
        on_losses: called with the tables and columns that it drops and that hold something, if there are any; where it
            raises, the revision is written and not applied.

    Raises:
        ConfigError: the application has no migrations yet.
        DatabaseUnavailableError: the database cannot be reached.
        SeedError: the seed failed; the revisions are applied.
        MigrationError: this is production; the models and the database cannot be compared; the server would refuse the
            new revision because of the rows that are there, such as a NOT NULL column without a default; or as for
            `deploy`.

    Example:
        >>> develop("postgresql://localhost/blog", track, "Add posts").applied  # doctest: +SKIP
        ('0001', '2f1a')
    """
    if production:
        raise MigrationError("PGAUTHKIT_ENV says that this is production: `pgauthkit migrate deploy` is for it.")
    host, engine = require_host(host), engine_for(target)  # before ours are applied
    is_fresh = not any(track.current for track in status(engine, host=host).tracks)
    before = deploy(engine, host=host)
    by_hand: list[str] = []
    hazards: list[Hazard] = []
    write = partial(new_revision, on_hazards=hazards.extend, on_by_hand=by_hand.extend)
    written = write(engine, host, message, renames=renames, on_rename=on_rename)
    if written and on_written:
        on_written(written)
    warnings = _warned(hazards, written, on_warnings, on_losses)
    scripts = pending_sql(engine, host=host)
    if on_script:
        for script in scripts:
            on_script(script)
    after = deploy(engine, host=host)
    applied = (*before.applied, *before.host, *after.host)
    seeding = run_seed(engine, seed, host=host) if seed and is_fresh else None
    todo = tuple(by_hand)
    return Development(
        written=written, scripts=scripts, applied=applied, seeding=seeding, by_hand=todo, warnings=warnings
    )


def _warned(
    hazards: Sequence[Hazard],
    written: Path | None,
    on_warnings: Callable[[tuple[str, ...]], None] | None,
    on_losses: Callable[[tuple[str, ...]], None] | None,
) -> tuple[str, ...]:
    if refused := [hazard.message for hazard in hazards if hazard.is_refused]:
        raise MigrationError(
            f"{written and written.name} was written, and is not applied. {' '.join(refused)}"
            " Then run the command again; or delete the file, and change the model."
        )
    warnings = tuple(hazard.message for hazard in hazards)
    if warnings and on_warnings:
        on_warnings(warnings)
    losses = tuple(hazard.loses for hazard in hazards if hazard.loses)
    if losses and on_losses:
        on_losses(losses)
    return warnings
