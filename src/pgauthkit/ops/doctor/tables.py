"""Checks of our tables: indexes that are mostly air, rows that nobody purges, addresses that nobody can type."""

from collections.abc import Iterator
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.email_address import canonical_email
from pgauthkit.errors import InvalidEmailError
from pgauthkit.models import SCHEMA
from pgauthkit.ops.doctor.finding import Finding, SetUp

__all__ = ["check_addresses", "check_bloat", "check_purge"]

MOST_BLOAT: Final = 3  # times what its rows need
COUNTED: Final = 10_000  # rows: more are not counted one by one
# A leaf's entry: 8 bytes of head, the key, 4 of line pointer, aligned to 8; pages of 8 kB, nine tenths full.
# https://www.postgresql.org/docs/16/storage-page-layout.html, https://www.postgresql.org/docs/16/btree.html
_BLOAT: Final = text("""
WITH index AS (
  SELECT i.relname AS name, pg_catalog.pg_relation_size(i.oid) AS size, greatest(i.reltuples, 0) AS entries,
    (SELECT coalesce(sum(s.avg_width), 8) FROM pg_catalog.pg_attribute AS a
     JOIN pg_catalog.pg_stats AS s ON s.schemaname = n.nspname AND s.tablename = t.relname AND s.attname = a.attname
     WHERE a.attrelid = i.oid) AS width
  FROM pg_catalog.pg_index AS x
  JOIN pg_catalog.pg_class AS i ON i.oid = x.indexrelid
  JOIN pg_catalog.pg_class AS t ON t.oid = x.indrelid
  JOIN pg_catalog.pg_namespace AS n ON n.oid = t.relnamespace
  WHERE n.nspname = :schema AND i.relkind = 'i')
SELECT name, size, CAST(8192 + entries * (ceil((width + 8) / 8.0) * 8 + 4) / 0.9 AS bigint) AS needed
FROM index WHERE size >= :bloat_from ORDER BY size DESC
""")
# By indexes: links have one on expires_at, and sessions are numbered by their age.
_OVERDUE: Final = text(f"""
SELECT count(*) FROM (
  (SELECT FROM (SELECT expires_at FROM {SCHEMA}.sessions ORDER BY id LIMIT :counted) AS oldest
   WHERE expires_at < statement_timestamp() - CAST(:age AS interval))
  UNION ALL
  (SELECT FROM {SCHEMA}.magic_links WHERE expires_at < statement_timestamp() - CAST(:age AS interval) LIMIT :counted)
) AS overdue
""")  # noqa: S608 - the name of our schema

# What the tables' own CHECK cannot judge: the rules of IDNA, and the lengths of a domain's parts.
_SUSPECT: Final = text(f"SELECT id, email FROM {SCHEMA}.users WHERE email ~ '--|[^.@]{{64}}' ORDER BY id")  # noqa: S608 - the same
SHOWN: Final = 5  # ids: enough to look at


def check_bloat(connection: Connection, set_up: SetUp) -> Iterator[Finding]:
    """Compare the size of each large index with what its entries need, as the statistics of ANALYZE have them."""
    rows = connection.execute(_BLOAT, {"schema": SCHEMA, "bloat_from": set_up.bloat_from}).all()
    bloated = [row for row in rows if row.size > MOST_BLOAT * row.needed]
    for row in bloated:
        message = f"The index {row.name} has {_mebibytes(row.size)}, and its rows need about {_mebibytes(row.needed)}."
        advice = f"REINDEX INDEX CONCURRENTLY {SCHEMA}.{row.name}; if it comes back, purge more often."
        yield Finding(check="bloat", level="warning", message=message, advice=advice)
    if not bloated:
        yield Finding(check="bloat", level="ok", message="No index is much larger than its rows need.")


def check_purge(connection: Connection, set_up: SetUp) -> Iterator[Finding]:
    """Count links and sessions that have been over for longer than a purge would leave them."""
    overdue = connection.scalar(_OVERDUE, {"age": set_up.purge_age, "counted": COUNTED}) or 0
    days = set_up.purge_age.total_seconds() / 86_400
    if overdue:
        amount = f"{overdue:,}" if overdue < COUNTED else f"{COUNTED:,} or more"
        message = f"Links and sessions that ended more than {days:g} days ago: {amount}."
        advice = "Run pgauthkit purge now, and once an hour or a day from crontab."
        yield Finding(check="purge", level="warning", message=message, advice=advice)
    else:
        yield Finding(check="purge", level="ok", message=f"Nothing is left that ended more than {days:g} days ago.")


def check_addresses(connection: Connection) -> Iterator[Finding]:
    """Find users whose address is not in its canonical form, such as rows that were copied in by SQL."""
    wrong = [row.id for row in connection.execute(_SUSPECT) if not _is_canonical(row.email)]
    if wrong:
        message = (
            f"Users whose address is not in its canonical form: {len(wrong):,}, among them {', '.join(wrong[:SHOWN])}."
        )
        advice = "They cannot sign in: give them the address that pgauthkit.email_address.canonical_email returns."
        yield Finding(check="addresses", level="wrong", message=message, advice=advice)
    else:
        yield Finding(check="addresses", level="ok", message="Every address is in its canonical form.")


def _is_canonical(email: str) -> bool:
    try:
        return canonical_email(email) == email
    except InvalidEmailError:
        return False


def _mebibytes(size: int) -> str:
    return f"{size / 1024 / 1024:,.1f} MiB"
