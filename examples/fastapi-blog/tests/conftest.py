"""The blog on a migrated database of its own for each test, and a mail server that takes mail."""

import socket
from collections.abc import Callable, Iterator

import pytest
from aiosmtpd.controller import Controller
from blog.application import create_application
from blog.settings import Settings
from mail_server import Mailbox
from starlette.testclient import TestClient

BASE = "https://blog.example.com"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        handler = Mailbox(free.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def settings(pgauthkit_url: str, mailbox: Mailbox) -> Settings:
    """Where things are in this test."""
    return Settings(database_url=pgauthkit_url, base_url=BASE, smtp_host="127.0.0.1", smtp_port=mailbox.port)


@pytest.fixture
def browser(settings: Settings) -> Iterator[Callable[[], TestClient]]:
    """A factory of browsers, each with cookies of its own."""
    with TestClient(create_application(settings), base_url=BASE) as first:
        opened = [first]

        def another() -> TestClient:
            return opened.pop() if opened else TestClient(first.app, base_url=BASE)

        yield another


@pytest.fixture
def sign_in(mailbox: Mailbox) -> Callable[[TestClient, str], None]:
    """Sign somebody in as a person would: ask, read the mail, open the link, press the button."""

    def do(client: TestClient, address: str) -> None:
        assert client.post("/sign-in", data={"email": address}).status_code == 200
        link = mailbox.newest_link()
        assert address in client.get(link).text
        assert client.post("/confirm", data={"token": link.partition("token=")[2]}).status_code == 200

    return do
