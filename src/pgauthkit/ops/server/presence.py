"""Which database a connection is in, and who else is there."""

import time
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.ops.server.connection import Target, engine_for
from pgauthkit.ops.server.failure import explained

__all__ = ["count_others", "database_name", "name_of"]

_TRIES: Final = 20
_PAUSE: Final = 0.05  # seconds
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


def database_name(target: Target) -> str:
    """Return the name of a database, which has to be typed before it is reset.

    Raises:
        DatabaseUnavailableError: the database cannot be reached.

    Example:
        >>> database_name("postgresql://localhost/blog")  # doctest: +SKIP
        'blog'
    """
    engine = engine_for(target)
    with explained("Asking for the name", engine.url), engine.connect() as connection:
        return name_of(connection)


def count_others(connection: Connection) -> int:
    """Return how many other sessions of clients are in the database, and still are a second later.

    A session that was closed a moment ago takes some time to be gone, more of it on a busy machine.

    Args:
        connection: in autocommit, as in a transaction all sessions stay as they were seen first.

    Example:
        >>> count_others(connection)  # doctest: +SKIP
        0
    """
    tries = _TRIES
    while (count := int(connection.execute(_OTHERS).scalar_one())) and tries:
        tries -= 1
        time.sleep(_PAUSE)
    return count
