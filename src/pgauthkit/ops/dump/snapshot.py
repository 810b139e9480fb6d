"""One moment of a database, shared with pg_dump: what is counted here is what the dump has."""

from collections.abc import Generator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Final

import attrs
from sqlalchemy import Connection, Engine, text

from pgauthkit.errors import BackupError, MigrationError
from pgauthkit.ops.dump.address import Address
from pgauthkit.ops.dump.counts import BUNDLED_TABLE, count_rows, host_version_table, read_revisions
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.server.connection import own_connection
from pgauthkit.ops.server.lock import one_in_this_process
from pgauthkit.ops.server.pooler import refuse_transaction_mode

__all__ = ["Snapshot", "server_version", "share_snapshot"]

_NAME: Final = "pgauthkit backup"
_CALL_IT: Final = text("SELECT pg_catalog.set_config('application_name', :name, false)")
# Lives as long as this transaction: https://www.postgresql.org/docs/16/functions-admin.html#FUNCTIONS-SNAPSHOT-SYNCHRONIZATION
_EXPORT: Final = text(
    "SELECT pg_catalog.pg_export_snapshot(), pg_catalog.current_database(), pg_catalog.transaction_timestamp()"
)


@attrs.frozen(kw_only=True)
class Snapshot:
    """One moment of a database.

    Attributes:
        id: what pg_dump is given to see the same.
        database: its name.
        taken_at: the moment, by the server's clock.
        server_version: such as `16.14`.
        revisions: the rows of each version table.
        rows: how many rows each table has; none where only the schema is wanted.
        address: where pg_dump reaches it.
    """

    id: str
    database: str
    taken_at: datetime
    server_version: str
    revisions: Mapping[str, tuple[str, ...]]
    rows: Mapping[str, int]
    address: Address


@contextmanager
def share_snapshot(engine: Engine, *, host: Track | None, rows: bool) -> Generator[Snapshot]:
    """Hold one moment of a database open, in a transaction that only reads.

    Args:
        engine: leads to the server itself.
        host: the application's own revisions.
        rows: whether to count them.

    Raises:
        BackupError: a pooler in transaction mode is in between.

    Example:
        >>> with share_snapshot(engine, host=None, rows=True) as snapshot:  # doctest: +SKIP
        ...     subprocess.run(["pg_dump", "--snapshot", snapshot.id])
    """
    with own_connection(engine) as connection:
        _refuse_pooler(connection)
        connection.execute(_CALL_IT, {"name": _NAME})
        tables = [BUNDLED_TABLE]
        if host:
            with one_in_this_process(), own_connection(engine) as other:
                tables.append(host_version_table(other, host))
        connection.commit()
        connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        id_, database, taken_at = connection.execute(_EXPORT).one()
        yield Snapshot(
            id=id_,
            database=database,
            taken_at=taken_at,
            server_version=server_version(connection),
            revisions=read_revisions(connection, tables),
            rows=count_rows(connection) if rows else {},
            address=Address.of(connection, name=_NAME),
        )


def server_version(connection: Connection) -> str:
    """Return the server's version, such as `16.14`."""
    number = int(connection.exec_driver_sql("SHOW server_version_num").scalar_one())
    return f"{number // 10_000}.{number % 10_000}"


def _refuse_pooler(connection: Connection) -> None:
    try:
        refuse_transaction_mode(connection)
    except MigrationError:
        raise BackupError(
            "The URL leads to a pooler in transaction mode, and pg_dump needs the server itself. Nothing was written."
            " Set DIRECT_URL (or --url) to the address of the PostgreSQL server; DATABASE_URL may stay the pooler's."
        ) from None
