"""A small pooler that balances reads, by the rules of Pgpool-II: reads go to the standby, unless they say otherwise.

https://www.pgpool.net/docs/latest/en/html/runtime-config-load-balancing.html. It speaks PostgreSQL's protocol
(https://www.postgresql.org/docs/16/protocol-message-formats.html), so that this needs no other program. Its standby is
another database, which never gets what is written into the first.
"""

import socket
import struct
import threading
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress

import sqlalchemy as sa

SSL_REQUEST, STARTUP = 80877103, 196608
MARK = b"/*NO LOAD BALANCE*/"


class Stream:
    """Messages of the protocol, over a socket."""

    def __init__(self, connection: socket.socket) -> None:
        self.socket = connection
        self._file = connection.makefile("rb")

    @classmethod
    def to_server(cls, url: str) -> "Stream":
        """Connect to a database of a server on a Unix socket, which asks for no password."""
        parsed = sa.make_url(url)
        server = socket.socket(socket.AF_UNIX)
        server.connect(f"{parsed.query['host']}/.s.PGSQL.{parsed.query['port']}")
        startup = f"user\0{parsed.username}\0database\0{parsed.database}\0client_encoding\0utf8\0\0".encode()
        server.sendall(struct.pack("!ii", len(startup) + 8, STARTUP) + startup)
        return cls(server)

    def read(self) -> bytes:
        """Return the next message whole; empty at the end."""
        head = self._file.read(5)
        return head + self._file.read(int.from_bytes(head[1:]) - 4) if len(head) == 5 else b""

    def read_startup(self) -> int:
        """Return the code of a message without a type."""
        length, code = struct.unpack("!ii", self._file.read(8))
        self._file.read(length - 8)
        return int(code)

    def read_until_ready(self) -> bytes:
        """Return all messages up to ReadyForQuery, which is the last."""
        messages = [self.read()]
        while messages[-1][:1] != b"Z":
            messages.append(self.read())
        return b"".join(messages)

    def close(self) -> None:
        self._file.close()
        self.socket.close()


class Client:
    """One client, and its connections to both servers."""

    def __init__(self, client: socket.socket, url: str, standby: str, answers: Mapping[bytes, bytes]) -> None:
        self._client, self._primary, self._standby = Stream(client), Stream.to_server(url), Stream.to_server(standby)
        self._answers = answers
        self._prepared: dict[bytes, Stream] = {}

    def serve(self) -> None:
        while self._client.read_startup() == SSL_REQUEST:
            self._client.socket.sendall(b"N")
        self._standby.read_until_ready()
        self._client.socket.sendall(self._primary.read_until_ready())
        messages: list[bytes] = []
        while (message := self._client.read())[:1] not in {b"", b"X"}:
            messages.append(message)
            if message[:1] in b"QS":
                self._client.socket.sendall(self._answer(messages))
                messages = []
        for stream in (self._client, self._primary, self._standby):
            stream.close()

    def _answer(self, messages: list[bytes]) -> bytes:
        first = messages[0]
        own = self._answers.get(first[5:-1])
        if own is not None:
            return own
        server = self._server(first)
        server.socket.sendall(b"".join(messages))
        return server.read_until_ready()

    def _server(self, first: bytes) -> Stream:
        name, text = first[5:].split(b"\0")[:2]
        if first[:1] == b"B":  # a portal, then a statement that was prepared
            return self._prepared[text]
        text = text if first[:1] == b"P" else name
        reads = text.lstrip().upper().startswith((b"SELECT", b"WITH")) and not text.startswith(MARK)
        self._prepared[name] = server = self._standby if reads else self._primary
        return server


def row(value: str) -> bytes:
    """Return the messages for a row with one text, up to ReadyForQuery."""
    bodies = {
        b"T": struct.pack("!h", 1) + b"value\0" + struct.pack("!ihihih", 0, 0, 25, -1, -1, 0),
        b"D": struct.pack("!hi", 1, len(value)) + value.encode(),
        b"C": b"SHOW\0",
        b"Z": b"I",
    }
    return packed(bodies)


def packed(bodies: Mapping[bytes, bytes]) -> bytes:
    """Return messages of the protocol, from the body of each kind."""
    return b"".join(kind + struct.pack("!i", len(body) + 4) + body for kind, body in bodies.items())


@contextmanager
def balancer(
    url: str, standby: str, *, balances: bool = True, instead: Mapping[bytes, bytes] | None = None
) -> Generator[str]:
    """Stand before two databases, and return the URL of both.

    Args:
        url: of the primary.
        standby: of the standby.
        balances: what it says of itself.
        instead: messages that it answers statements with, which no server gets.
    """
    answers = {b"PGPOOL SHOW load_balance_mode": row("on" if balances else "off"), **(instead or {})}

    def accept() -> None:
        with suppress(OSError):
            while True:
                client = Client(listener.accept()[0], url, standby, answers)
                threading.Thread(target=client.serve, daemon=True).start()

    parsed = sa.make_url(url)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=accept)
        thread.start()
        try:
            yield f"postgresql://{parsed.username}@127.0.0.1:{listener.getsockname()[1]}/{parsed.database}"
        finally:
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()
