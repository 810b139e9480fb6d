"""Where the workers of one run ask for their common server."""

from collections.abc import Iterator
from multiprocessing import ProcessError
from multiprocessing.connection import Client

import psycopg
import pytest

from pgauthkit.errors import DatabaseUnavailableError, PgAuthKitError
from pgauthkit.testing import TestServer
from pgauthkit.testing.desk import Desk, Ticket, ask
from pgauthkit.testing.shared import SharedServer


@pytest.fixture
def ticket(pgauthkit_server: TestServer) -> Iterator[Ticket]:
    """A ticket of a desk whose server stands on the run's own."""
    desk = Desk(lambda: TestServer(pgauthkit_server.url("postgres")))
    yield desk.ticket
    desk.close()


def test_two_workers_have_one_server_and_one_template(ticket: Ticket) -> None:
    """Run and template are the same, the databases are each worker's own, and one worker's end is not the other's."""
    with SharedServer(ticket) as one, SharedServer(ticket) as other:
        assert (one.run, one.template) == (other.run, other.template)
        assert one.template == one.template
        with one.database() as mine, other.database() as another:
            assert mine != another
            with psycopg.connect(mine) as connection:
                assert connection.execute("SELECT count(*) FROM pgauthkit.users").fetchone() == (0,)


def test_a_server_that_cannot_be_started_is_told_to_all() -> None:
    """Each who asks gets the same reason, and it is tried once."""
    tried: list[int] = []

    def make() -> TestServer:
        tried.append(1)
        return TestServer("postgresql://nobody@127.0.0.1:1/none")

    desk = Desk(make)
    for _ in range(2):
        with pytest.raises(DatabaseUnavailableError, match="Nothing listens there"):
            ask(desk.ticket, "server")
    desk.close()
    assert tried == [1]


def test_another_s_error_is_told_in_words() -> None:
    """An error of the application, which other processes may not know, arrives by its name and text."""

    def make() -> TestServer:
        raise ZeroDivisionError("by nought")

    desk = Desk(make)
    with pytest.raises(PgAuthKitError, match=r"^ZeroDivisionError: by nought$"):
        ask(desk.ticket, "server")
    desk.close()


def test_a_worker_that_dies_while_it_asks_stops_nobody(ticket: Ticket) -> None:
    """After a connection that says nothing, the next who asks is answered."""
    Client(ticket["address"], "AF_UNIX", bytes.fromhex(ticket["key"])).close()
    assert str(ask(ticket, "template")).endswith("_template")


def test_a_stranger_is_not_answered(ticket: Ticket) -> None:
    """Whoever does not have the key learns nothing, and the desk goes on."""
    with pytest.raises((OSError, EOFError, ProcessError)):
        ask(Ticket(address=ticket["address"], key="00"), "server")
    assert str(ask(ticket, "template")).endswith("_template")
