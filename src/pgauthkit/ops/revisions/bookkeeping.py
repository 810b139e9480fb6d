"""Making the ledger agree with the version table, which plain Alembic moves without a word to the ledger."""

from sqlalchemy import Connection

from pgauthkit.ops.revisions.environment import read_heads
from pgauthkit.ops.revisions.ledger import How, create_ledger, forget, read_ledger, recorded
from pgauthkit.ops.revisions.source import checksum
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.server.connection import outside_transactions

__all__ = ["reconcile"]


def reconcile(connection: Connection, track: Track, *, how: How) -> None:
    """Record what is applied and not in the ledger, and forget what is in it as done and applied no longer.

    A stamp over several revisions moves the version table once, so each of them is looked at. What the ledger has of
    revisions without a file stays.

    Args:
        connection: one that holds the migration lock, after `begin_migrating`.
        track: whose revisions.
        how: how the new entries came to be applied.

    Example:
        >>> reconcile(connection, BUNDLED, how="stamped")  # doctest: +SKIP
    """
    with outside_transactions(connection):
        ledger = read_ledger(connection, track.name)
        applied = track.applied(read_heads(track, connection))
        done = {name for name, entry in ledger.items() if entry.finished_at}
        connection.execute(create_ledger())
        files = {revision.id: revision for revision in track.revisions()}
        for revision in applied - done:
            connection.execute(recorded(track.name, revision, checksum(files[revision].path), how))
        if gone := (done & files.keys()) - applied:
            connection.execute(forget(track.name, gone))
