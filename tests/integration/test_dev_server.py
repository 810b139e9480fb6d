"""DevServer on real servers: it stays, keeps its address and data, and is started once however often it is asked."""

import contextlib
import fcntl
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Generator, Iterator
from pathlib import Path

import psycopg
import pytest

from pgauthkit.database import guard
from pgauthkit.database.cluster import is_free
from pgauthkit.database.dev_server import ELSEWHERE, DevServer, DevServerStatus
from pgauthkit.errors import DatabaseUnavailableError

AS_ROOT = os.geteuid() == 0


@contextlib.contextmanager
def project() -> Generator[Path]:
    """A project's directory that other accounts can enter, unlike pytest's; its server is stopped in the end."""
    with tempfile.TemporaryDirectory(prefix="pgak-test-", dir="/tmp", ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve() / "dev-db"
        guard.end(Path(name) / "dev-db/server")


@pytest.fixture
def directory() -> Iterator[Path]:
    with project() as place:
        yield place


@pytest.fixture(scope="module")
def shared() -> Iterator[DevServer]:
    with project() as place:
        server = DevServer(place, durable=False)
        server.start()
        yield server


@pytest.fixture
def running(shared: DevServer) -> DevServer:
    shared.start()
    return shared


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def tell(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


def home_of(server: DevServer) -> Path:
    home = server.status().directory
    assert home
    return home


class TestStart:
    def test_first_start(self, directory: Path) -> None:
        """The first start makes an empty database `app` on PostgreSQL 16, and keeps all of it from git and others."""
        status = DevServer(directory).start()
        url = DevServer(directory).url()
        expected = DevServerStatus(
            running=True,
            changed=True,
            pid=guard.read_pid(directory / "server"),
            port=status.port,
            major=16,
            database="app",
            directory=directory / "server",
        )
        private = {
            path.name: oct(path.stat().st_mode) for path in (directory / "server/password", directory / "state.json")
        }
        assert expected == status
        assert private == {"password": "0o100600", "state.json": "0o100600"}
        assert (directory / ".gitignore").read_text() == "*\n"
        assert ask(url, "SELECT current_database() || ' ' || count(*) FROM pg_stat_user_tables") == "app 0"
        assert ask(url, "SHOW fsync") == "on"

    def test_start_of_what_runs(self, running: DevServer) -> None:
        """A start of a running server changes nothing, and says so."""
        before = running.status()
        assert before == running.start()

    def test_outlives_its_starter(self, shared: DevServer) -> None:
        """The server goes on after the program that started it, which is not warned about anything."""
        shared.stop()
        source = """if True:
            import sys
            from pathlib import Path
            from pgauthkit.database.dev_server import DevServer
            DevServer(Path(sys.argv[1]), durable=False).start()
        """
        command = [sys.executable, "-W", "error", "-c", source, str(home_of(shared).parent)]
        result = subprocess.run(command, check=False, capture_output=True, text=True)
        assert (result.returncode, result.stderr, shared.status().running) == (0, "", True)
        assert ask(shared.url(), "SELECT 1") == 1

    def test_started_by_two_at_once(self, directory: Path) -> None:
        """Of two first starts at once one starts the server, and the other finds it running."""
        source = """if True:
            import sys
            from pathlib import Path
            from pgauthkit.database.dev_server import DevServer
            print(DevServer(Path(sys.argv[1]), durable=False).start().changed)
        """
        command = [sys.executable, "-c", source, str(directory)]
        starters = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        answers = [starter.communicate()[0].strip() for starter in starters]
        assert sorted(answers) == ["False", "True"]
        assert ask(DevServer(directory).url(), "SELECT 1") == 1

    def test_missing_database(self, running: DevServer) -> None:
        """A start makes the database where it is missing, as after a first start that was interrupted."""
        with psycopg.connect(running.url(), dbname="postgres", autocommit=True) as connection:
            connection.execute("DROP DATABASE app")
        running.start()
        assert ask(running.url(), "SELECT current_database()") == "app"

    def test_stale_process_id(self, shared: DevServer) -> None:
        """A postmaster.pid that names a stranger's process means that no server runs; the stranger lives on."""
        shared.stop()
        data = home_of(shared) / "data"
        user = data.stat().st_uid if AS_ROOT else None
        with subprocess.Popen(["/bin/cat"], stdin=subprocess.PIPE, user=user) as stranger:
            (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n{shared.status().port}\n\n\n\nready\n")
            assert (shared.status().running, shared.stop().changed) == (False, False)
            assert (shared.start().changed, stranger.poll()) == (True, None)

    def test_directory_closed_to_the_account(self, tmp_path: Path) -> None:
        """Where the server's account cannot enter the project, as below root's home, the data are elsewhere."""
        server = DevServer(tmp_path / "dev-db", durable=False)
        try:
            server.start()
            home = home_of(server)
            expected = next(filter(Path.is_dir, ELSEWHERE)) if AS_ROOT else tmp_path / "dev-db"
            assert (expected, 1) == (home.parent, ask(server.url(), "SELECT 1"))
        finally:
            server.stop()
            shutil.rmtree(home_of(server))


class TestPort:
    def test_another_port(self, shared: DevServer) -> None:
        """A given port is kept from then on, and cannot be given while the server runs on another."""
        # One that neither the system (ip_local_port_range) nor another test gives away meanwhile.
        port = next(filter(is_free, range(10_000 + os.getpid() % 9_000, 20_000)))
        shared.start()
        with pytest.raises(DatabaseUnavailableError, match=f"runs on port {shared.status().port}"):
            shared.start(port=port)
        shared.stop()
        assert [port, port] == [shared.start(port=port).port, shared.start(port=port).port]

    def test_taken_port(self, shared: DevServer) -> None:
        """A port that another program took meanwhile is an error, and the server keeps it for the next time."""
        shared.stop()
        port = shared.status().port
        assert port
        with (
            socket.create_server(("127.0.0.1", port)),
            pytest.raises(DatabaseUnavailableError, match=f"Another program listens on 127.0.0.1, port {port}"),
        ):
            shared.start()
        assert (True, port) == (shared.start().running, port)


class TestStop:
    def test_data_and_address_stay(self, running: DevServer) -> None:
        """After a stop, which may be repeated, and a start the data are there under the same address."""
        before = running.url()
        tell(before, "CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS answer")
        stopped = [running.stop(), running.stop()]
        assert [(it.running, it.changed, it.pid) for it in stopped] == [(False, True, None), (False, False, None)]
        assert before == running.url()
        running.start()
        assert (before, 42) == (running.url(), ask(before, "SELECT answer FROM kept"))

    def test_server_that_cannot_be_stopped(self, shared: DevServer) -> None:
        """A stop that does not succeed is an error; here, the lock is held by something that is no server."""
        shared.stop()
        with (home_of(shared) / guard.LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert (shared.status().running, shared.status().pid) == (True, None)
            with pytest.raises(DatabaseUnavailableError, match="does not stop"):
                shared.stop(patience=0.05)


class TestReset:
    def test_empty_under_the_same_address(self, running: DevServer) -> None:
        """A reset leaves an empty database, under the same address."""
        before = running.url()
        tell(before, "CREATE TABLE IF NOT EXISTS gone (id int)")
        assert True is running.reset().changed
        assert (before, None) == (running.url(), ask(before, "SELECT to_regclass('gone')"))

    def test_version_that_is_not_there(self, running: DevServer) -> None:
        """For a version that is missing, a reset deletes nothing, and a first start decides nothing."""
        with pytest.raises(DatabaseUnavailableError, match="PostgreSQL 99 was not found"):
            DevServer(home_of(running).parent, major=99).reset()
        with pytest.raises(DatabaseUnavailableError, match="PostgreSQL 99 was not found"):
            DevServer(home_of(running).parent / "other", major=99).start()
        assert ask(running.url(), "SELECT 1") == 1
        assert DevServer(home_of(running).parent / "other").status().major is None

    def test_another_version(self, directory: Path) -> None:
        """Data of one major version are not for another; a reset changes it, and also serves as the first start."""
        assert DevServer(directory, major=18, durable=False).reset().major == 18
        assert DevServer(directory, durable=False).start().major == 18
        with pytest.raises(DatabaseUnavailableError, match=r"are of PostgreSQL 18\.\n  - .* dev-db reset --major 16"):
            DevServer(directory, major=16).start()


class TestRefusal:
    def test_never_started(self, directory: Path) -> None:
        """What was never started is not running and has no address, and asking leaves no trace."""
        server = DevServer(directory)
        expected = DevServerStatus(
            running=False, changed=False, pid=None, port=None, major=None, database="app", directory=None
        )
        assert [expected, expected] == [server.status(), server.stop()]
        with pytest.raises(DatabaseUnavailableError, match="pgauthkit dev-db start"):
            server.url()
        assert not directory.exists()

    @pytest.mark.parametrize("text", ["", "{", "[]", "{}", json.dumps({"server": "/x", "port": "y", "major": 16})])
    def test_damaged_state(self, directory: Path, text: str) -> None:
        """A file that says nothing useful about the server is an error that tells what to do."""
        directory.mkdir()
        (directory / "state.json").write_text(text)
        with pytest.raises(DatabaseUnavailableError, match=r"state.json is damaged\.\n  - Delete it"):
            DevServer(directory).status()

    def test_directory_that_is_none(self, directory: Path) -> None:
        """What the system refuses about the directory is told as our error, with the path."""
        directory.touch()
        with pytest.raises(DatabaseUnavailableError, match="dev-db: File exists"):
            DevServer(directory).start()

    def test_password_that_was_changed(self, running: DevServer) -> None:
        """A password that is not the server's is told as our error, and the password is not in it."""
        kept = home_of(running) / "password"
        password = kept.read_text()
        kept.write_text("other")
        with pytest.raises(DatabaseUnavailableError, match=r"refuses its database: .*password authentication failed"):
            running.start()
        kept.write_text(password)
