"""A plugin of pytest: every engine of the other tests goes through a real PgBouncer in transaction mode.

    PYTHONPATH=tests/system pytest -p through_pgbouncer tests/integration

The tests stay as they are. What they look at directly, and what migrates, goes to the server itself.
"""

import os
import re
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any, Final, TypeVar

import psycopg
import pytest
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

E = TypeVar("E", Engine, AsyncEngine)

PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin"])
SERVERS: Final = 2
PATIENCE: Final = 60.0  # seconds

# These tests are of a server session of one's own, which nobody has behind a pooler; each with what it looks at.
LEFT_OUT: Final = {
    "tests/integration/test_engine.py": "of engines themselves: test_pgbouncer.py has those behind PgBouncer",
    "tests/integration/test_unavailable.py::TestByTheService": "of servers that answer otherwise, or not at all",
    "tests/integration/test_dev_server.py": "of a server, and no engine",
    "tests/integration/test_embedded.py": "of a server, and no engine",
    "tests/integration/test_hot.py": "of statistics, which a server session writes at its end: PgBouncer keeps it",
    "tests/integration/test_line.py": "of preparing, which nobody does behind a pooler",
    "tests/integration/test_querylog.py": "of preparing, which nobody does behind a pooler",
    "tests/integration/repositories/test_transactions.py::test_a_database_that": "of a server that stops",
    "tests/integration/repositories/test_on_engine.py::test_a_connection_that_the_server_closed": "of a session's name",
    "tests/integration/test_deadline.py::TestFrozen": "of the server's process, which PgBouncer does not name",
    "tests/integration/test_session_cache.py::TestElsewhere::test_the_database_is_away": "of a server that is away",
    "tests/integration/repositories/test_plans_in_session.py::test_statements_that_psycopg_has": "of preparing",
    "tests/integration/repositories/test_plans_in_session.py::test_statements_that_the_host": "of preparing",
    "tests/integration/repositories/test_plans_in_session.py::test_a_table_that_is_changed": "of preparing",
    "tests/integration/test_quick.py::test_a_connection_that_is_too_old": "of a session's name",
    "tests/integration/test_receiving.py::test_notifications": "of a session that listens",
    "tests/integration/test_scans.py": "of preparing, and of statistics, which PgBouncer keeps as well",
    "tests/integration/repositories/test_together.py::test_a_connection_that_is_lost": "of three sessions at once",
    "tests/integration/test_wire.py": "of what goes over the wire to the server itself",
    "tests/integration/test_runner.py::TestBrokenOff::test_a_task_that_takes_too_long": "of five sessions at once",
    "tests/integration/test_runner.py::TestEnginesOfTheHost::test_a_listener_that_leaves": "of a session's setting",
    "tests/races/test_users.py::test_sessions_end_in_one_order": "of sessions that plan differently, by PGOPTIONS",
}
# And an engine that asks for settings of its session (`connect_args={"options": …}`) goes to the server itself.


