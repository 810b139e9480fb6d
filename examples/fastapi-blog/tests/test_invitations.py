"""Inviting people to a blog that is closed to others."""

import re
from collections.abc import Callable
from dataclasses import replace

import pytest
from blog.seed import main
from blog.settings import Settings
from mail_server import Mailbox
from sqlalchemy import Engine, orm
from starlette.testclient import TestClient

Browser = Callable[[], TestClient]
SignIn = Callable[[TestClient, str], None]
GRACE = {"email": "Grace@Example.com", "role": "ADMIN"}


@pytest.fixture
def settings(settings: Settings) -> Settings:
    """A blog for those who are invited."""
    return replace(settings, is_open=False)


@pytest.fixture
def admin(browser: Browser, sign_in: SignIn, pgauthkit_engine: Engine) -> TestClient:
    """The browser of the administrator whom the seed makes."""
    with orm.Session(pgauthkit_engine) as db, db.begin():
        main(db)
    client = browser()
    sign_in(client, "admin@example.com")
    return client


def test_an_invited_person_comes(admin: TestClient, browser: Browser, mailbox: Mailbox) -> None:
    """Somebody who is invited as an administrator becomes one, and is no longer on the list."""
    grace = browser()
    assert "grace@example.com" in admin.post("/invitations", data=GRACE).text
    link = mailbox.newest_link("grace@example.com")
    assert "You are invited" in grace.get(link).text
    assert grace.post("/confirm", data={"token": link.partition("token=")[2]}).url.path == "/"
    assert grace.get("/invitations").status_code == 200
    assert "grace@example.com" not in admin.get("/invitations").text


def test_others_do_not(admin: TestClient, browser: Browser, mailbox: Mailbox) -> None:
    """A stranger sees the same page, and gets no mail; only administrators invite."""
    stranger = browser()
    assert "Look into your mail" in stranger.post("/sign-in", data={"email": "eve@example.com"}).text
    assert mailbox.subjects("eve@example.com") == []
    assert stranger.post("/invitations", data=GRACE).url.path == "/sign-in"
    admin.post("/invitations", data={"email": "eve@example.com"})
    stranger.post("/confirm", data={"token": mailbox.newest_link("eve@example.com").partition("token=")[2]})
    assert stranger.post("/invitations", data=GRACE).status_code == 403


def test_taking_one_back(admin: TestClient, browser: Browser, mailbox: Mailbox) -> None:
    """An invitation that was withdrawn invites nobody, and cannot be withdrawn again."""
    page = admin.post("/invitations", data=GRACE).text
    found = re.search(r"/invitations/\w+/withdraw", page)
    assert found
    assert "Nobody." in admin.post(found[0]).text
    assert admin.post(found[0]).status_code == 404
    assert browser().get(mailbox.newest_link("grace@example.com")).status_code == 400


def test_what_cannot_be_invited(admin: TestClient) -> None:
    """What is no address is not invited, no role is made up, and nobody is invited all day."""
    assert admin.post("/invitations", data={"email": "nobody"}).status_code == 400
    assert admin.post("/invitations", data={**GRACE, "role": "OWNER"}).status_code == 422
    answers = [admin.post("/invitations", data=GRACE, follow_redirects=False).status_code for _ in range(4)]
    assert answers == [303] * 3 + [429]
