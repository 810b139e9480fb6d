"""The blog on a migrated database of its own for each test, and a mail server that takes mail."""

import email
import re
import socket
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from email.policy import default
from urllib.parse import urlsplit

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.smtp import SMTP, Envelope, Session
from blog.application import create_application
from blog.settings import Settings
from starlette.testclient import TestClient

BASE = "https://blog.example.com"


class Mailbox:
    """Where mail arrives."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.messages: list[EmailMessage] = []

    async def handle_DATA(self, _server: SMTP, _session: Session, envelope: Envelope) -> str:  # noqa: N802 - aiosmtpd's
        message = email.message_from_bytes(envelope.original_content or b"", policy=default)
        assert isinstance(message, EmailMessage)
        self.messages.append(message)
        return "250 OK"

    def newest_link(self) -> str:
        """Return the path and query of the link in the newest mail."""
        found = re.search(r"https://\S+", self.messages[-1].get_content())
        assert found
        parts = urlsplit(found[0])
        return f"{parts.path}?{parts.query}"


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with socket.create_server(("127.0.0.1", 0)) as free:
        handler = Mailbox(free.getsockname()[1])
    controller = Controller(handler, hostname="127.0.0.1", port=handler.port)
    controller.start()
    yield handler
    controller.stop()


@pytest.fixture
def browser(pgauthkit_url: str, mailbox: Mailbox) -> Iterator[Callable[[], TestClient]]:
    """A factory of browsers, each with cookies of its own."""
    settings = Settings(database_url=pgauthkit_url, base_url=BASE, smtp_host="127.0.0.1", smtp_port=mailbox.port)
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
