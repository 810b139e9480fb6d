"""The studio in a real browser, Debian's Chromium: what it shows and writes, and what it does not let through."""

import re
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Final

import httpx
import pytest
import sqlalchemy as sa
from playwright.sync_api import Browser, BrowserContext, Page, expect
from sqlalchemy import Engine, orm
from tests.studio.conftest import Essay, fill, served

from pgauthkit.models import MagicLink, RateLimit, Session, User
from pgauthkit.studio.server import Studio

FORM: Final = """
<form id="form" method="post" action="{action}" enctype="application/x-www-form-urlencoded">
  <input name="email" value="stolen@evil.example"><input name="csrftoken" value="made-up">
</form>
<script>document.getElementById("form").submit()</script>
"""


@pytest.fixture
def engine(pgauthkit_engine: Engine) -> Engine:
    """Three users with their links and sessions, and twelve essays."""
    fill(pgauthkit_engine)
    return pgauthkit_engine


@pytest.fixture
def reading(engine: Engine) -> Iterator[Studio]:
    """The studio as it is without options."""
    with served(engine, User, MagicLink, Session, RateLimit, Essay) as browser:
        yield browser.studio


@pytest.fixture
def writing(engine: Engine) -> Iterator[Studio]:
    """The studio with `--write`."""
    with served(engine, User, MagicLink, Session, RateLimit, Essay, write=True) as browser:
        yield browser.studio


def enter(context: BrowserContext, studio: Studio) -> Page:
    """Open the printed address."""
    page = context.new_page()
    page.goto(studio.url)
    expect(page.get_by_role("heading", name="Tables")).to_be_visible()
    return page


def address(studio: Studio) -> str:
    return studio.url.split("/?")[0]


def emails(engine: Engine) -> list[str]:
    with orm.Session(engine) as db:
        return sorted(db.scalars(sa.select(User.email)))


def logins(engine: Engine) -> list[datetime | None]:
    with orm.Session(engine) as db:
        return list(db.scalars(sa.select(User.last_login_at).order_by(User.id)))


@contextmanager
def another_site(text: Callable[[], str]) -> Generator[int]:
    """Serve one page, whatever is asked for, on a port of its own."""

    class Answer(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = text().encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the library's
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answer) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield server.server_address[1]
        finally:
            server.shutdown()
            thread.join(10)


