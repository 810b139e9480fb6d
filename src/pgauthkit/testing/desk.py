"""`Desk`: where the processes of one run of pytest-xdist ask for their common server.

It is in the controller, and imports nothing of weight: whether a test wants a server, only the workers know.
"""

import os
import threading
from collections.abc import Callable
from contextlib import suppress
from multiprocessing import ProcessError
from multiprocessing.connection import Client, Listener
from typing import Final, Protocol, TypedDict

from pgauthkit.errors import PgAuthKitError

__all__ = ["Desk", "Served", "Ticket", "ask"]

WAITING: Final = 64  # processes that may ask at once


class Ticket(TypedDict):
    """What a worker needs to ask.

    Attributes:
        address: of the desk's Unix socket.
        key: hexadecimal digits that prove the right to ask.
    """

    address: str
    key: str


class Served(Protocol):
    """The parts of `pgauthkit.testing.TestServer` that a desk needs."""

    @property
    def run(self) -> str:
        """The mark of the run."""
        ...

    @property
    def template(self) -> str:
        """The name of the migrated database."""
        ...

    def start(self) -> object:
        """Start it."""
        ...

    def stop(self) -> None:
        """Stop it."""
        ...

    def url(self, database: str) -> str:
        """Return the URL of a database."""
        ...


class Desk:
    """Starts the server when the first worker asks, and stops it in the end.

    Args:
        make_server: called once, when a server is asked for.

    Example:
        >>> desk = Desk(TestServer)  # doctest: +SKIP
        >>> url, run = ask(desk.ticket, "server")  # doctest: +SKIP
    """

    def __init__(self, make_server: Callable[[], Served]) -> None:
        self._make_server = make_server
        self._server: Served | PgAuthKitError | None = None
        key = os.urandom(32)
        self._listener = Listener(family="AF_UNIX", backlog=WAITING, authkey=key)
        self.ticket: Ticket = Ticket(address=str(self._listener.address), key=key.hex())
        self._thread = threading.Thread(target=self._serve, name="pgauthkit desk", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Answer nobody any more, and stop the server."""
        ask(self.ticket, "close")
        self._thread.join()
        self._listener.close()
        if self._server is not None and not isinstance(self._server, PgAuthKitError):
            self._server.stop()

    def _serve(self) -> None:
        question = ""
        while question != "close":
            # A worker that is killed while it asks, or a stranger without the key, is no reason to stop.
            with suppress(OSError, EOFError, ProcessError), self._listener.accept() as connection:
                question = connection.recv()
                connection.send(self._answer(question))

    def _answer(self, question: str) -> object:
        if question == "close":
            return None
        try:
            server = self._started()
            return server.template if question == "template" else (server.url("postgres"), server.run)
        except Exception as error:  # noqa: BLE001 - it is raised where it is asked for
            return _sendable(error)

    def _started(self) -> Served:
        if self._server is None:
            try:
                self._server = self._make_server()
                self._server.start()
            except Exception as error:  # noqa: BLE001 - each worker is informed
                self._server = _sendable(error)
        if isinstance(self._server, PgAuthKitError):
            raise self._server
        return self._server


def _sendable(error: Exception) -> PgAuthKitError:
    # One of the application's own may not survive the way to another process.
    return error if isinstance(error, PgAuthKitError) else PgAuthKitError(f"{type(error).__name__}: {error}")


def ask(ticket: Ticket, question: str) -> object:
    """Ask the desk for its `server` (URL and run), its `template`, or to `close`.

    Raises:
        PgAuthKitError: what the server raised, or what an `env.py` of the application did.
    """
    with Client(ticket["address"], "AF_UNIX", bytes.fromhex(ticket["key"])) as connection:
        connection.send(question)
        answer = connection.recv()
    if isinstance(answer, PgAuthKitError):
        raise answer
    return answer
