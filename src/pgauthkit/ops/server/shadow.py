"""A database of a moment beside another, on the same server: to compare with, or to rehearse on."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pgauthkit.errors import MigrationError
from pgauthkit.ops.server.failure import server_message, sqlstate

__all__ = ["shadow_database"]

# Of the database or the role: what has no schema is made in the same one as there. Roles' own settings hold here too.
_PATH: Final = text(
    "SELECT coalesce(nullif(reset_val, ''), '\"\"') FROM pg_catalog.pg_settings WHERE name = 'search_path'"
)


@contextmanager
def shadow_database(connection: Connection, *, cure: str) -> Generator[str]:
    """Make an empty database `pgauthkit_shadow_…` on the server, yield its URL, and drop it at the end.

    Its search path is that of the other one.

    Args:
        connection: in AUTOCOMMIT, see `pgauthkit.ops.server.connection.own_connection`.
        cure: what to do where the role may not create databases, a sentence.

    Raises:
        MigrationError: the server refused.

    Example:
        >>> with shadow_database(connection, cure="Ask for it.") as url:  # doctest: +SKIP
        ...     deploy(url)
    """
    name = f"pgauthkit_shadow_{secrets.token_hex(6)}"
    try:
        connection.execute(text(f"CREATE DATABASE {name} TEMPLATE template0"))
    except DBAPIError as error:
        raise MigrationError(
            f"A second database beside this one cannot be made: {server_message(error)} (SQLSTATE {sqlstate(error)})."
            f" {cure}"
        ) from None
    try:
        connection.execute(text(f"ALTER DATABASE {name} SET search_path = {connection.scalar(_PATH)}"))
        yield connection.engine.url.set(database=name).render_as_string(hide_password=False)
    finally:
        connection.execute(text(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)"))
