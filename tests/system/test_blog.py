"""The example on FastAPI in a real browser: from the form, by a mail that a real SMTP server took, to the last page."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from aiosmtpd.controller import Controller
from playwright.sync_api import Browser, BrowserContext, Page, expect
from through_pgbouncer import free_port  # type: ignore[import-not-found] # beside this file

if TYPE_CHECKING:
    from aiosmtpd.smtp import Envelope

PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15"
    " (KHTML, like Gecko) Version/18.6 Mobile/15E148 Safari/604.1"
)
EXAMPLE = Path(__file__).parents[2] / "examples" / "fastapi-blog"
COMMAND = Path(sys.executable).with_name("pgauthkit")
SERVE = """
import socket, sys, uvicorn
config = uvicorn.Config("blog.application:create_application", factory=True, log_level="error")
uvicorn.Server(config).run([socket.socket(fileno=int(sys.argv[1]))])
"""


class Mailbox:
    def __init__(self) -> None:
        self.texts: list[str] = []

    async def handle_DATA(self, _server: object, _session: object, envelope: "Envelope") -> str:  # noqa: N802 - aiosmtpd's
        self.texts.append((envelope.original_content or b"").decode())
        return "250 OK"

    def link(self, page: Page, *, number: int = 1) -> str:
        """Wait for as many links as that, and return the last of them."""
        for _ in range(3000):
            if len(found := self.links()) >= number:
                return found[number - 1]
            page.wait_for_timeout(20)
        raise LookupError(number)

    def links(self) -> list[str]:
        plain = [text.replace("=\r\n", "").replace("=3D", "=") for text in self.texts]
        return [found for text in plain for found in re.findall(r"http://\S+token=\S+", text)]


@pytest.fixture
def phone(chromium: Browser) -> Iterator[BrowserContext]:
    """A second browser, on a telephone, which shares nothing with the first."""
    context = chromium.new_context(
        viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True, user_agent=PHONE, color_scheme="dark"
    )
    context.set_default_timeout(60_000)
    yield context
    context.close()


@pytest.fixture
def mailbox() -> Iterator[tuple[Mailbox, int]]:
    handler, port = Mailbox(), free_port()
    controller = Controller(handler, hostname="127.0.0.1", port=port)
    controller.start()
    yield handler, port
    controller.stop()


@pytest.fixture
def blog(pgauthkit_url: str, mailbox: tuple[Mailbox, int]) -> Iterator[str]:
    """The blog's address, as a person would open it on this machine.

    All of it in processes of its own: its models add a column to the table of users, for good where they are imported.
    """
    with socket.create_server(("127.0.0.1", 0)) as listener:
        base = f"http://localhost:{listener.getsockname()[1]}"
        settings = {"BLOG_BASE_URL": base, "BLOG_SMTP_HOST": "127.0.0.1", "BLOG_SMTP_PORT": str(mailbox[1])}
        environment = {**os.environ, "DATABASE_URL": pgauthkit_url, **settings}
        for command in (["migrate", "deploy"], ["seed"]):
            subprocess.run([COMMAND, *command], cwd=EXAMPLE, env=environment, check=True, stdout=subprocess.DEVNULL)
        # Who comes before the application has started waits; nobody else gets the port meanwhile.
        place = listener.fileno()
        served = [sys.executable, "-c", SERVE, str(place)]
        server = subprocess.Popen(served, cwd=EXAMPLE, env=environment, pass_fds=[place])
    yield base
    server.terminate()
    server.wait(60)


def sign_in(page: Page, blog: str, mailbox: Mailbox, address: str) -> None:
    links = len(mailbox.links())
    page.goto(f"{blog}/sign-in")
    page.get_by_label("Your address").fill(address)
    page.get_by_role("button", name="Mail me a link").click()
    expect(page.get_by_role("heading", name="Look into your mail")).to_be_visible()
    page.goto(mailbox.link(page, number=links + 1))
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
    expect(page.get_by_text("this one", exact=True)).to_be_visible()
    cookies = {cookie["name"]: cookie for cookie in context.cookies()}
    assert all(cookie["httpOnly"] and cookie["secure"] and cookie["sameSite"] == "Lax" for cookie in cookies.values())

    context.clear_cookies(name="__Host-access")
    page.reload()
    expect(page.get_by_text("this one", exact=True)).to_be_visible()
    after = {cookie["name"]: cookie["value"] for cookie in context.cookies()}
    assert after["__Host-refresh"] != cookies["__Host-refresh"]["value"]

    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_role("link", name="Sign in")).to_be_visible()
    # It is no longer signed in, and stays a browser that its owner knows.
    assert {cookie["name"] for cookie in context.cookies()} == {"__Host-binding", "__Host-device"}
    assert trouble == []


def test_the_administrator(
    blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext, trouble: list[str]
) -> None:
    """The administrator of the seed sees the page of the authors."""
    page = context.new_page()
    sign_in(page, blog, mailbox[0], "admin@example.com")
    page.get_by_role("link", name="Authors").click()
    expect(page.get_by_text("ADMIN", exact=True)).to_be_visible()
    assert trouble == []


def test_a_link_signs_in_once(blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext) -> None:
    """Whoever opens the link of the mail a second time is told so."""
    page = context.new_page()
    sign_in(page, blog, mailbox[0], "ada@example.com")
    page.goto(mailbox[0].link(page))
    expect(page.get_by_role("heading", name="This link does not work here")).to_be_visible()


def fits(page: Page) -> bool:
    """Tell whether a page needs no scrolling sideways."""
    return bool(page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth"))


def test_the_mail_is_opened_on_the_phone(
    blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext, phone: BrowserContext, trouble: list[str]
) -> None:
    """The computer waits and shows a number, the phone takes it, and the computer goes on by itself."""
    computer, other = context.new_page(), phone.new_page()
    computer.goto(f"{blog}/sign-in?following=/sessions")
    computer.get_by_label("Your address").fill("ada@example.com")
    computer.get_by_role("button", name="Mail me a link").click()
    number = computer.locator("p.number").inner_text()

    other.goto(mailbox[0].link(other))
    expect(other.get_by_text("on Linux")).to_be_visible()
    expect(other.get_by_role("button", name="Sign in")).to_have_count(0)
    assert fits(other)
    other.get_by_label("The number").fill("10" if number != "10" else "11")
    other.get_by_role("button", name="Let it in").click()
    expect(other.get_by_role("alert")).to_be_visible()
    expect(computer.get_by_role("heading", name="Look into your mail")).to_be_visible()

    other.get_by_label("The number").fill(number)
    other.get_by_role("button", name="Let it in").click()
    expect(other.get_by_role("heading", name="signed in there")).to_be_visible()
    assert phone.cookies() == []

    expect(computer.get_by_role("heading", name="Where you are signed in")).to_be_visible()
    expect(computer.get_by_role("banner").get_by_text("ada@example.com")).to_be_visible()
    assert "__Host-waiting" not in {cookie["name"] for cookie in context.cookies()}
    assert trouble == []


def test_an_address_moves(
    blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext, phone: BrowserContext, trouble: list[str]
) -> None:
    """The computer asks and confirms; the phone cannot, and is signed out by the move."""
    computer, other = context.new_page(), phone.new_page()
    sign_in(computer, blog, mailbox[0], "ada@example.com")
    sign_in(other, blog, mailbox[0], "ada@example.com")
    computer.get_by_role("link", name="Sessions").click()
    expect(computer.get_by_role("button", name="Sign out everywhere else")).to_be_visible()

    computer.get_by_role("link", name="Address", exact=True).click()
    computer.get_by_label("Your new address").fill("ada@new.example")
    computer.get_by_role("button", name="Mail me a link").click()
    link = mailbox[0].link(computer, number=3)
    computer.goto(link)
    computer.get_by_role("button", name="Move").click()
    expect(computer.get_by_role("heading", name="Your address is ada@new.example")).to_be_visible()

    other.goto(f"{blog}/sessions")
    expect(other.get_by_role("heading", name="Sign in")).to_be_visible()
    other.goto(link)
    expect(other.get_by_role("heading", name="This link does not work here")).to_be_visible()
    computer.goto(blog)
    expect(computer.get_by_role("banner").get_by_text("ada@new.example")).to_be_visible()
    assert trouble == []


def test_somebody_is_invited(
    blog: str, mailbox: tuple[Mailbox, int], context: BrowserContext, phone: BrowserContext, trouble: list[str]
) -> None:
    """The administrator invites on the computer; who is invited opens the mail on the phone, and has the role."""
    computer, other = context.new_page(), phone.new_page()
    sign_in(computer, blog, mailbox[0], "admin@example.com")
    computer.get_by_role("link", name="Invitations").click()
    computer.get_by_label("Address").fill("Grace@Example.com")
    computer.get_by_label("Role").select_option("Administrator")
    computer.get_by_role("button", name="Invite").click()
    expect(computer.get_by_text("grace@example.com")).to_be_visible()

    other.goto(mailbox[0].link(other, number=2))
    expect(other.get_by_role("heading", name="You are invited")).to_be_visible()
    other.get_by_role("button", name="Sign in").click()
    expect(other.get_by_role("link", name="Invitations")).to_be_visible()
    assert fits(other)
    computer.reload()
    expect(computer.get_by_text("Nobody.")).to_be_visible()
    assert trouble == []
