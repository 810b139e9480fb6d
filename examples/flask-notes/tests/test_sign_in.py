"""Signing in and out, as a person does it."""

from collections.abc import Callable
from datetime import timedelta

from flask.testing import FlaskClient
from notes.cookies import ACCESS, BINDING

from pgauthkit.testing import Clock, Outbox

Browser = Callable[[], FlaskClient]
SignedIn = Callable[[str], FlaskClient]


def test_a_person_signs_in_by_mail(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """Ask, read the mail, look as often as one likes, press the button, and be there; once."""
    client = browser()
    assert client.get("/").headers["Location"] == "/sign-in?following=/"
    assert "Look into your mail" in client.post("/sign-in", data={"email": "Ada@Example.com"}).text
    mail = pgauthkit_outbox.last("ada@example.com")
    for _ in range(2):
        assert "Sign in as ada@example.com?" in client.get(mail.url).text
    answer = client.post("/confirm", data={"token": mail.token}, follow_redirects=True)
    assert "Notes of ada@example.com" in answer.text
    again = browser().post("/confirm", data={"token": mail.token})
    assert (again.status_code, "does not work" in again.text) == (400, True)


def test_the_cookies_are_out_of_reach(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """All cookies are for this host and HTTPS alone, for no script, and for no form of another site."""
    client = browser()
    cookies = client.post("/sign-in", data={"email": "ada@example.com"}).headers.getlist("Set-Cookie")
    cookies += client.post("/confirm", data={"token": pgauthkit_outbox.last().token}).headers.getlist("Set-Cookie")
    assert len(cookies) == 4
    for cookie in cookies:
        assert cookie.startswith("__Host-")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))
        assert "Domain" not in cookie


def test_a_session_is_refreshed_on_the_way(signed_in: SignedIn, pgauthkit_clock: Clock) -> None:
    """When the access token is over, the next page comes with new ones; when all is over, with the form."""
    client = signed_in("ada@example.com")
    before = client.get_cookie(ACCESS)
    pgauthkit_clock.move(timedelta(minutes=16))
    assert client.get("/").status_code == 200
    assert client.get_cookie(ACCESS) != before
    pgauthkit_clock.move(timedelta(days=31))
    assert client.get("/").headers["Location"] == "/sign-in?following=/"


def test_signing_out_ends_the_session(signed_in: SignedIn) -> None:
    """After signing out the old access token is worth nothing."""
    client = signed_in("ada@example.com")
    kept = client.get_cookie(ACCESS)
    assert kept
    client.post("/sign-out")
    assert client.get_cookie(ACCESS) is None
    client.set_cookie(ACCESS, kept.value, secure=True)
    assert client.get("/").status_code == 303
    assert client.post("/sign-out").status_code == 303


def test_nonsense_is_refused(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """No address, a redirect to another site, an unknown link, a form of another site: no mail, and a reason."""
    client = browser()
    assert client.post("/sign-in", data={"email": "ada"}).status_code == 400
    assert client.post("/sign-in", data={"email": "a@b.test", "following": "//evil.test"}).status_code == 400
    assert client.get("/confirm?token=x").status_code == 400
    other_site = {"Sec-Fetch-Site": "cross-site"}
    assert client.post("/sign-in", data={"email": "ada@example.com"}, headers=other_site).status_code == 403
    assert len(pgauthkit_outbox) == 0


def test_too_many_links_are_refused(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """The sixth link for an address from one place within an hour is one too many."""
    client = browser()
    answers = [client.post("/sign-in", data={"email": "ada@example.com"}).status_code for _ in range(6)]
    assert answers == [200] * 5 + [429]
    assert len(pgauthkit_outbox) == 5


def test_a_link_works_in_the_browser_that_asked_alone(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """Who reads the mail elsewhere is not signed in; the browser that asked is, by each of its mails, pressed twice."""
    client = browser()
    for _ in range(2):
        client.post("/sign-in", data={"email": "ada@example.com"})
    first = {"token": pgauthkit_outbox[0].token}
    assert browser().post("/confirm", data=first).status_code == 400
    kept = client.get_cookie(BINDING)
    assert [client.post("/confirm", data=first).status_code for _ in range(2)] == [303, 303]
    assert client.get_cookie(BINDING) == kept


def test_what_every_page_tells_the_browser(browser: Browser) -> None:
    """No cache keeps a page, no other site gets its address, and no script runs in it."""
    for path in ("/sign-in", "/confirm?token=x", "/static/style.css", "/nothing"):
        answer = browser().get(path)
        answer.close()  # a file, where it is one of ours
        headers = answer.headers
        assert (headers["Cache-Control"], headers["Referrer-Policy"]) == ("no-store", "no-referrer")
        assert "default-src 'none'" in headers["Content-Security-Policy"]
        assert "script-src" not in headers["Content-Security-Policy"]
