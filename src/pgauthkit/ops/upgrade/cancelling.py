"""Giving an upgrade up, or cleaning up after one: the servers are independent again."""

import json

from psycopg import sql

from pgauthkit.ops.upgrade.copying import PUBLISHED, identify
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
    """End the subscription with its slot, then the publication, and give back the identity of tables without a key."""
    if sides.is_copying:
        sides.new.run(sql.SQL("DROP SUBSCRIPTION {}").format(sql.Identifier(NAME)))
    for (changed,) in sides.old.ask(PUBLISHED, name=NAME):
        with sides.old.connection.transaction():
            sides.old.run(sql.SQL("DROP PUBLICATION {}").format(sql.Identifier(NAME)))
            for table in json.loads(changed or "[]"):
                identify(sides.old, table, "DEFAULT")