@pytest.mark.usefixtures("trouble")
class TestReading:
    def test_list_search_filter_sort_and_pages(self, context: BrowserContext, reading: Studio) -> None:
        """A table is listed, searched, filtered with the builder, sorted and turned over, all with the mouse."""
        page = enter(context, reading)
        rows = page.locator("tbody tr[data-sa-pk]")

        page.get_by_role("link", name="Essay").first.click()
        expect(rows).to_have_count(12)
        page.get_by_label("Page size").select_option("10")
        expect(rows).to_have_count(10)
        page.get_by_role("link", name="2", exact=True).click()
        expect(rows).to_have_count(2)

        page.get_by_placeholder("Search").fill("essay 1")
        page.get_by_placeholder("Search").press("Enter")
        expect(rows).to_have_count(2)

        page.goto(f"{address(reading)}/essay/list")
        page.get_by_role("button", name="Filters").click()
        page.get_by_role("button", name="Add filter").click()
        row = page.locator("#filter-rows .filter-row").first
        row.locator("select").nth(0).select_option(label="Title")
        row.locator("select").nth(1).select_option(label="Equal")
        row.locator("input[type=text]").first.fill("Essay 7")
        page.get_by_role("button", name="Apply").last.click()
        expect(rows).to_have_count(1)
        expect(rows.first).to_contain_text("Essay 7")

        page.goto(f"{address(reading)}/user/list")
        page.locator("th", has_text="Email").locator("a").first.click()
        expect(rows.first).to_contain_text("a%b@example.com")

    def test_columns(self, context: BrowserContext, reading: Studio) -> None:
        """Columns are hidden with the mouse, by a script that the policy lets through."""
        page = enter(context, reading)
        page.goto(f"{address(reading)}/user/list")
        page.get_by_role("button", name="Columns").click()
        page.get_by_label("Email", exact=True).uncheck()
        page.get_by_role("button", name="Apply").first.click()

        expect(page.locator("td[data-column=role]").first).to_be_visible()
        expect(page.locator("td[data-column=email]")).to_have_count(0)

    @pytest.mark.parametrize("width", [1280, 390])
    def test_a_narrow_screen(self, context: BrowserContext, reading: Studio, width: int) -> None:
        """No page is wider than the screen; a table is scrolled by itself, and says how many columns go on."""
        page = enter(context, reading)
        page.set_viewport_size({"width": width, "height": 720})
        for path in ("/", "/user/list", "/session/list", "/essay/list"):
            page.goto(f"{address(reading)}{path}")
            assert page.evaluate("document.documentElement.scrollWidth") <= width
        heights = page.locator("tbody tr[data-sa-pk]").evaluate_all("rows => rows.map(row => row.offsetHeight)")
        note = page.locator("[data-studio=more]")
        expect(note).to_contain_text("to the right")
        page.locator(".table-responsive").evaluate("table => table.scrollTo(10000, 0)")
        expect(note).to_be_hidden()

        assert max(heights) < 45

    def test_a_relation_is_followed(self, context: BrowserContext, reading: Studio) -> None:
        """From a session to its user, and from there to all of the user's sessions."""
        page = enter(context, reading)
        page.get_by_role("link", name="Session").first.click()
        page.get_by_role("link", name="ada@example.com").first.click()
        expect(page.get_by_role("cell", name="ada@example.com").first).to_be_visible()
        page.get_by_role("row", name="Sessions").get_by_role("link", name="All 1").click()

        expect(page.locator("tbody tr[data-sa-pk]")).to_have_count(1)
        expect(page.get_by_text("ada@example.com").first).to_be_visible()

    def test_export(self, context: BrowserContext, reading: Studio) -> None:
        """A list is saved as a file, read only as the studio is, and has nothing secret."""
        page = enter(context, reading)
        page.goto(f"{address(reading)}/session/list")
        page.get_by_text("Export", exact=True).first.click()
        with page.expect_download() as download:
            page.locator("#modal-action").get_by_role("button", name="Export").click()
        text = download.value.path().read_text(encoding="utf-8")

        assert download.value.suggested_filename.endswith(".csv")
        assert len(text.splitlines()) == 4
        assert not re.search("hash|nonce", text, re.IGNORECASE)

    def test_nothing_is_offered_to_be_written(self, context: BrowserContext, reading: Studio) -> None:
        """No page of the studio has a way to write, and says so."""
        page = enter(context, reading)
        expect(page.get_by_text("read only")).to_be_visible()
        page.goto(f"{address(reading)}/user/list")

        expect(page.locator("tbody tr[data-sa-pk]")).to_have_count(3)
        expect(page.locator("[data-sa-name=edit], [data-sa-name=delete]")).to_have_count(0)
        expect(page.get_by_role("link", name="New User")).to_have_count(0)


