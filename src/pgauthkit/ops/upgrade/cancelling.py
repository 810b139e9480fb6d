"""Giving an upgrade up, or cleaning up after one: the servers are independent again."""

from psycopg import sql

from pgauthkit.ops.upgrade.copying import identify
from pgauthkit.ops.upgrade.planning import look
from pgauthkit.ops.upgrade.sides import NAME, Sides, both

__all__ = ["cancel", "part"]


def cancel(old: str, new: str) -> bool:
    """Let the new server follow no longer, and take back what was changed on the old one. Returns whether it followed.

    What was copied stays on the new side: drop that database before another try.

    Args:
        old: the URL of the database that is left.
        new: the URL of the database on the new server.

    Raises:
        DatabaseUnavailableError: one of them cannot be reached.

    Example:
        >>> cancel("postgresql://old.example/shop", "postgresql://new.example/shop")  # doctest: +SKIP
        True
    """
    with both(old, new) as sides:
        followed = sides.is_copying
        part(sides)
        return followed


def part(sides: Sides) -> None:
    """End the subscription with its slot, then the publication, and give tables without a key their identity back."""
    if sides.is_copying:
        sides.new.run(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(NAME)))
    if sides.old.ask("SELECT FROM pg_catalog.pg_publication WHERE pubname = %(name)s", name=NAME):
        sides.old.run(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(NAME)))
        for table in look(sides).tables:
            if _was_changed(sides, table.name):
                identify(sides.old, table, "DEFAULT")


def _was_changed(sides: Sides, table: str) -> bool:
    found = sides.old.ask(
        "SELECT FROM pg_catalog.pg_class WHERE oid = %(table)s::pg_catalog.regclass AND relreplident = 'f'", table=table
    )
    return bool(found)
