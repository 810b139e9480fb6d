"""A real PostgreSQL server without an installation, a container or root, for tests and demonstrations."""

import atexit
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

from pgauthkit.database import guard
from pgauthkit.database.account import Account, find_account
from pgauthkit.database.binaries import find_binaries, prepare_binaries
from pgauthkit.database.cluster import Cluster, claim
from pgauthkit.database.replication import STREAMING
from pgauthkit.errors import DatabaseUnavailableError

__all__ = ["EmbeddedPostgres"]

PORTS_TO_TRY = 5
# Leaves room for `/pgak-xxxxxxxx/run/.s.PGSQL.5432` in the path of a Unix socket.
LONGEST_PARENT = 70


class EmbeddedPostgres:
    """A PostgreSQL server that lives as long as this process, at most.

    It is stopped by `stop`, at the end of a `with`, when the interpreter exits, and, by a guard process, also when this
    process is killed. The superuser is `postgres`. Over the Unix socket there is no password, and the socket is in a
    directory that only the server's account (and root) can enter; over TCP the password is random.

    Run by root, the server runs as another account that is there already, since PostgreSQL refuses root.

    Args:
        major: PostgreSQL's major version.
        directory: where the data stay, for the next server on it to find again; made when missing. None for a temporary
            directory, which `stop` deletes.
        tcp: listen on a free port of 127.0.0.1, rather than on a Unix socket.
        settings: the server's settings, by their names in postgresql.conf; they override what `durable` stands for.
        durable: survive a crash of the machine. Without, the server is faster, and its data may be lost with the power.
        binaries: the directory with PostgreSQL's programs; None to find one (see `find_binaries`).
        account: the account that root runs the server as; None for `postgres`, or else `nobody`.
        replica: start a second server as well, a hot standby that follows this one; see `replica`.

    Example:
        >>> with EmbeddedPostgres() as server:  # doctest: +SKIP
        ...     engine = sqlalchemy.create_engine(server.url())
    """

    def __init__(
        self,
        *,
        major: int = 16,
        directory: Path | None = None,
        tcp: bool = False,
        settings: Mapping[str, str] | None = None,
        durable: bool = False,
        binaries: Path | None = None,
        account: str | None = None,
        replica: bool = False,
    ) -> None:
        self._major = major
        self._given = directory.resolve() if directory else None
        self._tcp = tcp
        self._settings = {**(STREAMING if replica else {}), **(settings or {})}
        self._durable = durable
        self._binaries = binaries
        self._account = account
        self._primary: str | None = None
        self._replica: EmbeddedPostgres | None = None
        self._has_replica = replica
        self._cluster: Cluster | None = None
        self._port: int | None = None
        self._guard: subprocess.Popen[bytes] | None = None
        self._owner = 0
        self._directory = Path()

    def start(self) -> Self:
        """Start the server, and wait until it accepts connections; about a second, or 0.2 s on data that exist.

        Does nothing when it is started already.

        Raises:
            DatabaseUnavailableError: there is no PostgreSQL of this major version, no account for it, or it did not
                start; says why, with the end of the server's log.
        """
        if self._guard is None:
            try:
                self._start()
            except BaseException:
                self.stop()
                raise
        return self

    def stop(self, *, patience: float = 10.0) -> None:
        """Stop the server, and delete its temporary directory; does nothing when it is stopped already.

        Sessions are cut off. Nothing happens in a fork of the process that started the server.

        Args:
            patience: the seconds that each of three ways to stop it may take, the third being to kill it.

        Raises:
            DatabaseUnavailableError: it does not stop, even when killed.
        """
        if self._guard is None or self._owner != os.getpid():
            return
        if self._replica is not None:
            self._replica.stop(patience=patience)  # first: a primary waits for its standbys
            self._replica = None
        ended = guard.end(self._directory, owner=self._owner, remove=self._given is None, patience=patience)
        self._guard.kill()
        self._guard.communicate()
        self._guard = None
        atexit.unregister(self.stop)
        if not ended:
            raise DatabaseUnavailableError(f"The server in {self._directory} does not stop.")

    def url(self, database: str = "postgres") -> str:
        """Return the address of a database, for SQLAlchemy (which means psycopg by it), psycopg and libpq's programs.

        It is `postgresql://postgres@/postgres?host=/tmp/pgak-x1y2z3a4/run&port=5432`, or over TCP
        `postgresql://postgres:<password>@127.0.0.1:41234/postgres`.

        Args:
            database: its name; it need not exist yet.

        Raises:
            DatabaseUnavailableError: the server is not started.
        """
        return self._running.url(self._port, database)

    @property
    def bin(self) -> Path:
        """The directory of PostgreSQL's programs in use, such as `psql` and `pg_dump`.

        Raises:
            DatabaseUnavailableError: the server is not started.
        """
        return self._running.binaries

    @property
    def replica(self) -> "EmbeddedPostgres":
        """The hot standby that follows this server, read only and some milliseconds behind; it ends with this one.

        Raises:
            DatabaseUnavailableError: the server was not made with `replica=True`, or is not started.

        Example:
            >>> with EmbeddedPostgres(replica=True) as server:  # doctest: +SKIP
            ...     catch_up(server.url(), server.replica.url())
        """
        if self._replica is None:
            raise DatabaseUnavailableError("The server has no replica.", hints=["Make it with replica=True."])
        return self._replica

    @property
    def _running(self) -> Cluster:
        if self._guard is None or self._cluster is None:
            raise DatabaseUnavailableError("The server is not started.", hints=["Call start(), or use `with`."])
        return self._cluster

    def _start(self) -> None:
        account = find_account(self._account)
        found = find_binaries(self._major, binaries=self._binaries)
        directory = self._given or _make_temporary(account)
        with claim(directory, account) as lock:
            # Not before the claim: the guard ends the server of the directory, which could be another process's.
            self._watch(directory)
            self._cluster = Cluster(
                directory=directory,
                binaries=prepare_binaries(found, account=account, spare=directory / "binaries"),
                account=account,
                settings=self._settings,
                durable=self._durable,
                primary=self._primary,
            )
            self._port = self._cluster.start(lock, _free_ports() if self._tcp else (None,))
        if self._has_replica:
            self._replica = self._follow()

    def _follow(self) -> "EmbeddedPostgres":
        made = EmbeddedPostgres(
            major=self._major,
            tcp=self._tcp,
            settings=self._settings,
            durable=self._durable,
            binaries=self._binaries,
            account=self._account,
        )
        made._primary = self.url()
        return made.start()

    def _watch(self, directory: Path) -> None:
        temporary = "no" if self._given else "yes"
        self._owner = os.getpid()
        self._guard = subprocess.Popen(  # noqa: S603 -- our own script
            [sys.executable, "-I", "-S", guard.__file__, directory, str(self._owner), temporary],
            cwd="/",
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for us
        )
        self._directory = directory
        atexit.register(self.stop)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()


def _make_temporary(account: Account) -> Path:
    # Not everybody's directory for temporary files is open to the server's account, or short enough for a socket.
    usual = Path(tempfile.gettempdir()).resolve()
    suitable = len(os.fsencode(usual)) <= LONGEST_PARENT and account.can_enter(usual)
    parent = usual if suitable else "/tmp"  # noqa: S108 -- mkdtemp makes a new directory, with a random name
    directory = Path(tempfile.mkdtemp(prefix="pgak-", dir=parent))
    account.let_in(directory)
    return directory


def _free_ports() -> list[int]:
    ports: list[int] = []
    for _ in range(PORTS_TO_TRY):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            ports.append(probe.getsockname()[1])
    return ports
