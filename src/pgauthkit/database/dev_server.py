"""A PostgreSQL server that stays, for development: one for each project, in a directory of the project."""

import fcntl
import json
import os
import secrets
import shutil
import zlib
from collections.abc import Generator
from contextlib import contextmanager
from itertools import count
from pathlib import Path

import attrs
import psycopg
from psycopg import sql

from pgauthkit.database import guard
from pgauthkit.database.account import find_account
from pgauthkit.database.binaries import find_binaries, prepare_binaries
from pgauthkit.database.cluster import Cluster, claim, is_free, translated, url_over_tcp
from pgauthkit.errors import DatabaseUnavailableError

__all__ = ["DevServer", "DevServerStatus"]

MAJOR = 16
# Below the ports that systems hand out for a moment (32768 and up on Linux, 49152 and up on macOS and at IANA).
FIRST_PORT, PORTS = 20_000, 10_000
# For data that cannot be in the project. Systems clean their directories for temporary files after a while, and take
# data with them, so the second one is for macOS, which has no /var/lib.
ELSEWHERE = (Path("/var/lib"), Path("/var/tmp"))  # noqa: S108 -- only ever the parent of a directory with a random name


@attrs.frozen(kw_only=True)
class DevServerStatus:
    """What is known about a development server; nothing in it is secret.

    Attributes:
        running: whether it runs, or is about to.
        changed: whether the call that returned this has changed that.
        pid: the server's process id, where it runs.
        port: its port on 127.0.0.1, also while it is stopped; None before its first start.
        major: PostgreSQL's major version, of the server and its data; None before its first start.
        database: the name of the database that is kept there.
        directory: where the data and the log are; None before its first start.
    """

    running: bool
    changed: bool
    pid: int | None
    port: int | None
    major: int | None
    database: str
    directory: Path | None


@attrs.frozen(kw_only=True)
class _State:
    server: Path
    port: int
    major: int


