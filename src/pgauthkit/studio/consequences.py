"""What a delete takes with it, counted by the server itself: the delete is tried, and rolled back."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import Table, text
from sqlalchemy.orm import Session

__all__ = ["rehearse"]

# What this connection has done to each table of late. The counts of transactions that ended a moment ago are still
# among them: they are handed on once a second. https://www.postgresql.org/docs/current/monitoring-stats.html
_SO_FAR: Final = """
    SELECT coalesce(pg_catalog.pg_partition_root(relid)::oid, relid) AS id, sum(n_tup_ins)::bigint AS added,
           sum(n_tup_upd)::bigint AS updated, sum(n_tup_del)::bigint AS deleted
    FROM pg_catalog.pg_stat_xact_user_tables GROUP BY 1
"""
_BEFORE: Final = text(f"SELECT pg_catalog.jsonb_agg(so_far)::text FROM ({_SO_FAR}) AS so_far")  # noqa: S608 - ours
_SINCE: Final = text(f"""
    WITH so_far AS ({_SO_FAR}), changed AS (
        SELECT so_far.id, so_far.added - coalesce(old.added, 0) AS added,
               so_far.updated - coalesce(old.updated, 0) AS updated,
               so_far.deleted - coalesce(old.deleted, 0) AS deleted
        FROM so_far LEFT JOIN pg_catalog.jsonb_to_recordset(CAST(:before AS jsonb))
             AS old(id oid, added bigint, updated bigint, deleted bigint) USING (id)
    )
    SELECT CAST(changed.id AS regclass)::text AS name, added, updated, deleted, EXISTS (
        SELECT FROM pg_catalog.pg_constraint AS key JOIN changed AS target ON target.id = key.confrelid
        WHERE key.conrelid = changed.id AND key.contype = 'f' AND key.confdeltype IN ('n', 'd') AND target.deleted > 0
    ) AS is_cleared
    FROM changed WHERE added + updated + deleted > 0
    ORDER BY changed.id = pg_catalog.to_regclass(:own) DESC NULLS LAST, deleted DESC, name
""")  # noqa: S608 - ours
_IS_COUNTING: Final = text("SELECT pg_catalog.current_setting('track_counts')::boolean")


def rehearse(session: Session, rows: Sequence[Any], own: Table) -> list[str]:
    """Return a sentence for each table that a delete of these rows changes, theirs among them; nothing is changed.

    What cascades, what loses its reference, what triggers do: all is counted, in tables without a model too.

    Args:
        session: it is rolled back.
        rows: of the session.
        own: their table, which comes first.
    """
    try:
        before = session.scalar(_BEFORE) or "[]"
        for row in rows:
            session.delete(row)
        session.flush()
        if not session.scalar(_IS_COUNTING):
            return ["The server does not count changes (track_counts is off): what goes with it is not known."]
        name = session.connection().dialect.identifier_preparer.format_table(own)
        found = session.execute(_SINCE, {"before": before, "own": name})
        return [sentence for table in found for sentence in _sentences(table)]
    finally:
        session.rollback()


def _sentences(found: Any) -> list[str]:  # noqa: ANN401 - a row of the statement
    cleared = "changed: the reference is set to NULL, or to its default" if found.is_cleared else "changed"
    effects = ((found.deleted, "deleted"), (found.updated, cleared), (found.added, "added"))
    return [f"{found.name}: {count:,} {'row' if count == 1 else 'rows'} {effect}" for count, effect in effects if count]
