"""Moving to another address."""

from collections.abc import Callable

import pytest
from blog.seed import main
from mail_server import Mailbox
from sqlalchemy import Engine, orm, text
from starlette.testclient import TestClient

Browser = Callable[[], TestClient]
SignIn = Callable[[TestClient, str], None]
NEW = {"email": "ada@new.example"}


@pytest.fixture
def ada(browser: Browser, sign_in: SignIn) -> TestClient:
    """A browser in which somebody is signed in."""
    client = browser()
    sign_in(client, "ada@example.com")
    return client


def test_moving(ada: TestClient, browser: Browser, sign_in: SignIn, mailbox: Mailbox) -> None:
    """The link of the mail to the new address moves its owner, tells the old one, and ends other sessions."""
    phone = browser()
    sign_in(phone, "ada@example.com")
    assert "ada@new.example" in ada.post("/address", data=NEW).text
    link = mailbox.newest_link("ada@new.example")
    assert "Move to ada@new.example?" in ada.get(link).text
    token = {"token": link.partition("token=")[2]}
    assert "Your address is ada@new.example" in ada.post("/address/confirm", data=token).text
    assert "ada@new.example" in ada.get("/").text
    assert mailbox.subjects("ada@example.com")[-1] == "Your address at the blog has changed"
    assert phone.get("/sessions").url.path == "/sign-in"
    assert ada.post("/address/confirm", data=token).status_code == 400
    assert ada.get(link).status_code == 400


def test_it_is_for_the_owner_alone(ada: TestClient, browser: Browser, sign_in: SignIn, mailbox: Mailbox) -> None:
    """Who reads a mail that went to a mistyped address gets nothing by it, signed in or not."""
    stranger = browser()
    ada.post("/address", data=NEW)
    link = mailbox.newest_link("ada@new.example")
    token = {"token": link.partition("token=")[2]}
    assert "Only the owner" in stranger.get(link).text
    assert stranger.post("/address/confirm", data=token).url.path == "/sign-in"
    sign_in(stranger, "eve@example.com")
    assert stranger.post("/address/confirm", data=token).status_code == 400
    assert stranger.post("/confirm", data=token).status_code == 400


def test_an_address_that_another_has(ada: TestClient, pgauthkit_engine: Engine, mailbox: Mailbox) -> None:
    """Whoever asks is told nothing; whoever reads the mail there is."""
    with orm.Session(pgauthkit_engine) as db, db.begin():
        main(db)
    assert ada.post("/address", data={"email": "admin@example.com"}).status_code == 200
    token = {"token": mailbox.newest_link("admin@example.com").partition("token=")[2]}
    assert ada.post("/address/confirm", data=token).status_code == 409


def test_long_after_signing_in(ada: TestClient, pgauthkit_engine: Engine, mailbox: Mailbox) -> None:
    """Who signed in an hour ago has to do it again first."""
    with pgauthkit_engine.begin() as connection:
        connection.execute(
            text("UPDATE pgauthkit.sessions SET authenticated_at = authenticated_at - interval '1 hour'")
        )
    assert "sign in once more" in ada.get("/address").text
    assert ada.post("/address", data=NEW).status_code == 403
    assert mailbox.subjects("ada@new.example") == []


def test_what_is_no_address(ada: TestClient) -> None:
    """It is told to the one who typed it, and so is that it was too often."""
    assert ada.post("/address", data={"email": "nobody"}).status_code == 400
    assert [ada.post("/address", data=NEW).status_code for _ in range(4)] == [200] * 3 + [429]
