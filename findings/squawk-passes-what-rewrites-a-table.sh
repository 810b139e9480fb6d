#!/usr/bin/env bash
# squawk-cli 2.70.0, Python 3.11
#
# Guess: a linter for migrations that warns of a column type that changes, and of a volatile default, warns of every statement that
#   writes a whole table anew, or reads it, under a lock that stops its readers or writers.
# Behaviour: With lock_timeout and statement_timeout set before, it passes CLUSTER, VACUUM FULL, SET UNLOGGED, SET TABLESPACE, a
#   REFRESH without CONCURRENTLY, SET NOT NULL of a domain, a partition that is attached (the table is read for its bounds), and a
#   DELETE without WHERE. Of a serial column that is added it says to prefer an identity, which rewrites the table as
#   well, and does not say that either does. The other rules do say so of ALTER COLUMN … TYPE and a volatile default.
# Output seen:
#   CLUSTER person USING person_pkey: nothing
#   VACUUM FULL person: nothing
#   ALTER TABLE person SET UNLOGGED: nothing
#   ALTER TABLE person SET TABLESPACE fast: nothing
#   REFRESH MATERIALIZED VIEW names: nothing
#   ALTER DOMAIN positive SET NOT NULL: nothing
#   ALTER TABLE event ATTACH PARTITION event_2025 DEFAULT: nothing
#   DELETE FROM person: nothing
#   ALTER TABLE person ADD COLUMN number bigserial: prefer-identity
#   ALTER TABLE person ADD COLUMN token uuid DEFAULT gen_random_uuid(): adding-field-with-default
#   ALTER TABLE person ALTER COLUMN number TYPE bigint: changing-column-type
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "squawk-cli==2.70.0"
"$folder/venv/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import json
import subprocess
import sys

statements = """
    CLUSTER person USING person_pkey
    VACUUM FULL person
    ALTER TABLE person SET UNLOGGED
    ALTER TABLE person SET TABLESPACE fast
    REFRESH MATERIALIZED VIEW names
    ALTER DOMAIN positive SET NOT NULL
    ALTER TABLE event ATTACH PARTITION event_2025 DEFAULT
    DELETE FROM person
    ALTER TABLE person ADD COLUMN number bigserial
    ALTER TABLE person ADD COLUMN token uuid DEFAULT gen_random_uuid()
    ALTER TABLE person ALTER COLUMN number TYPE bigint
"""
for line in statements.strip().splitlines():
    statement = line.strip()
    sql = f"SET lock_timeout = '1s';\nSET statement_timeout = '5s';\n{statement};\n"
    options = ["--reporter=json", "--pg-version=16.0", "--exclude=prefer-robust-stmts", "--stdin-filepath=migration.sql"]
    done = subprocess.run([f"{sys.argv[1]}/venv/bin/squawk", *options], input=sql, capture_output=True, text=True, cwd=sys.argv[1])
    rules = sorted({warning["rule_name"] for warning in json.loads(done.stdout)})
    print(f"{statement}: {', '.join(rules) or 'nothing'}")
PYTHON
diff "$folder/seen" - <<'SEEN'
CLUSTER person USING person_pkey: nothing
VACUUM FULL person: nothing
ALTER TABLE person SET UNLOGGED: nothing
ALTER TABLE person SET TABLESPACE fast: nothing
REFRESH MATERIALIZED VIEW names: nothing
ALTER DOMAIN positive SET NOT NULL: nothing
ALTER TABLE event ATTACH PARTITION event_2025 DEFAULT: nothing
DELETE FROM person: nothing
ALTER TABLE person ADD COLUMN number bigserial: prefer-identity
ALTER TABLE person ADD COLUMN token uuid DEFAULT gen_random_uuid(): adding-field-with-default
ALTER TABLE person ALTER COLUMN number TYPE bigint: changing-column-type
SEEN
