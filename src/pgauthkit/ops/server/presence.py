"""Which database a connection is in, and who else is there."""

from typing import Final

from sqlalchemy import Connection, text

__all__ = ["count_others", "name_of"]

_NAME: Final = text("SELECT pg_catalog.current_database()")
_OTHERS: Final = text(
    "SELECT count(*) FROM pg_catalog.pg_stat_activity WHERE datname = pg_catalog.current_database()"
    " AND pid <> pg_catalog.pg_backend_pid() AND backend_type = 'client backend'"
)


def name_of(connection: Connection) -> str:
    """Return the name of the database.

    Example:
        >>> name_of(connection)  # doctest: +SKIP
        'blog'
    """
    return str(connection.execute(_NAME).scalar_one())


def count_others(connection: Connection) -> int:
    """Return how many other sessions of clients are in the database.

    Example:
        >>> count_others(connection)  # doctest: +SKIP
        0
    """
    return int(connection.execute(_OTHERS).scalar_one())
