"""A directory with a PostgreSQL cluster in it, and the start of its server."""

import fcntl
import os
import secrets
import shlex
import shutil
import socket
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import attrs
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgauthkit.database import guard
from pgauthkit.database.account import Account
from pgauthkit.errors import DatabaseUnavailableError

__all__ = ["Cluster", "claim", "is_free", "translated", "url_over_tcp"]

# https://www.postgresql.org/docs/16/non-durability.html, and no more write-ahead log than a lone server needs.
FAST = {
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}
LONGEST_SOCKET_PATH = 103  # bytes, on macOS; 107 on Linux (unix(7))
SECONDS_TO_START = 60
SECONDS_FOR_LOCK = 0.5
LONGEST_LOG = 2000  # characters of it in an error


@attrs.frozen(kw_only=True)
class Cluster:
    """The data of a PostgreSQL server, and what it takes to start it; the server outlives its starter.

    The directory holds `data`, `run` (for the Unix socket), `log`, `password` (of the superuser, `postgres`), and
    `lock`, which the running server holds (see `guard.is_running`). Root keeps the directory, `log` and `lock` for
    itself, so that the server's account cannot lead root elsewhere by a link.

    Attributes:
        directory: an absolute path; made when missing.
        binaries: where PostgreSQL's programs are, for `account` to execute.
        account: who runs the server and owns its data.
        settings: the server's settings, by their names in postgresql.conf; they override what `durable` stands for.
        durable: whether the data survive a crash of the machine; the server is faster without.
        primary: the URL of the server that new data are a copy of, and that it then follows; None for none.
    """

    directory: Path
    binaries: Path
    account: Account
    settings: Mapping[str, str]
    durable: bool
    primary: str | None = None

    def start(self, lock: int, ports: Sequence[int | None] = (None,)) -> int | None:
        """Start the server, with new data if there are none, and wait until it accepts connections.

        Args:
            lock: the directory's, from `claim`; the server inherits it.
            ports: the ports of 127.0.0.1 to try, one after the other; None is the Unix socket.

        Returns:
            The one that it was.

        Raises:
            DatabaseUnavailableError: it did not start, or not within a minute; or all the ports are taken.
        """
        # The lock is ours, so the process that wrote these is gone, even where its process id is in use again.
        (self._data / "postmaster.pid").unlink(missing_ok=True)
        shutil.rmtree(self._sockets, ignore_errors=True)
        if None in ports:
            self._make_sockets()
        if not self._data.exists():
            self._create(lock)
        for port in ports:
            if self._serve(port, lock):
                return port
        raise DatabaseUnavailableError(
            f"Another program listens on 127.0.0.1, port {', '.join(map(str, ports))}.",
            hints=["Stop that program, or take another port."],
        )

    def url(self, port: int | None, database: str) -> str:
        """Return the address of a database, for SQLAlchemy and for libpq; `port` as in `start`."""
        if port is None:
            return f"postgresql://postgres@/{quote(database, safe='')}?host={quote(str(self._sockets))}&port=5432"
        return url_over_tcp(self.directory, port, database)

    @property
    def _data(self) -> Path:
        return self.directory / guard.DATA

    @property
    def _sockets(self) -> Path:
        return self.directory / "run"

    def _make_sockets(self) -> None:
        if len(os.fsencode(self._sockets / ".s.PGSQL.5432")) > LONGEST_SOCKET_PATH:
            raise DatabaseUnavailableError(
                f"The path is too long for a Unix socket: {self._sockets}",
                hints=["Take a directory with a shorter path, or TCP."],
            )
        self.account.make_private(self._sockets)

    def _create(self, lock: int) -> None:
        unfinished = self._data.with_suffix(".new")
        shutil.rmtree(unfinished, ignore_errors=True)
        self.account.make_private(unfinished)
        program, *arguments = self._copy(unfinished) if self.primary else self._initdb(unfinished)
        sync = () if self.durable else ("--no-sync",)
        result = self.account.run(self.binaries / program, *arguments, *sync, descriptors=[lock])
        if result.returncode:
            raise DatabaseUnavailableError(f"{program} failed: {result.stdout.strip()}")
        unfinished.rename(self._data)

    def _initdb(self, data: Path) -> tuple[str | Path, ...]:
        return (
            *("initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale=C", "--no-instructions"),
            *("--auth-local=trust", "--auth-host=scram-sha-256", f"--pwfile={self._new_password()}"),
        )

    def _copy(self, data: Path) -> tuple[str | Path, ...]:
        source: dict[str, Any] = conninfo_to_dict(str(self.primary))
        if password := source.pop("password", None):
            self._keep("password", str(password))
            source["passfile"] = str(self._keep("pgpass", f"*:*:*:*:{password}"))
        follow = ("--write-recovery-conf", "--checkpoint=fast")
        return ("pg_basebackup", "-D", data, "-d", make_conninfo("", **source), *follow)

    def _new_password(self) -> Path:
        path = self.directory / "password"
        return path if path.exists() else self._keep("password", secrets.token_urlsafe(24))

    def _keep(self, name: str, secret: str) -> Path:
        """Write a file that only the server's account can read, so that no password is on a command line."""
        path = self.directory / name
        with _append_privately(path) as file:
            file.truncate(0)
            file.write(secret.encode())
        self.account.give(path)
        return path

    def _serve(self, port: int | None, lock: int) -> bool:
        # `pg_ctl` leaves the server in a session of its own, so that Ctrl-C in the terminal does not reach it.
        with _append_privately(self.directory / "log") as log:
            before = log.seek(0, os.SEEK_END)
            result = self.account.run(
                *(self.binaries / "pg_ctl", "start", "-s", "-w", "-t", str(SECONDS_TO_START), "-D", self._data),
                *("-o", shlex.join(f"--{name}={value}" for name, value in self._options(port).items())),
                output=log,
                descriptors=[lock],
            )
        if result.returncode and (port is None or is_free(port)):
            raise DatabaseUnavailableError(f"PostgreSQL did not start.\n{self._log_since(before)}")
        return result.returncode == 0

    def _options(self, port: int | None) -> dict[str, str]:
        place = (
            {"listen_addresses": "", "port": "5432", "unix_socket_directories": str(self._sockets)}
            if port is None
            else {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
        )
        return {**({} if self.durable else FAST), **self.settings, **place}

    def _log_since(self, position: int) -> str:
        with (self.directory / "log").open("rb") as log:
            log.seek(position)
            return log.read().decode(errors="replace").strip()[-LONGEST_LOG:]


def url_over_tcp(directory: Path, port: int, database: str) -> str:
    """Return the address of a database of the cluster in `directory`, with the password; the server need not run."""
    password = (directory / "password").read_text(encoding="utf-8")
    return f"postgresql://postgres:{password}@127.0.0.1:{port}/{quote(database, safe='')}"


@contextmanager
def claim(directory: Path, account: Account) -> Generator[int]:
    """Hold the lock of a directory, which is made when missing, while a server is started in it.

    Args:
        directory: an absolute path.
        account: who will run the server.

    Yields:
        The open lock, for `Cluster.start`.

    Raises:
        DatabaseUnavailableError: a server runs in the directory already, the account cannot enter it, or the system
            refuses something about it.
    """
    with translated(directory):
        if not directory.exists():
            directory.mkdir(parents=True)
            account.let_in(directory)
        if not account.can_enter(directory):
            raise DatabaseUnavailableError(
                f"The account that PostgreSQL runs as cannot enter {directory}.",
                hints=["Take another directory, or let it pass through this one and those above (chmod o+x)."],
            )
        with _append_privately(directory / guard.LOCK) as lock:
            _take(lock.fileno(), directory)
            # For the guard of an earlier owner: what runs now is not its server.
            lock.truncate(0)
            lock.write(str(os.getpid()).encode())
            lock.flush()
            # Closed without unlocking: a server that has inherited the lock keeps it.
            yield lock.fileno()


@contextmanager
def translated(path: Path) -> Generator[None]:
    """Turn the system's refusals around a path into our error."""
    try:
        yield
    except OSError as error:
        raise DatabaseUnavailableError(f"{error.filename or path}: {error.strerror}.") from error


def _append_privately(path: Path) -> BinaryIO:
    return os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW, 0o600), "ab")


def _take(lock: int, directory: Path) -> None:
    # With some patience, as a process that asks `is_running` holds the lock for an instant.
    deadline = time.monotonic() + SECONDS_FOR_LOCK
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise DatabaseUnavailableError(
                    f"A server runs in {directory} already.", hints=["Stop it, or take another directory."]
                ) from None
        time.sleep(guard.INTERVAL)


def is_free(port: int) -> bool:
    """Say whether a server could listen on a port of 127.0.0.1 now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as PostgreSQL does
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
