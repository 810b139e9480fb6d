"""The two servers of an upgrade: a connection to each, on which rows have the same text."""

from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Any, Final, LiteralString, TypeAlias, cast

import attrs
import psycopg
from psycopg import sql
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from pgauthkit.database.unavailable import translate
from pgauthkit.errors import DatabaseUnavailableError, MigrationError
from pgauthkit.ops.dump.address import Address
from pgauthkit.ops.server.connection import engine_for

__all__ = ["NAME", "Report", "Side", "Sides", "both", "quoted"]

NAME: Final = "pgauthkit_upgrade"
"""Of the publication on the old server, and of the subscription, its slot and its sessions on both."""

Report: TypeAlias = Callable[[str], object]
"""Is given a sentence about what is done next."""

_APPLICATION: Final = "pgauthkit upgrade"
# What decides how a value is written, so that equal rows are equal texts; and names come with their schema.
_ALIKE: Final[LiteralString] = """
SET search_path = ''; SET TimeZone = 'UTC'; SET DateStyle = 'ISO, YMD'; SET IntervalStyle = 'postgres';
SET extra_float_digits = 1; SET bytea_output = 'hex'; SET xmloption = 'content'; SET lock_timeout = '5s';
SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0; SET default_transaction_read_only = off
"""


_FOLLOWS: Final[LiteralString] = """
SELECT FROM pg_catalog.pg_subscription JOIN pg_catalog.pg_database d ON d.oid = subdbid
WHERE subname = %(name)s AND d.datname = pg_catalog.current_database()
"""


@attrs.frozen(kw_only=True)
class Side:
    """One of the two servers.

    Attributes:
        connection: in autocommit; a session of its own.
        address: for PostgreSQL's own programs, and for the other server.
        version: such as 160014.
    """

    connection: "psycopg.Connection[Any]" = attrs.field(repr=False)
    address: Address
    version: int

    @property
    def major(self) -> int:
        """Such as 16."""
        return self.version // 10_000

    def ask(self, query: LiteralString, **values: object) -> list[tuple[Any, ...]]:
        """Return the rows of a query."""
        return self.connection.execute(query, values or None).fetchall()

    def run(self, command: sql.SQL | sql.Composed) -> None:
        """Carry out a command that returns nothing."""
        self.connection.execute(command)


@attrs.frozen(kw_only=True)
class Sides:
    """The server that is left, and the one that is moved to."""

    old: Side
    new: Side

    @property
    def is_copying(self) -> bool:
        """Whether the new side follows the old one by now."""
        return bool(self.new.ask(_FOLLOWS, name=NAME))


@contextmanager
def both(old: str, new: str) -> Generator[Sides]:
    """Connect to both.

    Raises:
        DatabaseUnavailableError: one of them cannot be reached.
        MigrationError: one of them refuses something.
    """
    try:
        with _side(old) as one, _side(new) as other:
            yield Sides(old=one, new=other)
    except (psycopg.Error, SQLAlchemyError) as error:
        failure = translate(error)
    else:
        return
    raise failure if isinstance(failure, DatabaseUnavailableError) else MigrationError(f"A step was refused. {failure}")


@contextmanager
def _side(url: str) -> Generator[Side]:
    engine = engine_for(url)
    try:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            driver = _driver(connection)
            driver.execute(_ALIKE)
            address = Address.of(connection, name=_APPLICATION)
            yield Side(connection=driver, address=address, version=driver.info.server_version)
    finally:
        engine.dispose()


def quoted(name: str) -> sql.SQL:
    """Return a name that the server has quoted, as part of a command."""
    return sql.SQL(cast("Any", name))


def _driver(connection: Connection) -> "psycopg.Connection[Any]":
    return cast("psycopg.Connection[Any]", connection.connection.driver_connection)
