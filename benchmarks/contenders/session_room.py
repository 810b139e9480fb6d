"""How many bytes a session takes, with its index entries: `session_room 1000000` prints a line of JSON.

It runs on the build of another commit too: sessions are opened by what every build has in public, and then multiplied
in the database, with keys and hashes of their own, in the order of their age. What a refresh adds goes into the room
that is left for it in each page, and counts by that.
"""

import json
import os
import sys
from typing import Any, Final

import psycopg

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.ops.migrate import deploy
from pgauthkit.repositories import UserRepository, transaction

__all__ = ["main"]

WRITTEN: Final = 1_000
# What most browsers say, in the share that they have of each other.
BROWSERS: Final = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
    "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/26.0 Safari/605",
    "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
)
COLUMNS: Final = b"""SELECT attname, format_type(atttypid, atttypmod) FROM pg_attribute
    WHERE attrelid = 'pgauthkit.sessions'::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum"""
SIZES: Final = b"""SELECT relname, relkind = 'r', pg_relation_size(oid) FROM pg_class
    WHERE relnamespace = 'pgauthkit'::regnamespace AND relname ~ 'sessions'"""


def write(url: str) -> None:
    """Open sessions, two for each user."""
    engine = create_engine(url)
    auth = AuthService(engine)
    for number in range(WRITTEN // 2):
        with transaction(engine) as db:
            user = UserRepository(db).create(email=f"room{number}@example.com").id
        for which in (number, number + 1):
            browser = BROWSERS[which % len(BROWSERS)]
            auth.open_session(user, ip=f"198.51.100.{which % 250}", user_agent=browser)
    engine.dispose()


def multiply(connection: psycopg.Connection[Any], rows: int) -> None:
    """Write so many sessions after the pattern of those that are there, which go then."""
    columns = connection.execute(COLUMNS).fetchall()
    values = ", ".join(_value(name, kind) for name, kind in columns)
    names = ", ".join(name for name, _ in columns)
    times = -(-rows // WRITTEN)
    connection.execute("CREATE TEMPORARY TABLE pattern AS SELECT * FROM pgauthkit.sessions")
    connection.execute("TRUNCATE pgauthkit.sessions")
    insert = f"""INSERT INTO pgauthkit.sessions ({names})
        SELECT {values} FROM generate_series(1, {times}) AS n, pattern"""  # noqa: S608 - names of ours
    connection.execute(insert.encode())
    connection.execute("VACUUM (ANALYZE) pgauthkit.sessions")


def _value(name: str, kind: str) -> str:
    if name == "id":
        # As long as an id, and the later the larger, as they are.
        return "'c' || lpad(n::text, 10, '0') || substr(md5(random()::text || id), 1, length(id) - 11)"
    if kind == "bytea":
        return f"substr(sha256({name} || convert_to(n::text, 'UTF8')), 1, length({name}))"
    return name


def main(rows: int) -> None:
    """Print the bytes of a session, and of those the row's."""
    url = os.environ["DATABASE_URL"]
    deploy(url)
    write(url)
    with psycopg.connect(url, autocommit=True) as connection:
        multiply(connection, rows)
        count = connection.execute("SELECT count(*) FROM pgauthkit.sessions").fetchone()
        sizes = connection.execute(SIZES).fetchall()
    assert count
    heap, every = (sum(size for _, is_heap, size in sizes if is_heap or both) for both in (False, True))
    print(json.dumps({"bytes": every / count[0], "row_bytes": heap / count[0]}))  # noqa: T201 - the answer


if __name__ == "__main__":
    main(int(sys.argv[1]))
