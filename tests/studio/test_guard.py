"""Who is let in, from where, and what may be written: the token, the host, the origin, and reading only."""

import asyncio
import re
import secrets
import socket
from collections.abc import MutableMapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from jinja2 import Environment
from sqlalchemy import Engine, orm
from sqlalchemy.dialects.postgresql import TSVECTOR
from sqlalchemy.orm import DeclarativeBase, mapped_column
from tests.studio.conftest import Browser, Serve, served

from pgauthkit.database import create_engine
from pgauthkit.errors import ConfigError, DatabaseUnavailableError
from pgauthkit.models import Session, User
from pgauthkit.studio.application import create_app
from pgauthkit.studio.keys import read_key
from pgauthkit.studio.nonces import NonceLoader
from pgauthkit.studio.server import Studio
from pgauthkit.testing import TestServer


def users(engine: Engine) -> list[str]:
    with orm.Session(engine) as db:
        return sorted(db.scalars(sa.select(User.email)))


# Not every machine has IPv6.
IPV6 = Path("/proc/net/if_inet6")
LOOPBACKS = ["localhost", "127.0.0.2", *["::1"] * (IPV6.exists() and " lo\n" in IPV6.read_text())]


class TestToken:
    def test_it_is_good_once(self, serve: Serve) -> None:
        """The printed address gives a cookie that scripts cannot read and other sites cannot send; then it is void."""
        with serve(User) as browser:
            first = browser.http.get(browser.studio.url)
            cookie = first.headers["set-cookie"].lower()
            stranger = httpx.get(browser.studio.url, timeout=60)
            again = browser.http.get(browser.studio.url)

        assert (first.status_code, first.headers["location"]) == (303, "/")
        assert "httponly" in cookie
        assert "samesite=strict" in cookie
        assert (stranger.status_code, "set-cookie" in stranger.headers) == (403, False)
        assert (again.status_code, again.headers["location"]) == (303, "/")

    @pytest.mark.parametrize("path", ["/", "/user/list", "/static/js/list.js", "/?token=wrong", "/?token=a&token=b"])
    def test_without_it(self, serve: Serve, path: str) -> None:
        """Without the token nothing is shown, not even a script, and a wrong one does not use up the right one."""
        with serve(User) as browser:
            refused = browser.http.get(path)
            browser.enter()

        assert refused.status_code == 403
        assert refused.text.startswith("Open the address that was printed")

    @pytest.mark.parametrize("method", ["HEAD", "POST"])
    def test_only_a_visit_uses_it_up(self, serve: Serve, method: str) -> None:
        """A program that only looks whether the address answers does not use the token up."""
        with serve(User) as browser:
            assert browser.http.request(method, browser.studio.url).status_code == 403
            browser.enter()

    @pytest.mark.parametrize("cookie", ["", "a=b", "pgauthkit_studio_x=y", '"; \\', "pgauthkit studio"])
    def test_a_made_up_cookie(self, serve: Serve, cookie: str) -> None:
        """A cookie that was not given opens nothing."""
        with serve(User) as browser:
            assert browser.http.get("/", headers={"Cookie": cookie}).status_code == 403

    def test_the_cookies_of_others(self, studio: Browser) -> None:
        """Cookies that another program of this machine has set, however odd, do not lock anybody out."""
        ours = "; ".join(f"{name}={value}" for name, value in studio.http.cookies.items())

        cookies = {"Cookie": f'a(b=c; x; ="; {ours}; y=1'}
        assert httpx.get(studio.http.base_url, headers=cookies, timeout=60).status_code == 200

    def test_two_studios(self, serve: Serve) -> None:
        """The cookie of one studio does not open another, though cookies do not tell ports apart."""
        with serve(User) as one, serve(User) as other:
            one.enter()
            cookies = "; ".join(f"{name}={value}" for name, value in one.http.cookies.items())
            assert other.http.get("/", headers={"Cookie": cookies}).status_code == 403


class TestHost:
    @pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "localhost.evil.example:5555", ""])
    def test_a_foreign_name(self, studio: Browser, host: str) -> None:
        """A page of another name that was pointed at this machine is refused, though it has the cookie."""
        assert studio.http.get("/", headers={"Host": host}).status_code == 400

    @pytest.mark.parametrize("host", ["127.0.0.1", "localhost:1", "[::1]:5555", "LOCALHOST"])
    def test_a_name_of_this_machine(self, studio: Browser, host: str) -> None:
        """Any name of the loopback will do, on whatever port: it may be forwarded."""
        assert studio.http.get("/", headers={"Host": host}).status_code == 200

    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "db.example", "", "127.0.0.1 "])  # noqa: S104 - refused
    def test_only_the_loopback(self, read_engine: Engine, host: str) -> None:
        """Anything but an address of the loopback is refused before a port is opened."""
        with pytest.raises(ConfigError, match="is not an address of the loopback"):
            Studio(read_engine, [User], host=host, port=0)

    @pytest.mark.parametrize("host", LOOPBACKS)
    def test_the_other_loopbacks(self, serve: Serve, host: str) -> None:
        """The studio can be served at any address of the loopback, and is reached at it."""
        with serve(User, host=host) as browser:
            assert browser.studio.url.removeprefix("http://").startswith((f"{host}:", f"[{host}]:"))
            browser.enter()

    def test_a_taken_port(self, serve: Serve, read_engine: Engine) -> None:
        """A port that is taken is an error that says so."""
        with serve(User) as browser, pytest.raises(ConfigError, match="Give another --port"):
            Studio(read_engine, [User], port=browser.http.base_url.port or 0)

    def test_no_database(self) -> None:
        """A database that cannot be reached is told at the start, and the port is free again."""
        with socket.create_server(("127.0.0.1", 0)) as found:
            port = found.getsockname()[1]
        for _ in range(2):
            with pytest.raises(DatabaseUnavailableError):
                Studio("postgresql://nobody@127.0.0.1:1/nothing", [User], port=port)