@pytest.mark.usefixtures("trouble")
class TestWriting:
    def test_edit(self, context: BrowserContext, writing: Studio, engine: Engine) -> None:
        """A row is changed in its form, and nothing else of it; a refusal stands beside its field."""
        before = logins(engine)
        page = enter(context, writing)
        page.get_by_role("link", name="User").first.click()
        page.locator("tr", has_text="grace@example.com").locator("[data-sa-name=edit]").click()
        email = page.get_by_label("Email")
        email.fill("no address")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("The e-mail address is not accepted")).to_be_visible()
        email.fill("Grace@Hopper.Example")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("grace@hopper.example")

        assert emails(engine) == ["a%b@example.com", "ada@example.com", "grace@hopper.example"]
        assert logins(engine) == before

    def test_create_with_a_relation(self, context: BrowserContext, writing: Studio, engine: Engine) -> None:
        """A row is made, and the row that it points at is looked up by its name."""
        page = enter(context, writing)
        page.goto(f"{address(writing)}/essay/create")
        page.get_by_label("Title").fill("From a browser")
        page.locator(".select2-selection").first.click()
        page.locator(".select2-search__field").last.fill("grace")
        page.get_by_role("option", name="grace@example.com").click()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()

        with orm.Session(engine) as db:
            query = sa.select(User.email).join(Essay, Essay.author_id == User.id).where(Essay.title == "From a browser")
            assert db.scalars(query).one() == "grace@example.com"

    def test_delete(self, context: BrowserContext, writing: Studio, engine: Engine) -> None:
        """A row is deleted once that was confirmed."""
        page = enter(context, writing)
        page.goto(f"{address(writing)}/user/list")
        page.locator("tr", has_text="grace@example.com").locator("[data-sa-name=delete]").click()
        expect(page.locator("#modal-action")).to_contain_text("pgauthkit.sessions: 1 row deleted")
        assert len(emails(engine)) == 3
        page.locator("#modal-action").get_by_role("button", name="Yes").click()
        expect(page.get_by_role("alert")).to_contain_text("grace@example.com")

        assert emails(engine) == ["a%b@example.com", "ada@example.com"]

    def test_what_cannot_be_deleted(self, context: BrowserContext, writing: Studio, engine: Engine) -> None:
        """A delete that the server would refuse says so and cannot be confirmed; several rows are counted together."""
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE notes (id text REFERENCES pgauthkit.users)"))
            connection.execute(sa.text("INSERT INTO notes SELECT id FROM pgauthkit.users WHERE email LIKE 'ada%'"))
        page = enter(context, writing)
        page.goto(f"{address(writing)}/user/list")
        page.locator("tr", has_text="ada@example.com").locator("[data-sa-name=delete]").click()
        modal = page.locator("#modal-action")
        expect(modal).to_contain_text("It cannot be deleted:")
        expect(modal.get_by_role("button", name="Yes")).to_be_disabled()
        modal.get_by_role("button", name="Cancel").click()
        expect(modal).to_be_hidden()
        for name in ("grace", "a%b"):
            page.locator("tr", has_text=f"{name}@example.com").locator(".row-checkbox").check()
        page.get_by_role("button", name="With selected").click()
        page.locator("#actions-dropdown").get_by_text("Delete").click()

        expect(modal).to_contain_text("pgauthkit.users: 2 rows deleted")
        expect(modal.get_by_role("button", name="Yes")).to_be_enabled()

    def test_an_empty_text(self, context: BrowserContext, writing: Studio, engine: Engine) -> None:
        """The box for an empty text is there while the field is empty, and makes the text empty."""
        page = enter(context, writing)
        page.goto(f"{address(writing)}/essay/list")
        page.locator("tr", has_text="Essay 7").locator("[data-sa-name=edit]").click()
        box = page.get_by_label("Empty text").first
        expect(box).to_be_hidden()
        expect(page.locator(".select2-selection").first).to_contain_text("@example.com")  # is fetched by a script
        page.get_by_label("Title").fill("")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("This field is required.")).to_be_visible()
        page.get_by_label("Empty text").first.check()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_be_visible()

        with orm.Session(engine) as db:
            assert db.scalar(sa.select(sa.func.count()).where(Essay.title == "")) == 1


class TestRefused:
    def test_without_the_token(self, context: BrowserContext, chromium: Browser, reading: Studio) -> None:
        """Who does not have the printed address sees nothing; nor does who opens it second."""
        enter(context, reading)
        stranger = chromium.new_context()
        page = stranger.new_page()
        statuses = [page.goto(place) for place in (f"{address(reading)}/user/list", reading.url)]
        stranger.close()

        assert [answer.status for answer in statuses if answer] == [403, 403]

    def test_a_foreign_host(self, context: BrowserContext, reading: Studio) -> None:
        """A foreign name that leads to this machine (DNS rebinding) is refused."""
        page = enter(context, reading)
        answer = page.goto(address(reading).replace("127.0.0.1", "evil.example"))

        assert answer is not None
        assert answer.status == 400

    @pytest.mark.parametrize("name", ["localhost", "127.0.0.1"])
    def test_a_form_of_another_site(self, context: BrowserContext, writing: Studio, engine: Engine, name: str) -> None:
        """A page of another site, or of another port of this machine, that sends a form writes nothing."""
        before = emails(engine)
        page = enter(context, writing)
        action = f"{address(writing)}/user/create"
        with another_site(lambda: FORM.format(action=action)) as port:
            with page.expect_response(action) as posted:
                page.goto(f"http://{name}:{port}/")
            page.wait_for_load_state()

        assert posted.value.request.method == "POST"
        assert posted.value.status == 403
        assert emails(engine) == before

    def test_a_post_without_write(self, context: BrowserContext, reading: Studio, engine: Engine) -> None:
        """Without --write even a request of a page of the studio itself, with its token, writes nothing."""
        before = emails(engine)
        page = enter(context, reading)
        status = page.evaluate(
            """async () => (await fetch("/user/create", {
                method: "POST",
                headers: {"X-CSRFToken": Cookies.get("starlette_admin_csrftoken")},
                body: new URLSearchParams({email: "e@e.example"}),
            })).status"""
        )

        assert status == 403
        assert emails(engine) == before

    def test_from_outside_of_the_browser(self, reading: Studio) -> None:
        """The port itself gives nothing to anyone who finds it."""
        assert httpx.get(f"{address(reading)}/user/list", timeout=60).status_code == 403
