"""Behind a pooler: in transaction mode nothing is migrated, in session mode all is as without one.

The pooler here is a small one that speaks PostgreSQL's protocol, so that this needs no other program.
"""

from __future__ import annotations

import socket
import struct
import threading
from contextlib import ExitStack, contextmanager, suppress
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit.errors import BackupError, MigrationError
from pgauthkit.ops.backup import backup
from pgauthkit.ops.migrate import deploy, status

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

# https://www.postgresql.org/docs/16/protocol-message-formats.html
SSL_REQUEST, STARTUP = 80877103, 196608
SERVERS = 3


class Stream:
    """Messages of the protocol, over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    def read(self) -> bytes:
        """Return the next message whole; empty at the end."""
        head = self._file.read(5)
        return head + self._file.read(int.from_bytes(head[1:]) - 4) if len(head) == 5 else b""

    def read_startup(self) -> int:
        """Return the code of a message without a type."""
        length, code = struct.unpack("!ii", self._file.read(8))
        self._file.read(length - 8)
        return int(code)

    def send(self, message: bytes) -> None:
        self.socket.sendall(message)


class Pooler:
    """Gives each client a server session: for a transaction, or for as long as the client stays."""

    def __init__(self, url: str, *, per_transaction: bool) -> None:
        parsed = sa.make_url(url)
        self._path = f"{parsed.query['host']}/.s.PGSQL.{parsed.query['port']}"
        self._startup = f"user\0{parsed.username}\0database\0{parsed.database}\0\0".encode()
        self._per_transaction = per_transaction
        self._free: list[Stream] = []
        self._condition = threading.Condition()
        self._greeting = b""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"postgresql://{parsed.username}@127.0.0.1:{self._listener.getsockname()[1]}/{parsed.database}"

    def start(self, resources: ExitStack) -> None:
        for _ in range(SERVERS):
            server = socket.socket(socket.AF_UNIX)
            server.connect(self._path)
            resources.callback(server.close)
            stream = Stream(server)
            stream.send(struct.pack("!ii", len(self._startup) + 8, STARTUP) + self._startup)
            self._greeting = b"".join(iter_until_ready(stream, but=b"K"))
            self._free.append(stream)
        resources.callback(self._listener.close)
        resources.callback(self._listener.shutdown, socket.SHUT_RDWR)
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=[Stream(client)], daemon=True).start()

    def _serve(self, client: Stream) -> None:
        while client.read_startup() == SSL_REQUEST:
            client.send(b"N")
        cancel = b"K" + struct.pack("!iii", 12, 1, 1)
        client.send(self._greeting[:-6] + cancel + self._greeting[-6:])
        server: Stream | None = None
        while (message := client.read()) and message[:1] != b"X":
            server = server or self._take()
            server.send(message)
            if message[:1] in b"QS":
                for answer in iter_until_ready(server):
                    client.send(answer)
                if self._per_transaction and answer[-1:] == b"I":
                    self._give_back(server)
                    server = None
        if server:
            server.send(b"Q" + struct.pack("!i", 16) + b"DISCARD ALL\0")
            list(iter_until_ready(server))
            self._give_back(server)
        client.socket.close()

    def _take(self) -> Stream:
        with self._condition:
            self._condition.wait_for(lambda: self._free, 60)
            return self._free.pop(0)

    def _give_back(self, server: Stream) -> None:
        with self._condition:
            self._free.append(server)
            self._condition.notify()


def iter_until_ready(server: Stream, *, but: bytes = b"") -> Iterator[bytes]:
    """Every message up to ReadyForQuery, which is the last."""
    while True:
        message = server.read()
        if message[:1] != but:
            yield message
        if message[:1] == b"Z":
            return


@contextmanager
def pooler(url: str, *, per_transaction: bool) -> Iterator[str]:
    with ExitStack() as resources:
        running = Pooler(url, per_transaction=per_transaction)
        running.start(resources)
        yield running.url


def test_transaction_mode(pgauthkit_empty_url: str) -> None:
    """Behind a pooler in transaction mode a deployment is refused, with the way past it, and nothing is changed."""
    with pooler(pgauthkit_empty_url, per_transaction=True) as url:
        with pytest.raises(MigrationError, match=r"pooler in transaction mode.*Set DIRECT_URL"):
            deploy(url)

        assert not status(url).in_sync
        with psycopg.connect(url) as connection:
            assert connection.execute("SHOW lock_timeout").fetchone() == ("0",)
    assert status(pgauthkit_empty_url).current is None


def test_session_mode(pgauthkit_empty_url: str) -> None:
    """Behind one in session mode a deployment succeeds."""
    with pooler(pgauthkit_empty_url, per_transaction=False) as url:
        assert deploy(url).applied

    assert status(pgauthkit_empty_url).in_sync


def test_no_backup(pgauthkit_url: str, tmp_path: Path) -> None:
    """Behind one in transaction mode a backup is refused, and nothing is written."""
    with (
        pooler(pgauthkit_url, per_transaction=True) as url,
        pytest.raises(BackupError, match=r"pooler in transaction mode, and pg_dump needs the server.*DIRECT_URL"),
    ):
        backup(url, directory=tmp_path)

    assert list(tmp_path.iterdir()) == []
