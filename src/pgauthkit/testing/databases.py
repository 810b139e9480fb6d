"""`Databases`: made, copied and dropped on one server for one run, and swept where a run was killed."""

import secrets
from typing import Final, LiteralString, Self

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from pgauthkit.database.unavailable import translated

__all__ = ["Databases"]

# Session-level advisory locks (PostgreSQL 16 section 13.3.5) of two numbers: ours, and the run's.
_LOCK_CLASS: Final = 0x70676B74
_FILE_COPY_SINCE: Final = 150000  # STRATEGY is new in PostgreSQL 15; before, every copy was one of files
_LEFT_BEHIND: Final = """
SELECT datname, pg_catalog.substring(datname, 11, 8) FROM pg_catalog.pg_database
WHERE datname ~ '^pgauthkit_[0-9a-f]{8}_' AND pg_catalog.pg_get_userbyid(datdba) = current_user
"""


class Databases:
    """The databases of one run: `pgauthkit_<run>_<name>`.

    The run's owner holds an advisory lock for as long as it lives, on the server itself, so that any later run, also on
    another machine, can tell what a killed one has left behind.

    Args:
        url: of the server's database `postgres`, as a role that may create databases.
        run: eight hexadecimal digits; None for a run of one's own.
    """

    def __init__(self, url: str, *, run: str | None = None) -> None:
        self._url = make_url(url)
        self._owns = run is None
        self._connection: psycopg.Connection | None = None
        self.run: str = run or secrets.token_hex(4)

    def open(self) -> Self:
        """Connect, take the run's lock, and drop what killed runs have left behind.

        Raises:
            DatabaseUnavailableError: the server cannot be reached.
        """
        with translated(self._url):
            connection = self._connected()
            for name, run in connection.execute(_LEFT_BEHIND).fetchall() if self._owns else []:
                if run != self.run and _locks(connection, "pg_try_advisory_lock", run):
                    self.drop(name)
                    _locks(connection, "pg_advisory_unlock", run)
        return self

    def close(self) -> None:
        """Let go of the lock and the connection."""
        if self._connection is not None:
            self._connection.close()

    def url(self, name: str) -> str:
        """Return the URL of a database of this server, with its password."""
        return self._url.set(database=name).render_as_string(hide_password=False)

    def create(self, suffix: str | None = None, *, template: str | None = None) -> str:
        """Make a database, empty or as a copy of another that nobody is connected to, and return its name.

        Raises:
            DatabaseUnavailableError: the server cannot be reached.
            PgAuthKitError: it refuses, such as a role that may not create databases.
        """
        name = f"pgauthkit_{self.run}_{suffix or secrets.token_hex(6)}"
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        with translated(self._url):
            connection = self._connected()
            if template:
                command += sql.SQL(" TEMPLATE {}").format(sql.Identifier(template))
                if connection.info.server_version >= _FILE_COPY_SINCE:
                    command += sql.SQL(" STRATEGY FILE_COPY")
            connection.execute(command)
        return name

    def drop(self, name: str) -> None:
        """Drop a database, with its connections."""
        with translated(self._url):
            self._connected().execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def close_to_others(self, name: str) -> None:
        """Let nobody connect to a database any more, so that it can always be copied."""
        with translated(self._url):
            self._connected().execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(sql.Identifier(name)))

    def _connected(self) -> psycopg.Connection:
        if self._connection is None or self._connection.closed:
            plain = self._url.set(drivername="postgresql", database="postgres")
            self._connection = psycopg.connect(
                plain.render_as_string(hide_password=False), autocommit=True, application_name="pgauthkit tests"
            )
            if self._owns:
                _locks(self._connection, "pg_advisory_lock", self.run)
        return self._connection


def _locks(connection: psycopg.Connection, function: LiteralString, run: str) -> bool:
    # Two signed 32-bit numbers; pg_advisory_lock returns void, which comes as an empty text.
    query = sql.SQL("SELECT pg_catalog.{}(%s::int, %s::int)").format(sql.SQL(function))
    (got,) = connection.execute(query, [_LOCK_CLASS, int(run, 16) - 2**31]).fetchone() or (False,)
    return got is not False
