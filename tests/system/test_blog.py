"""The example on FastAPI in a real browser: from the form, by a mail that a real SMTP server took, to the last page."""

import re
import socket
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING

import pytest
import uvicorn
from aiosmtpd.controller import Controller
from playwright.sync_api import BrowserContext, Page, expect

from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.revisions.host import find_host
from pgauthkit.ops.seed import seed

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope

EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi-blog"


class Mailbox:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: "Envelope") -> str:  # noqa: N802 - aiosmtpd's
        self.texts.append((envelope.original_content or b"").decode())
        return "250 OK"

    def link(self, mails: int, page: Page) -> str:
        """Wait for a mail, and return the address in it."""
        for _ in range(500):
            if len(self.texts) == mails:
                break
            page.wait_for_timeout(20)
        found = re.search(r"http://\S+", self.texts[mails - 1].replace("=\r\n", "").replace("=3D", "="))
        assert found
        return found[0]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    handler, port = Mailbox(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def blog(pgauthkit_url: str, mailbox: tuple[Mailbox, int]) -> Iterator[str]:
    """The blog's address, as a person would open it on this machine."""
    deploy(pgauthkit_url, host=find_host(EXAMPLE))
    seed(pgauthkit_url, "blog.seed:main", host=find_host(EXAMPLE))
    application, settings = (import_module(f"blog.{name}") for name in ("application", "settings"))
    port = free_port()
    base = f"http://localhost:{port}"
    given = settings.Settings(database_url=pgauthkit_url, base_url=base, smtp_host="127.0.0.1", smtp_port=mailbox[1])
    server = uvicorn.Server(
        uvicorn.Config(application.create_application(given), host="127.0.0.1", port=port, log_level="error")
    )
    thread = Thread(target=server.run)
    thread.start()
    yield base
    server.should_exit = True
    thread.join()


def sign_in(page: Page, blog: str, mailbox: Mailbox, address: str) -> None:
    mails = len(mailbox.texts)
    page.goto(f"{blog}/sign-in")
    page.get_by_label("Your address").fill(address)
    page.get_by_role("button", name="Mail me a link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(mailbox.link(mails + 1, page))
    expect(page.get_by_role("heading", name=f"Sign in as {address}?")).to_be_visible()
    page.get_by_role("main").get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("banner").get_by_text(address)).to_be_visible()


def test_a_walk(blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext, trouble: list[str]) -> None:
    """Sign in by mail, write, see one's sessions, lose the access token and go on, and sign out."""
    page, mails = context.new_page(), mailbox[0]
    page.goto(blog)
    expect(page.get_by_text("My first post")).to_be_visible()

    sign_in(page, blog, mails, "ada@example.com")
    page.get_by_label("Title").fill("From a browser")
    page.get_by_label("Text").fill("It is Chromium.")
    page.get_by_role("button", name="Publish").click()
    expect(page.get_by_role("heading", name="From a browser")).to_be_visible()

    page.get_by_role("link", name="Sessions").click()
    expect(page.get_by_text("this one")).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in context.cookies()}
    assert all(cookie["httpOnly"] and cookie["secure"] and cookie["sameSite"] == "Lax" for cookie in cookies.values())

    context.clear_cookies(name="__Host-access")
    page.reload()
    expect(page.get_by_text("this one")).to_be_visible()
    after = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    assert after["__Host-refresh"] != cookies["__Host-refresh"]["value"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    assert context.cookies() == []
    assert trouble == []


def test_the_administrator(
    blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext, trouble: list[str]
) -> None:
    """The administrator of the seed sees the page of the authors."""
    page = context.new_page()
    sign_in(page, blog, mailbox[0], "admin@example.com")
    page.get_by_role("link", name="Authors").click()
    expect(page.get_by_role("cell", name="ADMIN", exact=True)).to_be_visible()
    assert trouble == []


def test_a_link_signs_in_once(blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext) -> None:
    """Whoever opens the link of the mail a second time is told so."""
    page = context.new_page()
    sign_in(page, blog, mailbox[0], "ada@example.com")
    page.goto(mailbox[0].link(1, page))
    expect(page.get_by_role("heading", name="This link does not sign you in")).to_be_visible()
