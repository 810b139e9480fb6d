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
    text, key = f"repeat('-', {WIDE})", f"rpad('room' || n, {WIDE}, '-')"
    its_user = "(SELECT id FROM pgauthkit.users ORDER BY id LIMIT 1)"
    row = {"id": "'room' || n", "user_agent": text, "expires_at": "now()"}
    hashed = "convert_to('room' || n, 'UTF8')"
    hashes = dict.fromkeys(("access_token_hash", "refresh_token_hash"), "''")
    times = dict.fromkeys(("authenticated_at", "last_used_at", "access_expires_at", "idle_expires_at"), "now()")
    filling = (
        _filled("users", {"id": key, "email": "'room' || n || '@localhost'"}),
        _filled("magic_links", {**row, "token_hash": hashed, "email": "'room@localhost'"}),
        _filled("devices", {**row, "token_hash": hashed, "last_used_at": "now()", "user_id": its_user}),
        _filled("sessions", {**row, "selector_hash": hashed, **hashes, **times, "user_id": its_user}),
        _filled("rate_limits", {"key": f"convert_to({key}, 'UTF8')", "full_at": "now()"}),
    )
    # Undone, rows leave their pages. No trigger of an application's that waits for the commit sees them, and no
    # subscriber of a publication.
    op.execute(f"DO $$ BEGIN {' '.join(filling)} RAISE SQLSTATE 'UNDO0'; EXCEPTION WHEN SQLSTATE 'UNDO0' THEN END $$")


def downgrade() -> None:
    """Let VACUUM give back the pages again."""
    for table in TABLES:
        op.execute(f"ALTER TABLE {SCHEMA}.{table} RESET (vacuum_truncate)")


def _filled(table: str, values: dict[str, str]) -> str:
    name = f"{SCHEMA}.{table}"
    # A table that has the pages is left alone.
    is_small = f"pg_relation_size('{name}') < {ENOUGH}"
    row = ", ".join(values.values())
    rows = f"SELECT {row} FROM generate_series(1, {ROWS}) AS n WHERE {is_small}"  # noqa: S608 - our own names
    # Wide values stay in the row, instead of going to the table beside it.
    wide = f"ALTER TABLE {name} SET (toast_tuple_target = 8160);"
    insert = f"INSERT INTO {name} ({', '.join(values)}) {rows} ON CONFLICT DO NOTHING;"
    # A trigger or a CHECK of an application's may refuse such rows: its table goes without.
    return f"{wide} BEGIN {insert} EXCEPTION WHEN others THEN END;"
