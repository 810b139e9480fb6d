"""Rehearsing a rollback: on a copy of the database, with all its rows, down and up again."""

import tempfile
import time
from datetime import timedelta

import attrs

from pgauthkit.errors import MigrationError
from pgauthkit.ops.dump.backup import backup
from pgauthkit.ops.dump.restore import restore
from pgauthkit.ops.migrate.deployment import Deployment, deploy
from pgauthkit.ops.migrate.rollback import Rollback, rollback
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.server.connection import Target, engine_for, own_connection
from pgauthkit.ops.server.failure import explained
from pgauthkit.ops.server.shadow import shadow_database

__all__ = ["Rehearsal", "rehearse_rollback"]


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What a rehearsal did, on a copy.

    Attributes:
        rows: how many rows the copy had.
        copying: how long it took to make it.
        down: what was undone.
        up: what was applied again.

    Example:
        >>> rehearsal = rehearse_rollback("postgresql://localhost/blog")  # doctest: +SKIP
        >>> rehearsal.rows, rehearsal.down.duration, rehearsal.up.duration  # doctest: +SKIP
        (1204, datetime.timedelta(microseconds=81000), datetime.timedelta(microseconds=93000))
    """

    rows: int
    copying: timedelta
    down: Rollback
    up: Deployment


def rehearse_rollback(target: Target, to: str = "-1", *, host: Track | None = None) -> Rehearsal:
    """Roll back a copy of a database, and deploy again. The copy is made on the same server, and dropped at the end.

    Args:
        target: as for `pgauthkit.ops.migrate.deploy`; the role must be allowed to create databases.
        to: as for `pgauthkit.ops.migrate.rollback.rollback`.
        host: the application's own revisions.

    Raises:
        BackupError: the copy cannot be made.
        RestoreError: the same.
        DatabaseUnavailableError: the database cannot be reached, or was lost on the way.
        MigrationError: a way down or up failed on the copy; the database itself was not touched.

    Example:
        >>> rehearse_rollback("postgresql://localhost/blog").down.undone  # doctest: +SKIP
        ('2f1a',)
    """
    engine, started = engine_for(target), time.monotonic()
    cure = "Allow the role to: ALTER ROLE … CREATEDB."
    with (
        tempfile.TemporaryDirectory(prefix="pgak-") as directory,
        explained("The rehearsal", engine.url),
        own_connection(engine) as connection,
        shadow_database(connection, cure=cure) as copy,
    ):
        rows = sum(restore(backup(engine, directory=directory, host=host).file, copy, host=host).after.values())
        copying = timedelta(seconds=time.monotonic() - started)
        try:
            down = rollback(copy, to, host=host)
            up = deploy(copy, host=host)
        except MigrationError as error:
            raise MigrationError(f"On a copy of the database: {error} The database itself was not touched.") from error
    return Rehearsal(rows=rows, copying=copying, down=down, up=up)
