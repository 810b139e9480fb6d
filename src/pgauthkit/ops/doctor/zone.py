"""Check of the TimeZone: does it decide what is written into columns that have none."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.models import SCHEMA
from pgauthkit.ops.doctor.finding import Finding

__all__ = ["check_zone"]

# Some zones are UTC in winter only; two of the year's days tell. https://www.postgresql.org/docs/16/datatype-datetime.html
_ZONE: Final = text("""
SELECT pg_catalog.current_setting('TimeZone') AS zone,
  EXTRACT(timezone FROM timestamptz '2026-01-01 12:00Z') = 0
  AND EXTRACT(timezone FROM timestamptz '2026-07-01 12:00Z') = 0 AS is_utc
""")
_WITHOUT_ZONE: Final = text("""
SELECT pg_catalog.format('%I.%I.%I', nspname, relname, attname) AS name
FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_class AS c ON c.oid = attrelid
JOIN pg_catalog.pg_namespace AS n ON n.oid = relnamespace
WHERE atttypid = 'timestamp'::regtype AND attnum > 0 AND NOT attisdropped AND relkind IN ('r', 'p')
  AND NOT relispartition AND nspname NOT IN (:schema, 'information_schema') AND nspname NOT LIKE 'pg\\_%'
ORDER BY 1
""")
SHOWN: Final = 3  # columns: enough to look at


def check_zone(connection: Connection) -> Iterator[Finding]:
    """See whether the sessions have another TimeZone than UTC, and tables have columns that it is written in.

    Ours have none: `timestamptz` is the same moment in every zone, and a `timestamp` is what a clock on the wall shows.
    """
    zone, is_utc = connection.execute(_ZONE).one()
    names = [] if is_utc else list(connection.scalars(_WITHOUT_ZONE, {"schema": SCHEMA}))
    if names:
        message = (
            f"The TimeZone is {zone}, and columns have none: {len(names):,}, among them {', '.join(names[:SHOWN])}."
            " What now() writes there is off from UTC, and twice a year jumps."
        )
        advice = "ALTER ROLE … SET timezone = 'UTC', or give the columns the type timestamptz."
        yield Finding(check="zone", level="warning", message=message, advice=advice)
    else:
        message = "The TimeZone is UTC." if is_utc else f"The TimeZone is {zone}, and no column depends on it."
        yield Finding(check="zone", level="ok", message=message)
