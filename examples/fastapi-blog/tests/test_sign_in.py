"""Signing in, as a browser does it."""

from collections.abc import Callable

import pytest
from blog.cookies import ACCESS, BINDING, DEVICE, REFRESH, WAITING
from mail_server import Mailbox
from starlette.testclient import TestClient

Browser = Callable[[], TestClient]
SignIn = Callable[[TestClient, str], None]
PHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 Version/18.6 Safari/604.1"


def test_a_whole_sign_in(browser: Browser, sign_in: SignIn) -> None:
    """Whoever uses the link of the mail is signed in, and signs out again."""
    client = browser()
    sign_in(client, "ada@example.com")
    assert "ada@example.com" in client.get("/").text
    client.post("/sign-out")
    assert "ada@example.com" not in client.get("/").text


def test_cookies_are_out_of_reach(browser: Browser, mailbox: Mailbox) -> None:
    """Scripts, other sites' forms and plain HTTP get no token."""
    client = browser()
    asked = client.post("/sign-in", data={"email": "ada@example.com"})
    token = mailbox.newest_link().partition("token=")[2]
    cookies = [
        cookie
        for answer in (asked, *client.post("/confirm", data={"token": token}).history)
        for cookie in answer.headers.get_list("set-cookie")
    ]
    assert {cookie.partition("=")[0] for cookie in cookies} == {ACCESS, BINDING, DEVICE, REFRESH, WAITING}
    for cookie in cookies:
        assert all(flag in cookie for flag in ("Secure", "HttpOnly", "SameSite=lax", "Path=/", "Max-Age="))


def test_a_mail_scanner_uses_nothing_up(browser: Browser, mailbox: Mailbox) -> None:
    """The link signs in after something has opened it ten times, and then once only."""
    client = browser()
    client.post("/sign-in", data={"email": "ada@example.com"})
    link = mailbox.newest_link()
    for _ in range(10):
        assert browser().get(link).status_code == 200
    token = {"token": link.partition("token=")[2]}
    assert client.post("/confirm", data=token).status_code == 200
    assert client.post("/sign-out").status_code == 200
    assert browser().post("/confirm", data=token).status_code == 400
    assert client.get(link).status_code == 400


def test_back_to_where_one_wanted_to_go(browser: Browser, mailbox: Mailbox) -> None:
    """Somebody who is not signed in gets to the page in the end."""
    client = browser()
    asked = client.get("/sessions")
    assert asked.url.path == "/sign-in"
    client.post("/sign-in", data={"email": "ada@example.com", "following": asked.url.params["following"]})
    token = mailbox.newest_link().partition("token=")[2]
    assert client.post("/confirm", data={"token": token}).url.path == "/sessions"


def test_an_expired_access_token_is_refreshed(browser: Browser, sign_in: SignIn) -> None:
    """Nobody notices that the access token has gone."""
    client = browser()
    sign_in(client, "ada@example.com")
    before = client.cookies[REFRESH]
    client.cookies.delete(ACCESS)
    assert client.get("/sessions").url.path == "/sessions"
    assert client.cookies[REFRESH] != before


@pytest.mark.parametrize("address", ["nobody", "a@b", "ada@example.com\r\nBcc: eve@example.com", "a@@example.com"])
def test_what_is_no_address_is_sent_nothing(browser: Browser, mailbox: Mailbox, address: str) -> None:
    """A wrong address is told to whoever typed it."""
    assert browser().post("/sign-in", data={"email": address}).status_code == 400
    assert mailbox.messages == []


@pytest.mark.parametrize("following", ["//evil.example", "/\\evil.example", "https://evil.example"])
def test_nobody_is_sent_elsewhere(browser: Browser, following: str) -> None:
    """Neither signing in nor refreshing leads to another site."""
    client = browser()
    assert client.post("/sign-in", data={"email": "ada@example.com", "following": following}).status_code == 400
    answer = client.get("/refresh", params={"following": following}, follow_redirects=False)
    assert answer.headers["location"] == "/"


