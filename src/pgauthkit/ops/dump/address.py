"""The address of a database for PostgreSQL's own programs: what they may show to all, and the password, apart."""

import os
from collections.abc import Mapping
from typing import Final, Self

import attrs
import psycopg
from psycopg.conninfo import make_conninfo
from sqlalchemy import Connection

from pgauthkit.errors import ConfigError

__all__ = ["Address"]

# Decided already by the connection that is there, or a matter of its driver.
_DECIDED: Final = frozenset(
    {
        "application_name",
        "client_encoding",
        "fallback_application_name",
        "load_balance_hosts",
        "passfile",
        "service",
        "servicefile",
        "target_session_attrs",
    }
)
_UNKNOWN: Final = ("sslcertmode", "allow")  # The default, which libpq names, and knows only since PostgreSQL 16.
_PASSWORD: Final = "PGPASSWORD"  # noqa: S105 - the name of a variable


@attrs.frozen(kw_only=True)
class Address:
    """Where a database is, taken from a connection to it, so that a program reaches the very same server.

    Attributes:
        parameters: libpq's, without secrets: https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS
        password: the password; empty where none was needed.
    """

    parameters: Mapping[str, str]
    password: str = attrs.field(repr=False)

    @classmethod
    def of(cls, connection: Connection, *, name: str) -> Self:
        """Return the address that a connection is connected to, whichever host of several that is.

        Args:
            connection: an open one, of psycopg.
            name: what the server is to call the program's session, its `application_name`.

        Raises:
            ConfigError: a key needs a passphrase, which a program could only be given for all to see.

        Example:
            >>> Address.of(connection, name="pgauthkit backup").conninfo  # doctest: +SKIP
            "user=app dbname=app host=db.example hostaddr=192.0.2.7 port=5432 application_name='pgauthkit backup'"
        """
        driver = connection.connection.driver_connection
        assert isinstance(driver, psycopg.Connection)  # noqa: S101 - engines of ours have no other driver
        given = driver.info.get_parameters()
        if given.pop("sslpassword", None):
            raise ConfigError(["url: sslpassword cannot be handed on in secret; take a key without a passphrase."])
        kept = {key: value for key, value in given.items() if key not in _DECIDED and (key, value) != _UNKNOWN}
        # With the number that the name led to, or pg_dump might end on another server of the same name.
        reached = {"host": driver.info.host, "hostaddr": driver.info.hostaddr, "port": str(driver.info.port)}
        parameters = kept | {key: value for key, value in reached.items() if value} | {"application_name": name}
        return cls(parameters=parameters, password=driver.info.password)

    @property
    def conninfo(self) -> str:
        """Everything but the password, as one argument of a program."""
        return make_conninfo(**self.parameters)

    @property
    def local_conninfo(self) -> str:
        """User and database alone, for a program inside the server's own container."""
        return make_conninfo(**{key: self.parameters[key] for key in ("user", "dbname", "application_name")})

    @property
    def environment(self) -> Mapping[str, str]:
        """The environment of a program: ours without what libpq reads of it, the password, and English errors."""
        ours = {key: value for key, value in os.environ.items() if not key.startswith("PG")}
        return ours | {"LC_ALL": "C"} | ({_PASSWORD: self.password} if self.password else {})
