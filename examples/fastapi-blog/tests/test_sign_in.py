"""Signing in, as a browser does it."""

from collections.abc import Callable

import pytest
from blog.cookies import ACCESS, REFRESH
from mail_server import Mailbox
from starlette.testclient import TestClient

Browser = Callable[[], TestClient]
SignIn = Callable[[TestClient, str], None]


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
    client.post("/sign-in", data={"email": "ada@example.com"})
    token = mailbox.newest_link().partition("token=")[2]
    answer = client.post("/confirm", data={"token": token}, follow_redirects=False)
    cookies = answer.headers.get_list("set-cookie")
    assert {cookie.partition("=")[0] for cookie in cookies} == {ACCESS, REFRESH}
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


class TestSessions:
    """The page of one's own sessions."""

    def test_ending_another_browser_s(self, browser: Browser, sign_in: SignIn) -> None:
        """The page shows both browsers, and one can sign the other out."""
        laptop, phone = browser(), browser()
        phone.headers["user-agent"] = "Phone"
        for client in (laptop, phone):
            sign_in(client, "ada@example.com")
        page = laptop.get("/sessions").text
        assert "Phone" in page
        path = page.partition('action="/sessions/')[2].partition('"')[0]
        laptop.post(f"/sessions/{path}")
        assert phone.get("/sessions").url.path == "/sign-in"
        assert laptop.get("/sessions").url.path == "/sessions"

    def test_somebody_else_s(self, browser: Browser, sign_in: SignIn) -> None:
        """Nobody can end the session of somebody else."""
        ada, eve = browser(), browser()
        sign_in(ada, "ada@example.com")
        sign_in(eve, "eve@example.com")
        assert eve.post("/sessions/c00000000000000000000000/revoke").status_code == 404
