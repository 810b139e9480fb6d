"""The studio shows and edits an application's users as what they are."""

from collections.abc import Iterator
from html import unescape
from threading import Thread

import httpx
import pytest
from shop import Account, Post
from sqlalchemy import Engine
from sqlalchemy.orm import Session

from pgauthkit import AuthService
from pgauthkit.ops.erd import mapped_classes
from pgauthkit.studio.server import Studio


@pytest.fixture
def browser(pgauthkit_engine: Engine) -> Iterator[httpx.Client]:
    """The studio on a database with an account, entered."""
    with Session(pgauthkit_engine) as db, db.begin():
        db.add(Account(id="c1", email="ada@example.com", phone="1", posts=[Post(id="p1", title="Hello")]))
    studio = Studio(pgauthkit_engine, mapped_classes("shop:Base"), port=0, write=True)
    thread = Thread(target=studio.serve)
    thread.start()
    try:
        with httpx.Client(base_url=studio.url.split("/?")[0], timeout=60) as http:
            http.get(studio.url)
            yield http
    finally:
        studio.stop()
        thread.join(60)


def test_users_are_accounts(browser: httpx.Client, pgauthkit_engine: Engine) -> None:
    """A list, both sides of a relation, relations that name `User`, and a form, without what tells classes apart."""
    assert "ada@example.com" in unescape(browser.get("/account/list").text)
    assert "/account/detail?pk=c1" in unescape(browser.get("/post/detail", params={"pk": "p1"}).text)
    assert "/post/detail?pk=p1" in unescape(browser.get("/account/detail", params={"pk": "c1"}).text)
    opened = AuthService(pgauthkit_engine).open_session("c1").tokens.session_id
    assert "/account/detail?pk=c1" in unescape(browser.get("/session/detail", params={"pk": opened}).text)
    form = browser.get("/account/create").text
    assert 'name="phone"' in form
    assert "kind" not in form
    token = browser.cookies["starlette_admin_csrftoken"]
    values = {"csrftoken": token, "email": "Grace@example.com", "phone": "3 4", "role": "USER", "is_active": "on"}
    origin = {"Origin": str(browser.base_url).rstrip("/")}
    assert browser.post("/account/create", data=values, headers=origin).status_code == 303
    with Session(pgauthkit_engine) as db:
        made = db.query(Account).filter_by(email="grace@example.com").one()
    assert (made.phone, made.pgauthkit_kind) == ("34", "user")