class TestWrites:
    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"Origin": "http://evil.example"},
            {"Origin": "null"},
            {"Origin": "http://127.0.0.1:1"},
            {"Sec-Fetch-Site": "cross-site"},
            {"Sec-Fetch-Site": "same-site"},
            {"Sec-Fetch-Site": "none"},
        ],
    )
    def test_from_another_site(self, writing: Browser, engine: Engine, headers: dict[str, str]) -> None:
        """A form of another site, or of another port of this machine, writes nothing, with cookie and token even."""
        token = writing.http.cookies["starlette_admin_csrftoken"]
        before = users(engine)
        answer = writing.http.post("/user/create", data={"email": "e@e.example", "csrftoken": token}, headers=headers)

        assert answer.status_code == 403
        assert "does not come from a page of the studio" in answer.text
        assert users(engine) == before

    @pytest.mark.parametrize("token", [None, "", "made-up"])
    def test_without_the_token_of_the_form(self, writing: Browser, engine: Engine, token: str | None) -> None:
        """A form without the studio's token, or with a made-up one, writes nothing, from the right origin even."""
        form = {"email": "e@e.example"} | ({} if token is None else {"csrftoken": token})
        answer = writing.http.post("/user/create", data=form, headers={"Sec-Fetch-Site": "same-origin"})

        assert answer.status_code == 403
        assert "e@e.example" not in users(engine)

    @pytest.mark.parametrize(
        "path",
        [
            "/user/create",
            "/user/edit?pk={pk}",
            "/_api/user/row-action?name=delete&pk={pk}",
            "/_api/user/action?name=delete&pks={pk}",
            "/_api/user/action?name=export&name=delete&pks={pk}",
            "/_api/user/inline-edit?pk={pk}&field=email",
            "/_api/user/import",
            "/nothing",
        ],
    )
    def test_read_only(self, studio: Browser, read_engine: Engine, path: str) -> None:
        """Without `--write` every write is refused, though the form has its token and its origin."""
        before = users(read_engine)
        (pk, *_) = re.findall(r'data-sa-pk="([^"]*)"', studio.page("/user/list"))
        refused = studio.post(path.format(pk=pk), {"email": "e@e.example"})

        assert refused.status_code == 403
        assert "The studio is read only. Start it with --write to change rows." in refused.text
        assert users(read_engine) == before

    def test_read_only_pages_offer_nothing(self, studio: Browser) -> None:
        """Without `--write` no page offers to write, and the forms are not there."""
        page = studio.page("/user/list")
        (pk, *_) = re.findall(r'data-sa-pk="([^"]*)"', page)

        assert "/user/create" not in page
        assert "/user/edit" not in page
        for path in ("/user/create", f"/user/edit?pk={pk}"):
            refused = studio.http.get(path)
            assert refused.status_code == 403
            assert "The studio is read only. Start it with --write to change rows." in refused.text

    def test_read_only_transactions(self, studio: Browser, read_engine: Engine) -> None:
        """Without `--write` each transaction is READ ONLY: the server itself would refuse a write."""
        modes: list[str] = []

        def note(_connection: object, cursor: Any, *_call: object) -> None:  # noqa: ANN401 - psycopg's
            modes.append(cursor.connection.execute("SHOW transaction_read_only").fetchone()[0])

        sa.event.listen(read_engine, "after_cursor_execute", note)
        try:
            studio.page("/user/list")
        finally:
            sa.event.remove(read_engine, "after_cursor_execute", note)

        assert len(modes) > 2
        assert set(modes) == {"on"}


