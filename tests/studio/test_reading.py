"""What the studio shows: lists, search, filters, order, pages, rows with their relations, and exports."""

import csv
import json
import re

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, orm
from tests.studio.conftest import Browser

from pgauthkit.models import Session, User

HASHES = re.compile(r"hash|nonce|api_key|key-of-an-essay", re.IGNORECASE)


def shown(page: str) -> str:
    """Return a page without its scripts and their nonce, which speak of hashes of their own."""
    return re.sub(r'<script.*?</script>|nonce="[^"]*"', "", page, flags=re.DOTALL)


def keys(page: str) -> list[str]:
    """Return the keys of the rows of a list."""
    return re.findall(r'data-sa-pk="([^"]*)"', page)


def user_id(engine: Engine, name: str) -> str:
    with orm.Session(engine) as db:
        return db.scalars(sa.select(User.id).where(User.email == f"{name}@example.com")).one()


def one(engine: Engine, statement: sa.Select[str]) -> str:
    with engine.connect() as connection:
        return connection.scalars(statement).one()


def test_home(studio: Browser) -> None:
    """The first page has a card for each class whose table exists, with its count, and says that it is read only."""
    page = studio.page("/")

    assert re.findall(r'subheader">([^<]*)', page) == [
        "User",
        "Magic Link",
        "Session",
        "Rate Limit",
        "Essay",
        "Topic",
        "Motto",
        "Shape",
        "Reading",
    ]
    assert re.findall(r'h1 mb-0 mt-1"\s*>(\d+)', page)[:3] == ["3", "3", "3"]
    assert "read only" in page
    assert [model.__name__ for model in studio.studio.left_out] == ["Missing"]


class TestLists:
    @pytest.mark.parametrize(
        "key", ["user", "magic-link", "session", "rate-limit", "essay", "topic", "motto", "shape", "reading"]
    )
    def test_every_class(self, studio: Browser, key: str) -> None:
        """Every class is listed, each of its rows can be opened, and neither page has anything secret."""
        page = studio.page(f"/{key}/list")

        assert keys(page)
        for pk in keys(page):
            detail = studio.page(f"/{key}/detail", pk=pk)
            assert not HASHES.search(shown(detail))
        assert not HASHES.search(shown(page))

    def test_search(self, studio: Browser) -> None:
        """A term is looked for in every text, in whatever case, and % is no wildcard."""
        assert "grace@example.com" in studio.page("/user/list", q="GRACE")
        assert len(keys(studio.page("/user/list", q="GRACE"))) == 1
        assert len(keys(studio.page("/user/list", q="%"))) == 1
        assert keys(studio.page("/reading/list", q="2026")) == []

    @pytest.mark.parametrize(
        ("key", "condition", "count"),
        [
            ("user", "email__contains=grace", 1),
            ("user", "role__eq=ADMIN", 0),
            ("user", "email__eq=ada@example.com OR email__eq=grace@example.com", 2),
            ("magic-link", "used_at__is_null", 0),
            ("essay", "stars__lt=1 AND title__startswith=Essay", 11),
            ("essay", "author__is=nobody", 0),
            ("essay", "editor__is_null", 12),
            ("shape", "moment__between=2026-01-02T03:04..2026-01-02T03:05", 1),
        ],
    )
    def test_filter(self, studio: Browser, key: str, condition: str, count: int) -> None:
        """Rows are filtered by conditions on columns and relations; moments are in UTC."""
        assert len(keys(studio.page(f"/{key}/list", filter=condition))) == count

    def test_filter_by_row(self, studio: Browser, read_engine: Engine) -> None:
        """A relation is filtered by the row that it points at."""
        ada = user_id(read_engine, "ada")

        assert len(keys(studio.page("/session/list", filter=f"user__is={ada}"))) == 1
        assert "grace" not in studio.page("/session/list", filter=f"user__is={ada}")

    def test_order(self, studio: Browser) -> None:
        """Rows come newest first, and by a column as asked for."""
        by_email = re.findall(r"[\w%]+@example\.com", studio.page("/user/list", sort="email__desc"))

        assert list(dict.fromkeys(by_email)) == ["grace@example.com", "ada@example.com", "a%b@example.com"]
        assert keys(studio.page("/user/list")) == sorted(keys(studio.page("/user/list")), reverse=True)

    def test_pages(self, studio: Browser) -> None:
        """A list has 25 rows a page, or as many as asked for, and pages do not overlap where the order is open."""
        first, second, third = (
            keys(studio.page("/essay/list", page=page, page_size="10", sort="stars__asc")) for page in ("1", "2", "3")
        )

        assert (len(first), len(second), len(third)) == (10, 2, 0)
        assert set(first + second) == set(keys(studio.page("/essay/list")))
        assert re.search(r"selected>\s*25\s*<", studio.page("/essay/list"))

    @pytest.mark.parametrize("name", ["selector_hash", "rotation_nonce"])
    def test_secrets_answer_no_question(self, studio: Browser, name: str) -> None:
        """A secret column cannot be filtered by, is no order, and is not searched."""
        refused = studio.http.get("/session/list", params={"filter": f"{name}__is_not_null"})
        ordered = studio.page("/session/list", sort=f"{name}__asc")

        assert refused.status_code == 400
        assert keys(ordered) == keys(studio.page("/session/list"))
        assert keys(studio.page("/session/list", q="nonce-of-a-session")) == []

    def test_secrets_are_not_read(self, studio: Browser, read_engine: Engine) -> None:
        """No statement of the studio names a secret column."""
        statements: list[str] = []

        def note(*call: object) -> None:
            statements.append(str(call[2]))

        sa.event.listen(read_engine, "before_cursor_execute", note)
        try:
            for path in ("/session/list", "/magic-link/list", "/essay/list"):
                studio.page(path)
            studio.page("/user/detail", pk=user_id(read_engine, "ada"))
        finally:
            sa.event.remove(read_engine, "before_cursor_execute", note)

        assert len(statements) > 8
        assert [statement for statement in statements if HASHES.search(statement)] == []


