"""Pages that stay in each table, so that no statement that is planned while a table is empty reads all of it later."""

from alembic import op

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: None = None
depends_on: None = None

SCHEMA = "pgauthkit"
TABLES = ("users", "magic_links", "sessions", "devices", "rate_limits")

# PostgreSQL takes an index where that costs less than to read the table, which is one unit a page; an index costs
# about eight (https://www.postgresql.org/docs/16/runtime-config-query.html). So 32 pages are four times what it takes.
ENOUGH = 32 * 8192
# One to a page; the size is looked at before each. Fewer than the 50 dead rows that call autovacuum: a new table is
# planned for as one of some rows, and one that was vacuumed while it was empty as an empty one.
ROWS = 33
WIDE = 5000  # bytes


def upgrade() -> None:
    """Keep VACUUM from giving pages back, and let each small table have some. The rows for it are never committed."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {SCHEMA}.{table} SET (vacuum_truncate = off)")
    # Undone, rows leave their pages. No trigger of an application's that waits for the commit sees them, and no
    # subscriber of a publication.
    op.execute("SAVEPOINT pgauthkit_room")
    for table in TABLES:
        # Wide values stay in the row, instead of going to the table beside it.
        op.execute(f"ALTER TABLE {SCHEMA}.{table} SET (toast_tuple_target = 8160)")
    text, key = f"repeat('-', {WIDE})", f"rpad('room' || n, {WIDE}, '-')"
    _fill("users", {"id": key, "email": "'room' || n || '@localhost'"})
    its_user = "(SELECT id FROM pgauthkit.users ORDER BY id LIMIT 1)"
    row = {"id": "'room' || n", "user_agent": text, "expires_at": "now()"}
    hashed = "convert_to('room' || n, 'UTF8')"
    _fill("magic_links", {**row, "token_hash": hashed, "email": "'room@localhost'"})
    _fill("devices", {**row, "token_hash": hashed, "last_used_at": "now()", "user_id": its_user})
    hashes = dict.fromkeys(("access_token_hash", "refresh_token_hash"), "''")
    times = dict.fromkeys(("authenticated_at", "last_used_at", "access_expires_at", "idle_expires_at"), "now()")
    _fill("sessions", {**row, "selector_hash": hashed, **hashes, **times, "user_id": its_user})
    _fill("rate_limits", {"key": f"convert_to({key}, 'UTF8')", "full_at": "now()"})
    op.execute("ROLLBACK TO SAVEPOINT pgauthkit_room")
    op.execute("RELEASE SAVEPOINT pgauthkit_room")


def downgrade() -> None:
    """Let VACUUM give back the pages again."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {SCHEMA}.{table} RESET (vacuum_truncate)")


def _fill(table: str, values: dict[str, str]) -> None:
    # A table that has the pages is left alone.
    is_small = f"pg_relation_size('{SCHEMA}.{table}') < {ENOUGH}"
    row = ", ".join(values.values())
    rows = f"SELECT {row} FROM generate_series(1, {ROWS}) AS n WHERE {is_small}"  # noqa: S608 - our own names
    op.execute(f"INSERT INTO {SCHEMA}.{table} ({', '.join(values)}) {rows} ON CONFLICT DO NOTHING")