class TestPages:
    def test_headers(self, studio: Browser) -> None:
        """A page loads nothing from elsewhere, runs no script but those with its nonce, and is not kept."""
        one, other = studio.http.get("/user/list"), studio.http.get("/user/list")
        policy = one.headers["content-security-policy"]
        nonces = set(re.findall(r'nonce="([^"]+)"', one.text))

        assert "default-src 'self'" in policy
        assert re.search(r"script-src 'self' 'nonce-[\w-]+';", policy)
        assert len(nonces) == 1
        assert f"'nonce-{nonces.pop()}'" in policy
        assert policy != other.headers["content-security-policy"]
        assert one.headers["cache-control"] == "no-store"
        assert "cache-control" not in studio.http.get("/static/studio.js").headers

    @pytest.mark.parametrize("path", ["/", "/user/list", "/essay/create", "/nothing/list"])
    def test_nothing_remote(self, writing: Browser, path: str) -> None:
        """No page names an address of another machine."""
        text = writing.http.get(path).text
        here = str(writing.http.base_url).rstrip("/")
        addresses = {found for found in re.findall(r"https?://[^\s\"'<)]+", text) if not found.startswith(here)}

        assert addresses <= {"http://www.w3.org/2000/svg", "http://tabler-icons.io/i/search"}

    def test_every_script_has_the_nonce(self) -> None:
        """No template of starlette-admin has an inline script without the nonce, or a handler in an attribute."""
        loader = NonceLoader()
        texts = [loader.get_source(Environment(autoescape=True), name)[0] for name in loader.list_templates()]

        assert len(texts) > 50
        for text in texts:
            inline = re.findall(r"<(?:script|style)(?![^>]*\bsrc=)[^>]*>", text)
            assert [tag for tag in inline if "nonce=" not in tag] == []
            assert not re.search(r"\son(?:click|change|load|error|submit|input|keyup)=", text)
            assert "javascript:" not in text


@pytest.mark.parametrize(("kind", "answered"), [("lifespan", True), ("websocket", False)])
def test_other_protocols(read_engine: Engine, kind: str, *, answered: bool) -> None:
    """A server that announces its start is answered; a web socket is not."""
    app = create_app(read_engine, [User], token=secrets.token_urlsafe())
    sent: list[str] = []

    async def receive() -> dict[str, str]:
        return {"type": f"{kind}.startup" if not sent else f"{kind}.shutdown"}

    async def send(message: MutableMapping[str, Any]) -> None:
        sent.append(message["type"])

    scope = {"type": kind, "headers": [(b"host", b"localhost")], "path": "/", "query_string": b""}
    asyncio.run(app(scope, receive, send))

    assert ("lifespan.startup.complete" in sent) == answered


class TestTrouble:
    def test_the_table_is_gone(self, engine: Engine) -> None:
        """What the server refuses is a sentence, without the statement."""
        with served(engine, write=False) as browser:
            browser.enter()
            with engine.begin() as connection:
                connection.execute(sa.text("DROP TABLE pgauthkit.rate_limits"))
            answer = browser.http.get("/rate-limit/list")

        assert (answer.status_code, answer.text.count("SELECT")) == (400, 0)
        assert answer.text.startswith("The database lacks tables or columns of pgauthkit")

    def test_the_database_is_gone(self, pgauthkit_server: TestServer) -> None:
        """A database that is not there any more is reported as such."""
        with pgauthkit_server.database() as url:
            browser_of = served(create_engine(url, poolclass=sa.NullPool), User)
            browser = browser_of.__enter__()
            browser.enter()
        try:
            answer = browser.http.get("/user/list")
        finally:
            browser_of.__exit__(None, None, None)

        assert answer.status_code == 503
        assert answer.text.startswith("Cannot reach the database")


class TestKeys:
    def test_two_classes_of_one_name(self, engine: Engine) -> None:
        """A class of the host's that is called as one of ours has an address of its own."""

        class Other(DeclarativeBase):
            pass

        theirs = type(
            "Session",
            (Other,),
            {"__tablename__": "topics", "__module__": "blog.models", "id": mapped_column(sa.Uuid, primary_key=True)},
        )
        with served(engine, Session, theirs) as browser:
            browser.enter()
            assert "/blog-models-session/list" in browser.page("/")
            assert browser.http.get("/blog-models-session/list").status_code == 200

    @pytest.mark.parametrize(
        ("kind", "text", "value"),
        [
            (sa.LargeBinary(), "01ff", b"\x01\xff"),
            (sa.Boolean(), "True", True),
            (sa.Date(), "2026-01-02", date(2026, 1, 2)),
            (sa.Numeric(), "1.5", Decimal("1.5")),
            (TSVECTOR(), "x", "x"),
            (sa.types.NullType(), "x", "x"),
        ],
    )
    def test_a_key_of_any_type(self, kind: sa.types.TypeEngine[Any], text: str, value: object) -> None:
        """A key in an address is read as its column has it."""
        assert read_key(sa.Column("key", kind), text) == value

    @pytest.mark.parametrize(
        "kind", [sa.LargeBinary(), sa.Boolean(), sa.Date(), sa.Integer(), sa.Numeric(), sa.Uuid(), sa.Interval()]
    )
    def test_no_such_key(self, kind: sa.types.TypeEngine[Any]) -> None:
        """A text that is no such value is a ValueError, whatever the type."""
        with pytest.raises(ValueError, match=r"."):
            read_key(sa.Column("key", kind), "no such value")