def test_too_many_links(browser: Browser) -> None:
    """Who asks too often is told when to come back."""
    client = browser()
    answers = [client.post("/sign-in", data={"email": "ada@example.com"}) for _ in range(6)]
    assert [answer.status_code for answer in answers] == [200] * 5 + [429]
    assert int(answers[-1].headers["retry-after"]) > 0


def test_another_site_s_form_is_refused(browser: Browser) -> None:
    """A POST that comes from elsewhere does nothing."""
    answer = browser().post("/sign-out", headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403


def test_what_every_page_tells_the_browser(browser: Browser) -> None:
    """No cache keeps a page, no other site gets its address, and nothing runs in it but our script."""
    for path in ("/", "/sign-in", "/confirm?token=x", "/static/waiting.js", "/nothing"):
        headers = browser().get(path).headers
        assert (headers["cache-control"], headers["referrer-policy"]) == ("no-store", "no-referrer")
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]


class TestSessions:
    """The page of one's own sessions."""

    def test_ending_another_browser_s(self, browser: Browser, sign_in: SignIn) -> None:
        """The page shows both browsers, and one can sign the other out."""
        laptop, phone = browser(), browser()
        phone.headers["user-agent"] = PHONE
        for client in (laptop, phone):
            sign_in(client, "ada@example.com")
        page = laptop.get("/sessions").text
        assert "Safari on iOS" in page
        path = page.partition('action="/sessions/')[2].partition('"')[0]
        laptop.post(f"/sessions/{path}")
        assert phone.get("/sessions").url.path == "/sign-in"
        assert laptop.get("/sessions").url.path == "/sessions"

    def test_signing_out_everywhere_else(self, browser: Browser, sign_in: SignIn) -> None:
        """One press ends all sessions but the one of this browser."""
        laptop, *others = browser(), browser(), browser()
        for client in (laptop, *others):
            sign_in(client, "ada@example.com")
        assert "everywhere else" in laptop.get("/sessions").text
        assert "everywhere else" not in laptop.post("/sessions/revoke-others").text
        assert [client.get("/sessions").url.path for client in others] == ["/sign-in"] * 2

    def test_somebody_else_s(self, browser: Browser, sign_in: SignIn) -> None:
        """Nobody can end the session of somebody else."""
        ada, eve = browser(), browser()
        sign_in(ada, "ada@example.com")
        sign_in(eve, "eve@example.com")
        assert eve.post("/sessions/c00000000000000000000000/revoke").status_code == 404
        assert eve.post("/sessions/devices/c00000000000000000000000/forget").status_code == 404


class TestDevices:
    """Browsers in which one has signed in before."""

    def test_a_known_browser_is_not_told_of_again(self, browser: Browser, sign_in: SignIn, mailbox: Mailbox) -> None:
        """The owner is written to about a new browser, once, and never about the first."""
        laptop, phone = browser(), browser()
        for client in (laptop, phone, phone):
            sign_in(client, "ada@example.com")
            client.post("/sign-out")
        told = "A new browser is signed in to the blog"
        assert mailbox.subjects("ada@example.com").count(told) == 1

    def test_strangers_do_not_keep_the_owner_out(self, browser: Browser, sign_in: SignIn) -> None:
        """Where a stranger has used up the links of an address, a browser that its owner knows gets one."""
        laptop, stranger = browser(), browser()
        sign_in(laptop, "ada@example.com")
        laptop.post("/sign-out")
        asked = {"email": "ada@example.com"}
        assert [stranger.post("/sign-in", data=asked).status_code for _ in range(6)][-1] == 429
        assert laptop.post("/sign-in", data=asked).status_code == 200

    def test_forgetting_a_browser(self, browser: Browser, sign_in: SignIn) -> None:
        """A browser that is forgotten is signed out as well, unless it is this one."""
        laptop, phone = browser(), browser()
        phone.headers["user-agent"] = PHONE
        for client in (laptop, phone):
            sign_in(client, "ada@example.com")
        for _ in range(2):
            known = laptop.get("/sessions").text.partition("that are known")[2]
            path = known.partition('action="')[2].partition('"')[0]
            page = laptop.post(path).text
        assert "None." in page
        assert "this one" in page
        assert phone.get("/sessions").url.path == "/sign-in"
