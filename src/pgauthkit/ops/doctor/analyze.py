"""Check of what PostgreSQL knows of the tables: statements are planned by it."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.ops.doctor.finding import Finding

__all__ = ["check_analyze"]

# Rows since the last VACUUM or ANALYZE, which found none or never ran; a table that a purge has emptied has none now.
# https://www.postgresql.org/docs/16/catalog-pg-class.html (reltuples)
_BLIND: Final = text("""
SELECT pg_catalog.format('%I.%I', nspname, relname) AS name,
  pg_catalog.pg_stat_get_live_tuples(c.oid) AS live
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
WHERE relkind = 'r' AND reltuples <= 0 AND pg_catalog.pg_stat_get_live_tuples(c.oid) >= :rows
  AND relpersistence <> 't' AND nspname <> 'information_schema' AND nspname NOT LIKE 'pg\\_%'
ORDER BY live DESC, name
""")
_IS_OFF: Final = text("""
SELECT pg_catalog.current_setting('autovacuum') = 'off' OR pg_catalog.current_setting('track_counts') = 'off'
""")
ROWS: Final = 10_000  # autovacuum analyses a table after 50 changed rows, within about a minute
SHOWN: Final = 3  # tables: enough to look at


def check_analyze(connection: Connection) -> Iterator[Finding]:
    """Find tables that PostgreSQL believes to be empty, or has never analysed; and whether autovacuum is off."""
    if connection.scalar(_IS_OFF):
        message = "Autovacuum is off, so that tables only grow, and statements are planned for tables of long ago."
        advice = "Set autovacuum and track_counts to on."
        yield Finding(check="analyze", level="warning", message=message, advice=advice)
        return
    rows = connection.execute(_BLIND, {"rows": ROWS}).all()
    if rows:
        tables = ", ".join(f"{row.name} ({row.live:,} rows)" for row in rows[:SHOWN])
        message = f"Tables that were never analysed, or not since they were empty: {len(rows):,}, among them {tables}."
        advice = "Run ANALYZE now; where it comes back, autovacuum does not get to them."
        yield Finding(check="analyze", level="warning", message=message, advice=advice)
    else:
        yield Finding(check="analyze", level="ok", message="PostgreSQL has analysed every large table.")