class PgBouncer:
    """A PgBouncer before one server, in transaction mode, until `stop`.

    Args:
        directory: the server's Unix socket's.
        port: the number in its name.
        servers: connections to the server for each database.
        settings: PgBouncer's, beyond those that are needed here.
    """

    def __init__(self, directory: str, port: str, *, servers: int = SERVERS, **settings: str) -> None:
        self.port = free_port()
        self._folder = Path(tempfile.mkdtemp(prefix="pgak-bouncer-"))
        self._log = self._folder / "log"
        self._process: subprocess.Popen[bytes] | None = None
        lines = {
            "listen_addr": "127.0.0.1",
            "listen_port": str(self.port),
            "unix_socket_dir": "",
            "auth_type": "any",
            "pool_mode": "transaction",
            "default_pool_size": str(servers),
            # Takes turns: without, one client after another would get the same server connection, which hides faults.
            "server_round_robin": "1",
            # After a server that refused, such as for a database that is not there, nobody waits for 15 s.
            "server_login_retry": "1",
            "max_client_conn": "1000",
            **settings,
        }
        head = ["[databases]", f"* = host={directory} port={port} user=postgres", "[pgbouncer]"]
        text = "\n".join([*head, *(f"{key} = {value}" for key, value in lines.items()), ""])
        (self._folder / "pgbouncer.ini").write_text(text)

    def start(self) -> "PgBouncer":
        """Start it as the account of the server, as it refuses root, and wait until it answers."""
        from pgauthkit.database.account import find_account  # noqa: PLC0415 - not before coverage has begun

        account = find_account()
        for path in (self._folder, *self._folder.iterdir()):
            account.give(path)
        program = shutil.which("pgbouncer", path=PATH)
        assert program, "pgbouncer is not installed"
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [program, "-q", self._folder / "pgbouncer.ini"], cwd="/", stdout=log, stderr=log, **account.switch
            )
        deadline = time.monotonic() + PATIENCE
        while not self._answers():
            assert self._process.poll() is None, self._log.read_text()
            assert time.monotonic() < deadline, self._log.read_text()
            time.sleep(0.02)
        return self

    def move(self, directory: str, port: str) -> None:
        """Go to another server, in a moment, as after a failover; clients stay connected."""
        settings = self._folder / "pgbouncer.ini"
        settings.write_text(
            re.sub(r"\* = host=\S+ port=\S+", f"* = host={directory} port={port}", settings.read_text())
        )
        assert self._process
        self._process.send_signal(signal.SIGHUP)

    def stop(self) -> None:
        """End it, and delete its files."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def url(self, url: URL) -> URL:
        """Return the way to a database through it."""
        return url.set(host="127.0.0.1", port=self.port, query={}).update_query_dict(
            {name: value for name, value in url.query.items() if name not in {"host", "port"}}
        )

    def spread(self, database: str) -> None:
        """Have every connection to the server opened: one transaction held open forces the next onto another."""
        with ExitStack() as held, suppress(psycopg.OperationalError):  # a test may want a database that is not there
            for _ in range(SERVERS):
                client = psycopg.connect(
                    host="127.0.0.1", port=self.port, dbname=database, user="postgres", prepare_threshold=None
                )
                held.callback(client.close)
                held.callback(client.rollback)  # or PgBouncer would close the connection to the server as well
                client.execute("SELECT 1")  # and so in a transaction, which stays open

    def _answers(self) -> bool:
        with suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def free_port() -> int:
    """Return a port that nobody has, and that the system gives to nobody (ip_local_port_range) until it is used."""
    from pgauthkit.database.cluster import is_free  # noqa: PLC0415 - not before coverage has begun

    return next(filter(is_free, iter(lambda: secrets.choice(range(10_000, 20_000)), None)))


class Detour:
    """Sends the engines of tests through PgBouncers, one for each server."""

    def __init__(self, servers: int) -> None:
        self._servers = servers
        self._lock = threading.Lock()
        self._bouncers: dict[tuple[str, str], PgBouncer] = {}
        self._spread: set[URL] = set()

    def around(self, make: Callable[..., E]) -> Callable[..., E]:
        """Return the function that makes engines, with the detour."""

        def make_behind(url: str | URL | None = None, **options: Any) -> E:  # noqa: ANN401 - SQLAlchemy's own
            plain = make_url(url or os.environ["DATABASE_URL"])
            place = (str(plain.query.get("host", "")), str(plain.query.get("port", "")))
            is_ours = place[0] and Path(place[0]).is_dir()
            if not is_ours or "options" in options.get("connect_args", {}):
                return make(url, **options)
            return make(self._through(plain, place), pgbouncer=True, **options)

        return make_behind

    def _through(self, url: URL, place: tuple[str, str]) -> URL:
        with self._lock:
            if place not in self._bouncers:
                # Dozens are not kept for the next test: what a server session counted it tells at its end.
                idle = {} if self._servers == SERVERS else {"server_idle_timeout": "1"}
                self._bouncers[place] = PgBouncer(*place, servers=self._servers, **idle).start()
            bouncer = self._bouncers[place]
            if url not in self._spread:
                self._spread.add(url)
                bouncer.spread(str(url.database))
        return bouncer.url(url)

    def stop(self) -> None:
        """Stop all of them."""
        for bouncer in self._bouncers.values():
            bouncer.stop()


_detour: Detour | None = None


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--pgbouncer-servers", type=int, default=SERVERS, help="server connections for each database")


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Take the detour before any conftest imports what makes engines."""
    global _detour  # noqa: PLW0603 - one for the run
    if shutil.which("pgbouncer", path=PATH) is None:
        return
    import pgauthkit.ops.migrate  # noqa: F401, PLC0415 - what migrates goes to the server itself
    from pgauthkit import database  # noqa: PLC0415
    from pgauthkit.database import cluster  # noqa: PLC0415

    cluster.FAST["max_connections"] = "2000"  # for the races: PgBouncer keeps dozens for each of their databases

    _detour = Detour(early_config.known_args_namespace.pgbouncer_servers)
    database.create_engine = _detour.around(database.create_engine)
    database.create_async_engine = _detour.around(database.create_async_engine)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    out = [item for item in items if _detour is None or item.nodeid.startswith(tuple(LEFT_OUT))]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in set(out)]


def pytest_sessionfinish(session: pytest.Session) -> None:
    if _detour is None and session.exitstatus == pytest.ExitCode.NO_TESTS_COLLECTED:
        session.exitstatus = 0


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if _detour is None:
        terminalreporter.write_line("NOT RUN: the tests through PgBouncer, as it is not installed", red=True)
    for name, reason in LEFT_OUT.items():
        terminalreporter.write_line(f"left out: {name}, {reason}")


def pytest_unconfigure() -> None:
    if _detour is not None:
        _detour.stop()
