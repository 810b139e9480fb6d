"""The browsers that somebody has signed in on."""

import re
from collections.abc import Callable

from flask.testing import FlaskClient
from notes.cookies import DEVICE

from pgauthkit.testing import Outbox

Browser = Callable[[], FlaskClient]
SignedIn = Callable[[str], FlaskClient]
PHONE = "Mozilla/5.0 (Linux; Android 16; Pixel 9) AppleWebKit/537.36 Chrome/140.0.0.0 Mobile Safari/537.36"


def sign_in(client: FlaskClient, outbox: Outbox) -> None:
    """Sign in as a person would."""
    client.post("/sign-in", data={"email": "ada@example.com"})
    client.post("/confirm", data={"token": outbox.last().token})


def test_a_browser_is_known_after_signing_out(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """It keeps its cookie, gets a link where strangers have used up theirs, and is one browser afterwards."""
    client, stranger = browser(), browser()
    sign_in(client, pgauthkit_outbox)
    client.post("/sign-out")
    kept = client.get_cookie(DEVICE)
    asked = {"email": "ada@example.com"}
    assert [stranger.post("/sign-in", data=asked).status_code for _ in range(6)][-1] == 429
    sign_in(client, pgauthkit_outbox)
    after = client.get_cookie(DEVICE)
    assert kept
    assert after
    assert after.value == kept.value
    assert client.get("/devices").text.count("Forget") == 1


def test_forgetting_a_browser(browser: Browser, pgauthkit_outbox: Outbox) -> None:
    """The owner sees a phone, forgets it, and it is signed out."""
    laptop, phone = browser(), browser()
    phone.environ_base["HTTP_USER_AGENT"] = PHONE
    for client in (laptop, phone):
        sign_in(client, pgauthkit_outbox)
    page = laptop.get("/devices").text
    assert "Chrome on Android" in page
    found = re.search(r"/devices/\w+/forget", page)
    assert found
    assert laptop.post(found[0]).status_code == 303
    assert laptop.post(found[0]).status_code == 404
    assert phone.get("/").headers["Location"] == "/sign-in?following=/"
    assert "this one" in laptop.get("/devices").text


def test_nobody_forgets_the_browser_of_another(browser: Browser, signed_in: SignedIn, pgauthkit_outbox: Outbox) -> None:
    """Another's browser is not there to be forgotten."""
    ada, eve = browser(), signed_in("eve@example.com")
    sign_in(ada, pgauthkit_outbox)
    found = re.search(r"/devices/\w+/forget", ada.get("/devices").text)
    assert found
    assert eve.post(found[0]).status_code == 404
    assert "this one" in ada.get("/devices").text
