"""The server, its databases, and what a killed run leaves behind."""

import signal
import subprocess
import sys
import unittest
from collections.abc import Callable, Iterator
from pathlib import Path
from textwrap import dedent
from threading import Event
from typing import LiteralString

import psycopg
import pytest
from sqlalchemy import make_url

from pgauthkit.database import create_engine
from pgauthkit.errors import DatabaseUnavailableError, MigrationError, PgAuthKitError
from pgauthkit.ops.migrate import status
from pgauthkit.testing import TestServer
from pgauthkit.testing.databases import Databases

# The session of a run, which holds its lock; of one that was killed, until the server has noticed.
HELD: LiteralString = (
    "FROM pg_locks WHERE locktype = 'advisory' AND objid = %s::bigint::oid AND pid <> pg_backend_pid()"
)


def lock_of(run: str) -> int:
    """Return the number of a run's lock, as `pg_locks` shows it."""
    return (int(run, 16) - 2**31) % 2**32


def eventually(condition: Callable[[], bool]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


def databases(server: TestServer, run: str) -> set[str]:
    """Return the names of a run's databases."""
    with psycopg.connect(server.url("postgres")) as connection:
        rows = connection.execute("SELECT datname FROM pg_database WHERE datname LIKE %s", [f"pgauthkit_{run}_%"])
        return {name for (name,) in rows}


@pytest.fixture
def second(pgauthkit_server: TestServer) -> Iterator[TestServer]:
    """Another run on the same server."""
    with TestServer(pgauthkit_server.url("postgres")) as server:
        yield server


def test_it_serves_unittest_and_scripts_as_well(second: TestServer) -> None:
    """Without pytest, a test case has its database by `enterContext`."""

    class Story(unittest.TestCase):
        def test_it(self) -> None:
            """The database has all migrations."""
            self.assertEqual(status(self.enterContext(second.database())).pending, ())  # noqa: PT009 - of unittest

    result = unittest.TestResult()
    Story("test_it").run(result)
    assert (result.testsRun, result.wasSuccessful()) == (1, True)


def test_a_database_is_dropped_whoever_is_connected(second: TestServer) -> None:
    """After the `with` the database is gone, and after the run the template."""
    with second.database() as url, second.database(migrated=False) as empty:
        connection = psycopg.connect(url)
        names = databases(second, second.run)
    connection.close()
    assert {make_url(url).database, make_url(empty).database, second.template} == names
    assert databases(second, second.run) == {f"pgauthkit_{second.run}_template"}


def test_nobody_can_connect_to_the_template(second: TestServer) -> None:
    """A connection to the template would keep it from being copied, so there is none."""
    with pytest.raises(psycopg.OperationalError, match="not currently accepting connections"):
        psycopg.connect(second.url(second.template))


def test_what_a_killed_run_left_is_dropped_by_the_next(pgauthkit_server: TestServer, second: TestServer) -> None:
    """A run that dies by SIGKILL leaves databases; a new one drops them, and spares those of a run that lives."""
    story = """
        import os, signal, sys
        from pgauthkit.testing import TestServer
        server = TestServer(sys.argv[1]).start()
        with server.database():
            print(server.run, flush=True)
            sys.stdin.read()
            os.kill(os.getpid(), signal.SIGKILL)
    """
    command = [sys.executable, "-c", dedent(story), pgauthkit_server.url("postgres")]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        run = process.stdout.readline().strip()
        assert len(databases(second, run)) == 2  # afterwards any run of another test may drop them
    assert process.returncode == -signal.SIGKILL
    with psycopg.connect(second.url("postgres"), autocommit=True) as connection:
        eventually(lambda: connection.execute(f"SELECT 1 {HELD}", [lock_of(run)]).fetchone() is None)
    with second.database(), TestServer(pgauthkit_server.url("postgres")):
        eventually(lambda: databases(second, run) == set())
        assert len(databases(second, second.run)) == 2


def test_a_lost_connection_is_made_again(second: TestServer) -> None:
    """When the server has cut the connection off, the first database fails with a reason, and the next is made."""
    with psycopg.connect(second.url("postgres"), autocommit=True) as connection:
        connection.execute(f"SELECT pg_terminate_backend(pid, 60000) {HELD}", [lock_of(second.run)])
    with pytest.raises(PgAuthKitError):
        second._open.create()
    with second.database(migrated=False) as url:
        assert second.run in url


def test_a_server_before_its_start_says_so() -> None:
    """Asked too early for anything, the error says what to call; a stop is no error."""
    server = TestServer(backend="embedded")
    server.stop()
    with pytest.raises(DatabaseUnavailableError, match="not started"):
        server.url("postgres")


def test_closing_what_was_never_opened_is_no_error() -> None:
    """Databases that were not connected to have nothing to let go of."""
    databases = Databases("postgresql://nobody@127.0.0.1:1/none")
    databases.close()
    assert databases.url("x") == "postgresql://nobody@127.0.0.1:1/x"


def test_a_start_that_fails_stops_what_it_started(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the server starts and its databases cannot be reached, the server is stopped again."""
    server = TestServer(backend="embedded")

    def fail(_databases: Databases) -> Databases:
        raise DatabaseUnavailableError("Lost.")

    monkeypatch.setattr(Databases, "open", fail)
    with pytest.raises(DatabaseUnavailableError, match="Lost"):
        server.start()
    with pytest.raises(DatabaseUnavailableError, match="not started"):
        assert server.run


def test_old_servers_are_copied_in_the_old_way(second: TestServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Before PostgreSQL 15 a copy had no STRATEGY; the copy is the same."""
    template = second.template
    monkeypatch.setattr("pgauthkit.testing.databases._FILE_COPY_SINCE", 990000)
    with second.database() as url:
        assert (status(url).pending, second.template) == ((), template)


class TestProject:
    def test_its_migrations_are_in_the_template(self, pgauthkit_server: TestServer, tmp_path: Path) -> None:
        """The folder of `[tool.pgauthkit]` comes after our own migrations."""
        make_project(tmp_path, "op.create_table('posts', sa.Column('id', sa.Integer))")
        with TestServer(pgauthkit_server.url("postgres"), project=tmp_path) as server, server.database() as url:
            engine = create_engine(url)
            with engine.connect() as connection:
                assert connection.exec_driver_sql("SELECT count(*) FROM posts").scalar() == 0
            engine.dispose()

    def test_a_migration_that_fails_is_told_each_time(self, pgauthkit_server: TestServer, tmp_path: Path) -> None:
        """The error of a migration comes with each test, is found out once, and leaves no half template."""
        make_project(tmp_path, "op.execute('SELECT nonsense')")
        with TestServer(pgauthkit_server.url("postgres"), project=tmp_path) as server:
            told = []
            for _ in range(2):
                with pytest.raises(MigrationError) as caught:
                    assert server.template
                told.append(caught.value)
            assert told[0] is told[1]
            assert databases(server, server.run) == set()


def make_project(directory: Path, upgrade: str) -> None:
    """Write a project with one revision."""
    versions = directory / "changes/versions"
    versions.mkdir(parents=True)
    (directory / "pyproject.toml").write_text('[tool.pgauthkit]\nmigrations = "changes"\n')
    (directory / "changes/env.py").write_text(
        "import sqlalchemy as sa\nfrom pgauthkit.migrations.host import run_migrations\nrun_migrations(sa.MetaData())\n"
    )
    (versions / "0001.py").write_text(
        f'"""First."""\nimport sqlalchemy as sa\nfrom alembic import op\nrevision = "a1"\ndown_revision = None\n'
        f"def upgrade() -> None:\n    {upgrade}\ndef downgrade() -> None:\n    pass\n"
    )
