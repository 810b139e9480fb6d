"""Statistics for the planner after a restore: a dump has none, and until there are some the planner guesses."""

import time
from collections.abc import Mapping
from datetime import timedelta
from typing import Final

import attrs
from sqlalchemy import Connection, text
from sqlalchemy.exc import DBAPIError

from pgauthkit.ops.server.failure import sqlstate

__all__ = ["Statistics", "gather_statistics"]

# Who may: https://www.postgresql.org/docs/18/sql-analyze.html; MAINTAIN is new in PostgreSQL 17.
# ANALYZE of a partitioned table includes its partitions, and that of any table reads from foreign tables below it, on
# another server. Empty tables are left alone: the planner then expects a few pages, where ANALYZE would make it expect
# none, also in a plan that is kept while they fill.
_TABLES: Final = text("""
    WITH RECURSIVE distant (oid) AS (
    SELECT oid FROM pg_catalog.pg_class WHERE relkind = 'f'
    UNION SELECT inhparent FROM pg_catalog.pg_inherits JOIN distant ON distant.oid = inhrelid),
    found AS (
    SELECT pg_class.oid, pg_catalog.format('%I.%I', nspname, relname) AS name,
    CASE WHEN NOT pg_catalog.has_schema_privilege(relnamespace, 'USAGE') OR NOT (
              pg_catalog.pg_has_role(datdba, 'USAGE')
              OR CASE WHEN CAST(pg_catalog.current_setting('server_version_num') AS int) < 170000
                      THEN pg_catalog.pg_has_role(relowner, 'USAGE')
                      ELSE pg_catalog.has_table_privilege(pg_class.oid, 'MAINTAIN') END)
         THEN 'the role may not analyze it'
         WHEN pg_class.oid IN (TABLE distant) THEN 'a part of it is on another server' END AS reason
    FROM pg_catalog.pg_class JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    JOIN pg_catalog.pg_database ON datname = pg_catalog.current_database()
    WHERE relkind IN ('r', 'p', 'm') AND relpersistence <> 't' AND nspname !~ '^(pg_|information_schema$)'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend WHERE classid = 'pg_catalog.pg_class'::pg_catalog.regclass
                    AND objid = pg_class.oid AND deptype = 'e')
    AND (pg_catalog.pg_relation_size(pg_class.oid) > 0 OR EXISTS (
         SELECT FROM pg_catalog.pg_partition_tree(pg_class.oid) WHERE pg_catalog.pg_relation_size(relid) > 0)))
    SELECT name, reason FROM found WHERE reason IS NOT NULL OR NOT EXISTS (
    SELECT FROM pg_catalog.pg_partition_ancestors(found.oid) JOIN found AS above ON above.oid = relid
    WHERE above.oid <> found.oid AND above.reason IS NULL) ORDER BY name
""")
_LOST: Final = "the connection was lost"


@attrs.frozen(kw_only=True)
class Statistics:
    """What the planner was told of the tables that a restore has filled.

    Attributes:
        tables: the tables and materialized views that were analyzed, by name, quoted where SQL would; a partitioned
            table stands for its partitions. Empty ones need it not.
        missing: those that were not, each with the reason; what to run by hand is `ANALYZE <name>;`.
        duration: how long it took.

    Example:
        >>> done = restore("app-20260131T030000Z.dump", "postgresql://localhost/rehearsal")  # doctest: +SKIP
        >>> done.statistics.tables, done.statistics.missing  # doctest: +SKIP
        (('pgauthkit.sessions', 'pgauthkit.users'), {'public.log': 'the role may not analyze it'})
    """

    tables: tuple[str, ...]
    missing: Mapping[str, str]
    duration: timedelta


def gather_statistics(connection: Connection) -> Statistics:
    """Analyze every table that has rows, each in a transaction of its own; none that fails is an error.

    A table is read in part, 30,000 rows of it by default, whatever its size:
    https://www.postgresql.org/docs/16/runtime-config-query.html#GUC-DEFAULT-STATISTICS-TARGET

    Args:
        connection: one in AUTOCOMMIT.

    Example:
        >>> gather_statistics(connection).missing  # doctest: +SKIP
        {}
    """
    started, tables, missing = time.monotonic(), list[str](), dict[str, str]()
    for table, reason in connection.execute(_TABLES).all():
        if failure := reason or _analyze(connection, table):
            missing[table] = failure
        else:
            tables.append(table)
    duration = timedelta(seconds=time.monotonic() - started)
    return Statistics(tables=tuple(tables), missing=missing, duration=duration)


def _analyze(connection: Connection, table: str) -> str | None:
    """Return why a table could not be analyzed, without the server's message: a function's may have a row's value."""
    if connection.invalidated:
        return _LOST
    try:
        # Without parameters, or a % in a name would be taken for the place of one.
        connection.exec_driver_sql(f"ANALYZE {table}", execution_options={"no_parameters": True})
    except DBAPIError as error:
        return _LOST if error.connection_invalidated else f"the server refused (SQLSTATE {sqlstate(error)})"
    return None
