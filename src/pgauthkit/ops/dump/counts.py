"""How many rows the tables of a database have, and which revisions its version tables name."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from sqlalchemy import Connection, CursorResult, text

from pgauthkit.migrations import VERSION_TABLE
from pgauthkit.models import SCHEMA
from pgauthkit.ops.revisions.environment import read_environment
from pgauthkit.ops.revisions.tracks import Track

__all__ = ["BUNDLED_TABLE", "count_rows", "host_version_table", "read_revisions"]

BUNDLED_TABLE: Final = f"{SCHEMA}.{VERSION_TABLE}"

# Partitions count for themselves; temporary tables, and what belongs to an extension, are not dumped.
_TABLES: Final = text(
    "SELECT pg_catalog.format('%I.%I', nspname, relname), relpersistence = 'u' AND pg_catalog.pg_is_in_recovery()"
    " FROM pg_catalog.pg_class"
    " JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE relkind = 'r' AND relpersistence <> 't' AND nspname !~ '^(pg_|information_schema$)' AND NOT EXISTS"
    " (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass"
    "  AND objid = pg_class.oid AND deptype = 'e') ORDER BY 1"
)
# As pg_dump does: rather an error than the rows that a policy shows us.
_ALL_ROWS: Final = text("SELECT pg_catalog.set_config('row_security', 'off', false)")
_EXISTS: Final = text("SELECT pg_catalog.to_regclass(:name) IS NOT NULL")
_NAME: Final = text(
    "SELECT pg_catalog.format("
    "'%I.%I', coalesce(CAST(:schema AS text), pg_catalog.current_schema()), CAST(:name AS text))"
)


def count_rows(connection: Connection) -> dict[str, int]:
    """Return how many rows each table has, by its name, quoted where SQL would. Reads every table.

    Example:
        >>> count_rows(connection)["pgauthkit.users"]  # doctest: +SKIP
        42
    """
    connection.execute(_ALL_ROWS)
    # A standby has UNLOGGED tables, and none of their rows: nor has a dump of it, and it refuses to be asked.
    return {table: 0 if is_unread else _count(connection, table) for table, is_unread in connection.execute(_TABLES)}


def read_revisions(connection: Connection, tables: Iterable[str]) -> Mapping[str, tuple[str, ...]]:
    """Return the rows of version tables, by the table's name; none where there is no such table. Reads only.

    Example:
        >>> read_revisions(connection, ["pgauthkit.alembic_version"])  # doctest: +SKIP
        {'pgauthkit.alembic_version': ('0001',)}
    """
    return {table: _read(connection, table) for table in tables}


def host_version_table(connection: Connection, host: Track) -> str:
    """Return the name of the application's version table, quoted where SQL would. Runs its env.py, and reads only.

    Example:
        >>> host_version_table(connection, track)  # doctest: +SKIP
        'public.alembic_version'
    """
    found = read_environment(host, connection)
    return str(connection.execute(_NAME, {"schema": found.version_schema, "name": found.version_table}).scalar_one())


def _count(connection: Connection, table: str) -> int:
    return int(_ask(connection, f"SELECT count(*) FROM {table}").scalar_one())  # noqa: S608 - quoted by the server


def _read(connection: Connection, table: str) -> tuple[str, ...]:
    if not connection.execute(_EXISTS, {"name": table}).scalar_one():
        return ()
    found = _ask(connection, f"SELECT version_num FROM {table} ORDER BY 1").scalars()  # noqa: S608 - quoted by the server
    return tuple(str(revision) for revision in found)


def _ask(connection: Connection, query: str) -> CursorResult[Any]:
    # Without parameters, or a % in a name would be taken for the place of one.
    return connection.exec_driver_sql(query, execution_options={"no_parameters": True})