class TestRows:
    def test_relations(self, studio: Browser, read_engine: Engine) -> None:
        """A row links to the row that it points at, and that one back to all that point at it."""
        session = one(read_engine, sa.select(Session.id).join(User).where(User.email == "ada@example.com"))
        detail = studio.page("/session/detail", pk=session)
        (there,) = re.findall(r'href="([^"]*/user/detail[^"]*)">ada@example.com<', detail)
        user = studio.page(there)
        (every,) = re.findall(r'href="([^"]*/session/list[^"]*)">All 1<', user)

        assert f">{session}<" in user
        assert keys(studio.page(every)) == [session]

    def test_a_long_relation(self, studio: Browser) -> None:
        """Of many rows the newest ten are shown, and how many there are."""
        detail = studio.page("/topic/detail", pk=keys(studio.page("/topic/list"))[0])

        assert len(re.findall(r"/essay/detail", detail)) == 10
        assert "12 in all" in detail
        assert "/motto/detail" in detail

    def test_every_kind_of_column(self, studio: Browser) -> None:
        """Values are shown as one reads them: moments in UTC, bytes as hexadecimal digits."""
        full, empty = sorted(keys(studio.page("/shape/list")), key=int)
        page = studio.page("/shape/detail", pk=full)

        for shown in ("2026-01-02 03:04:05 UTC", "01ff", "1:00:00", "2:00:00", "10.0.0.1", "1.20", "[[1, 2], [3, 4]]"):
            assert shown in page
        assert studio.page("/shape/detail", pk=empty).count("-null-") > 10

    @pytest.mark.parametrize(
        ("key", "pk"),
        [
            ("user", "nobody"),
            ("topic", "no-uuid"),
            ("shape", "1.5"),
            ("shape", "9" * 40),
            ("reading", "a"),
            ("reading", "a,b"),
            ("rate-limit", "xyz"),
            ("nothing", "1"),
            ("missing", "1"),
            ("user", ""),
        ],
    )
    def test_no_such_row(self, studio: Browser, key: str, pk: str) -> None:
        """A key that no row has, or that is none, is a page that says so."""
        assert studio.http.get(f"/{key}/detail", params={"pk": pk}).status_code == 404

    def test_values_are_text(self, studio: Browser) -> None:
        """What a row holds is never run as a script."""
        text = studio.http.get("/motto/list").text

        assert "&lt;script&gt;alert(1)" in text
        assert "<script>alert(1)" not in text


class TestExport:
    def export(self, studio: Browser, key: str, **form: str) -> httpx.Response:
        data = {"scope": "page", "format": "csv", **form}
        return studio.post(f"/_api/{key}/action", data, name="export")

    def test_csv(self, studio: Browser) -> None:
        """A list is exported as CSV, with the keys of the rows pointed at, and no formula for a spreadsheet."""
        answer = self.export(studio, "essay", scope="page")
        rows = list(csv.DictReader(answer.text.splitlines()))

        assert answer.headers["content-type"].startswith("text/csv")
        assert len(rows) == 12
        assert not HASHES.search(answer.text)
        assert not [row for row in rows if row["Title"].startswith("=")]
        assert rows[0]["Author"] in keys(studio.page("/user/list"))

    @pytest.mark.parametrize("key", ["session", "shape", "rate-limit", "reading"])
    def test_json(self, studio: Browser, key: str) -> None:
        """Every class is exported as JSON as well, without what is secret, even when asked for it."""
        answer = self.export(studio, key, format="json", fields="rotation_nonce")

        assert json.loads(answer.text)
        assert not HASHES.search(answer.text)

    def test_relation_lookup(self, studio: Browser) -> None:
        """What a form asks for, to choose a row by its name, has the name and nothing else of the row."""
        found = studio.http.get("/_api/user/relation-lookup", params={"q": "grace"}).json()

        assert found["total"] == 1
        assert found["items"][0]["_meta"]["select2"]["result"] == "<span>grace@example.com</span>"
        assert set(found["items"][0]) == {"id", "_meta"}