class DevServer:
    """A server that outlives this process: its data, port and password stay the same over stops and starts.

    It listens on 127.0.0.1 only, with a random password. Calls from several processes wait for each other. Run by root,
    the server runs as another account; where that account cannot enter `directory`, because it is below root's home for
    example, the data are in a new directory below `/var/lib`.

    Args:
        directory: where the server is kept, such as `.pgauthkit/dev-db` in the project; made when missing.
        major: PostgreSQL's major version; None for that of the data, or 16 for new ones.
        database: the name of the database to keep there.
        durable: survive a crash of the machine. Without, a start is faster, and the data may be lost with the power.
        binaries: the directory with PostgreSQL's programs; None to find one (see `find_binaries`).
        account: the account that root runs the server as; None for `postgres`, or else `nobody`.

    Example:
        >>> server = DevServer(Path(".pgauthkit/dev-db"))
        >>> server.start().running  # doctest: +SKIP
        True
        >>> engine = sqlalchemy.create_engine(server.url())  # doctest: +SKIP
    """

    def __init__(
        self,
        directory: Path,
        *,
        major: int | None = None,
        database: str = "app",
        durable: bool = True,
        binaries: Path | None = None,
        account: str | None = None,
    ) -> None:
        self._directory = directory.resolve()
        self._major = major
        self._database = database
        self._durable = durable
        self._binaries = binaries
        self._account = account

    def start(self, *, port: int | None = None) -> DevServerStatus:
        """Start the server, unless it runs, and see to it that the database exists.

        Args:
            port: the port to use from now on, also where it is taken just now; None for the same as ever.

        Raises:
            DatabaseUnavailableError: it does not start; it runs on another port; another program has the port; the data
                are of another major version.
        """
        with self._alone():
            return self._start(self._load() or self._settle(), port)

    def stop(self, *, patience: float = 10.0) -> DevServerStatus:
        """Stop the server, if it runs: sessions are cut off, the data stay.

        Args:
            patience: the seconds that each of three ways to stop it may take, the third being to kill it.

        Raises:
            DatabaseUnavailableError: it does not stop, even when killed.
        """
        state = self._load()
        if state is None:
            return self.status()
        with self._alone():
            running = guard.is_running(state.server)
            _end(state, patience)
            return attrs.evolve(self.status(), changed=running)

    def status(self) -> DevServerStatus:
        """Say whether the server runs, and where.

        Raises:
            DatabaseUnavailableError: what is kept about the server cannot be read.
        """
        state = self._load()
        running = state is not None and guard.is_running(state.server)
        return DevServerStatus(
            running=running,
            changed=False,
            pid=guard.read_pid(state.server) if state and running else None,
            port=state.port if state else None,
            major=state.major if state else None,
            database=self._database,
            directory=state.server if state else None,
        )

    def url(self) -> str:
        """Return the database's address with its password, whether or not the server runs.

        It is `postgresql://postgres:<password>@127.0.0.1:21234/app`, for SQLAlchemy, psycopg and libpq's programs.

        Raises:
            DatabaseUnavailableError: the server was never started.
        """
        state = self._load()
        if state is None:
            raise DatabaseUnavailableError(
                f"There is no development server in {self._directory} yet.",
                hints=["Start it: pgauthkit dev-db start"],
            )
        with translated(state.server):
            return url_over_tcp(state.server, state.port, self._database)

    def reset(self) -> DevServerStatus:
        """Delete all the data, and start the server with an empty database; port and password stay.

        This is also the way to another major version, and out of data that are damaged.

        Raises:
            DatabaseUnavailableError: it does not stop or does not start.
        """
        with self._alone():
            state = self._load() or self._settle()
            state = attrs.evolve(state, major=self._major or state.major)
            find_binaries(state.major, binaries=self._binaries)  # nothing is deleted for a version that is not there
            _end(state)
            if (state.server / guard.DATA).exists():
                shutil.rmtree(state.server / guard.DATA)
            return self._start(state, None)

    def _start(self, state: _State, port: int | None) -> DevServerStatus:
        running = guard.is_running(state.server)
        if self._major not in (None, state.major):
            raise DatabaseUnavailableError(
                f"The data in {state.server} are of PostgreSQL {state.major}.",
                hints=[f"For new, empty ones: pgauthkit dev-db reset --major {self._major}"],
            )
        if running and port not in (None, state.port):
            raise DatabaseUnavailableError(
                f"The development server runs on port {state.port}.", hints=["Stop it first: pgauthkit dev-db stop"]
            )
        if not running:
            self._launch(attrs.evolve(state, port=port or state.port))
        self._make_database()
        return attrs.evolve(self.status(), changed=not running)

    def _launch(self, state: _State) -> None:
        account = find_account(self._account)
        found = find_binaries(state.major, binaries=self._binaries)
        self._save(state)
        with claim(state.server, account) as lock:
            cluster = Cluster(
                directory=state.server,
                binaries=prepare_binaries(found, account=account, spare=state.server / "binaries"),
                account=account,
                settings={},
                durable=self._durable,
            )
            cluster.start(lock, [state.port])

    def _make_database(self) -> None:
        """Create the database where it is missing, as after a first start that was interrupted."""
        try:
            with psycopg.connect(self.url(), dbname="postgres", sslmode="disable", autocommit=True) as connection:
                known = connection.execute("SELECT FROM pg_database WHERE datname = %s", [self._database]).fetchone()
                if known is None:
                    connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(self._database)))
        except psycopg.Error as error:
            raise DatabaseUnavailableError(f"The development server refuses its database: {error}") from error

    @contextmanager
    def _alone(self) -> Generator[None]:
        with translated(self._directory):
            self._directory.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(self._directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX)
                yield
            finally:
                os.close(descriptor)

    def _settle(self) -> _State:
        """Choose the place and the port for a new server."""
        (self._directory / ".gitignore").write_text("*\n", encoding="utf-8")
        elsewhere = next(filter(Path.is_dir, ELSEWHERE)) / f"pgauthkit-{secrets.token_hex(8)}"
        reachable = find_account(self._account).can_enter(self._directory)
        usual = FIRST_PORT + zlib.crc32(os.fsencode(self._directory)) % PORTS
        return _State(
            server=self._directory / "server" if reachable else elsewhere,
            port=next(filter(is_free, count(usual))),
            major=self._major or MAJOR,
        )

    def _load(self) -> _State | None:
        path = self._directory / "state.json"
        with translated(path):
            if not path.exists():
                return None
            text = path.read_text(encoding="utf-8")
        try:
            kept = json.loads(text)
            return _State(server=Path(kept["server"]), port=int(kept["port"]), major=int(kept["major"]))
        except (ValueError, KeyError, TypeError) as error:
            raise DatabaseUnavailableError(
                f"{path} is damaged.", hints=["Delete it, and the next start makes a new server."]
            ) from error

    def _save(self, state: _State) -> None:
        fresh = self._directory / "state.json.new"
        fresh.touch(mode=0o600)
        fresh.write_text(json.dumps(attrs.asdict(state), default=str), encoding="utf-8")
        fresh.replace(self._directory / "state.json")


def _end(state: _State, patience: float = 10.0) -> None:
    if not guard.end(state.server, patience=patience):
        raise DatabaseUnavailableError(f"The server in {state.server} does not stop.")
