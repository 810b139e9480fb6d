"""Moving 100,000 sessions from PostgreSQL 16 to 18 under load, behind a PgBouncer that is told of the new server."""

import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Final, LiteralString

import psycopg
import pytest
from benchmarks.rows import copy_sessions, copy_users, pair_of, users_of
from sqlalchemy import make_url
from tests.cluster.books import missing
from tests.cluster.cluster import PGBOUNCER
from tests.cluster.load import CONFIG, Load
from tests.cluster.programs import Program, free_ports, is_listening, send, wait_until

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.account import find_account
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.upgrade import check, plan, switch
from pgauthkit.tokens import Kind

SESSIONS: Final = 100_000
ASKED: Final = range(0, SESSIONS, 25)
LOGICAL: Final = {"wal_level": "logical", "max_wal_senders": "10", "max_replication_slots": "10"}
# Those that the load does not touch.
ALL: Final[LiteralString] = """
SELECT count(*), sum(hashtextextended(s::text, 0)) FROM pgauthkit.sessions AS s WHERE id ~ '^s[0-9]+$'
"""


class Pooler:
    """A PgBouncer before a server with a Unix socket."""

    def __init__(self, folder: Path, url: str) -> None:
        self._account = find_account()
        self._account.let_in(folder)
        self._settings = folder / "pgbouncer.ini"
        self._port = next(free_ports())
        self._write(url)
        self._program = Program("pgbouncer", "-q", self._settings, account=self._account, log=folder / "log")
        self._program.start()
        wait_until(lambda: is_listening(self._port), "PgBouncer is there")

    @property
    def url(self) -> str:
        """The way through it."""
        return f"postgresql://postgres@127.0.0.1:{self._port}/app?pgbouncer=true"

    def move(self, url: str) -> None:
        """Send everybody to another server, as `RELOAD` does."""
        self._write(url)
        send(signal.SIGHUP, [self._program.pid])

    def end(self) -> None:
        """End it."""
        self._program.end()

    def _write(self, url: str) -> None:
        query = make_url(url).query
        self._settings.write_text(PGBOUNCER.format(port=self._port, host=query["host"], server=query["port"]))
        self._account.give(self._settings)


@pytest.fixture
def servers() -> Iterator[tuple[str, str]]:
    """The database on a server of each version, the older one with people in it."""
    with EmbeddedPostgres(settings=LOGICAL) as old, EmbeddedPostgres(major=18, settings=LOGICAL) as new:
        for server in (old, new):
            with psycopg.connect(server.url(), autocommit=True) as connection:
                connection.execute("CREATE DATABASE app")
        deploy(old.url("app"))
        with psycopg.connect(old.url("app")) as connection:
            copy_users(connection, users_of(SESSIONS))
            copy_sessions(connection, range(SESSIONS), users_of(SESSIONS))
        yield old.url("app"), new.url("app")


@contextmanager
def going(load: Load) -> Iterator[None]:
    """Let a load go on."""
    load.start()
    try:
        wait_until(load.is_going, "the load has begun")
        yield
    finally:
        load.finish()


def test_nobody_is_signed_out(servers: tuple[str, str], report: Callable[[str], None]) -> None:
    """Every session is good on the new server, all that was acknowledged is there, and the pause is a short one."""
    old, new = servers
    assert plan(old, new).obstacles == ()
    with tempfile.TemporaryDirectory(prefix="pgak-") as folder:
        pooler = Pooler(Path(folder), old)
        load = Load("upgrade", pooler.url, is_async=False, people=4, between=0.02)
        with going(load):
            began = time.monotonic()
            assert check(old, new).is_equal
            copied = time.monotonic()
            done = switch(old, new)
            pooler.move(new)
            moved = time.monotonic()
            time.sleep(2)
        pooler.end()

    usual = median(took for book in load.books for at, took in book.refreshes if at < copied)
    silence = max(book.longest_silence(copied, moved) for book in load.books)
    refreshes = sum(len(book.refreshes) for book in load.books)
    refusals = sum(book.failures for book in load.books)
    report(
        f"upgrade of {SESSIONS:,} sessions: copied and compared in {copied - began:.1f} s; pause {done.pause:.2f} s, "
        f"{done.pause / usual:.0f} times the median refresh of {1000 * usual:.1f} ms; nobody waited longer than "
        f"{silence:.2f} s; {refreshes} refreshes, {refusals} calls refused in the pause"
    )
    for book in load.books:
        assert (book.stolen, book.foreign, book.broken, list(missing(book, new))) == ([], [], [], [])
        assert book.refreshes[-1][0] > moved
    assert rows(old) == rows(new)
    assert rows(new)[0] == SESSIONS
    assert refused(new) == 0


def rows(url: str) -> tuple[int, int]:
    """Return how many sessions there are, and a number that says what is in them."""
    with psycopg.connect(url) as connection:
        row = connection.execute(ALL).fetchone()
        assert row
        return int(row[0]), int(row[1])


def refused(url: str) -> int:
    """Return how many people cannot go on with their token."""
    engine = create_engine(url)
    auth = AuthService(engine, CONFIG)
    tokens = [pair_of(number).access.text(Kind.ACCESS).reveal() for number in ASKED]
    found = [auth.authenticate(token).session_id for token in tokens]
    engine.dispose()
    return len(set(found) ^ {f"s{number}" for number in ASKED})
