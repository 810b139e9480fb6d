"""`SharedServer`: the server that another process of the same run has started."""

from typing import Self, cast

from pgauthkit.testing.databases import Databases
from pgauthkit.testing.desk import Ticket, ask
from pgauthkit.testing.server import TestServer

__all__ = ["SharedServer"]


class SharedServer(TestServer):
    """A `TestServer` for a worker of pytest-xdist: server and template are the run's, the databases its own.

    Args:
        ticket: of the run's `Desk`.
    """

    def __init__(self, ticket: Ticket) -> None:
        super().__init__(backend="embedded")
        self._ticket = ticket

    def start(self) -> Self:
        """Ask for the server, which is started for the first who asks.

        Raises:
            DatabaseUnavailableError: it cannot be started, or reached.
        """
        url, run = cast("tuple[str, str]", ask(self._ticket, "server"))
        self._databases = Databases(url, run=run).open()
        return self

    def stop(self) -> None:
        """Let go of the connection; the run's server goes on."""
        self._open.close()
        self._databases = None

    @property
    def template(self) -> str:
        """The name of the run's database with every migration applied."""
        if not isinstance(self._template, str):
            self._template = cast("str", ask(self._ticket, "template"))
        return self._template
