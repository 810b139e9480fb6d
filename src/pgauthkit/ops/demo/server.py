"""The server that the demo runs on."""

from sqlalchemy import func, select, text

from pgauthkit.database import create_engine
from pgauthkit.database.unavailable import translated
from pgauthkit.ops.demo.values import Server

__all__ = ["look_at"]


def look_at(url: str) -> Server:
    """Connect to a database, and say what it is.

    Raises:
        ConfigError: the URL is not one of PostgreSQL.
        DatabaseUnavailableError: it cannot be reached.
    """
    engine = create_engine(url)
    try:
        with translated(engine.url), engine.connect() as connection:
            version, database = connection.execute(
                select(func.current_setting(text("'server_version'")), func.current_database())
            ).one()
    finally:
        engine.dispose()
    # Distributions add a name of their own: "16.14 (Debian 16.14-1)".
    return Server(version=version.split()[0], database=database)
