"""What the studio writes with `--write`: rows made, changed and deleted, and refusals told beside their field."""

import json
import re
from html.parser import HTMLParser
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, orm
from tests.studio.conftest import MOMENT, Browser, Colour, Essay, Motto, Reading, Shape, Topic

from pgauthkit.models import MagicLink, Session, User

Form = dict[str, list[str]]


class Forms(HTMLParser):
    """Reads what a browser would send of the form of a page, if nobody changed anything."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.values: Form = {}
        self._select = self._text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        name, value = found.get("name") or "", found.get("value") or ""
        if tag == "input" and found.get("type") == "checkbox":
            self._add(name, "on", sent="checked" in found)
        elif tag == "input":
            self._add(name, value, sent=bool(name))
        elif tag == "select":
            self._select = name
            for pk in json.loads(found.get("data-initial") or "[]"):
                self._add(name, pk)
        elif tag == "option":
            self._add(self._select, value, sent="selected" in found)
        elif tag == "textarea":
            self._text = name
            self._add(name, "")

    def handle_endtag(self, tag: str) -> None:
        if tag == "textarea":
            self._text = ""

    def handle_data(self, data: str) -> None:
        if self._text:
            self.values[self._text][-1] += data.removeprefix("\n").replace("\n", "\r\n")

    def _add(self, name: str, value: str, *, sent: bool = True) -> None:
        if sent:
            self.values.setdefault(name, []).append(value)


def rows(engine: Engine, model: type[Any], **equals: object) -> list[Any]:
    with orm.Session(engine) as db:
        return list(db.scalars(sa.select(model).filter_by(**equals)))


def row(engine: Engine, model: type[Any], **equals: object) -> Any:  # noqa: ANN401 - of any class
    (found,) = rows(engine, model, **equals)
    return found


def edit(browser: Browser, key: str, pk: object, **changes: str) -> str:
    """Open a row's form, change what is given, save, and return the page that comes."""
    page = browser.http.get(f"/{key}/edit", params={"pk": str(pk)})
    assert page.status_code == 200
    form = Forms(page.text).values | {name: [value] for name, value in changes.items()}
    answer = browser.post(f"/{key}/edit", form, pk=str(pk))
    assert answer.status_code in {303, 422}, answer.text
    return answer.text


def errors(page: str) -> list[str]:
    """Return the sentences beside the fields of a form."""
    return re.findall(r'class="invalid-feedback"[^>]*>([^<]*)<', page)


class TestEdit:
    def test_a_change(self, writing: Browser, engine: Engine) -> None:
        """A change is written, canonical where the model says so, and the row says when."""
        ada = row(engine, User, email="ada@example.com")
        edit(writing, "user", ada.id, email="Ada@Lovelace.Example", role="ADMIN")
        changed = row(engine, User, id=ada.id)

        assert (changed.email, changed.role.value) == ("ada@lovelace.example", "ADMIN")
        assert changed.updated_at > ada.updated_at
        assert changed.last_login_at == ada.last_login_at

    @pytest.mark.parametrize("key", ["user", "session", "magic-link", "essay", "shape", "topic", "reading", "motto"])
    def test_no_change(self, writing: Browser, engine: Engine, key: str) -> None:
        """A form that is saved unchanged writes nothing: no fraction of a second and no NULL is lost."""
        statements: list[str] = []

        def note(*call: object) -> None:
            statements.append(str(call[2]))

        sa.event.listen(engine, "before_cursor_execute", note)
        for pk in re.findall(r'data-sa-pk="([^"]*)"', writing.page(f"/{key}/list")):
            edit(writing, key, pk)

        assert len(statements) > 2
        assert [statement for statement in statements if statement.startswith("UPDATE")] == []

    def test_one_column_alone(self, writing: Browser, engine: Engine) -> None:
        """Only what was changed is written, and a secret column keeps what it has."""
        essay = row(engine, Essay, title="=1+1")
        edit(writing, "essay", essay.id, title="Two\r\nlines", api_key="stolen")
        changed = row(engine, Essay, id=essay.id)

        assert changed.title == "Two\nlines"
        assert changed.api_key == "key-of-an-essay"

    def test_values_of_every_kind(self, writing: Browser, engine: Engine) -> None:
        """Each kind of column takes a new value; an empty field is NULL; what is only shown stays."""
        shape = row(engine, Shape, level="low")
        values = {
            "text": "",
            "colour": "blue",
            "level": "high",
            "price": "2.50",
            "day": "2026-02-03",
            "document": '{"b": 2}',
            "moment": "2026-02-03T04:05:06",
            "local": "2026-02-03T04:05:06",
            "blob": "00",
            "upper": "X",
        }
        assert errors(edit(writing, "shape", shape.id, **values)) == []
        changed = row(engine, Shape, id=shape.id)

        assert (changed.text, changed.colour, changed.level) == (None, Colour.BLUE, "high")
        assert (str(changed.price), str(changed.day), changed.document) == ("2.50", "2026-02-03", {"b": 2})
        assert changed.moment.isoformat() == "2026-02-03T04:05:06+00:00"
        assert changed.local.isoformat() == "2026-02-03T04:05:06"
        assert (changed.blob, changed.upper, changed.clock) == (b"\x01\xff", "U", MOMENT.time())

    def test_the_row_pointed_at(self, writing: Browser, engine: Engine) -> None:
        """A row is made to point at another, or at none."""
        essay, grace = row(engine, Essay, title="Essay 1"), row(engine, User, email="grace@example.com")
        edit(writing, "essay", essay.id, author=grace.id, editor=grace.id)
        assert row(engine, Essay, id=essay.id).author_id == grace.id

        edit(writing, "essay", essay.id, editor="")
        assert row(engine, Essay, id=essay.id).editor_id is None

    @pytest.mark.parametrize(
        ("model", "changes", "sentence"),
        [
            (User, {"email": "no address"}, "The e-mail address is not accepted"),
            (User, {"email": "grace@example.com"}, "A row with the same unique key exists already"),
            (User, {"email": ""}, "This field is required."),
            (Essay, {"stars": "6"}, "A value was refused by a CHECK constraint"),
            (Essay, {"stars": "99999999999"}, "The value for essays.stars is out of the range of 32 bits"),
            (Essay, {"author": "nobody"}, "A column that must have a value was given none"),
            (Topic, {"name": "n" * 21}, "The value for topics.name is longer than 20 characters"),
        ],
    )
    def test_a_refusal(
        self, writing: Browser, engine: Engine, model: type[Any], changes: dict[str, str], sentence: str
    ) -> None:
        """What the model or the server refuses is a sentence beside a field, and nothing is written."""
        before = rows(engine, model)[0]
        (told,) = errors(edit(writing, model.__name__.lower(), before.id, **changes))

        assert told.startswith(sentence)
        assert not re.search("DETAIL|grace|SELECT|UPDATE", told)
        columns = sa.inspect(model).columns.keys()
        after = row(engine, model, id=before.id)
        assert [getattr(after, key) for key in columns] == [getattr(before, key) for key in columns]


class TestCreate:
    def test_a_user(self, writing: Browser, engine: Engine) -> None:
        """A row is made with the defaults of its model and of the database."""
        page = writing.http.get("/user/create").text
        answer = writing.post("/user/create", Forms(page).values | {"email": ["New@Example.com"]})
        made = row(engine, User, email="new@example.com")

        assert answer.status_code == 303
        assert (made.role.value, made.is_active, made.last_login_at) == ("USER", True, None)
        assert made.created_at == made.updated_at

    def test_keys_without_default(self, writing: Browser, engine: Engine) -> None:
        """Where nothing makes the key, the form asks for it."""
        form = {"sensor": "s", "at": "2026-01-01T00:00:00", "value": "7"}

        assert writing.post("/reading/create", form).status_code == 303
        assert row(engine, Reading, sensor="s").value == 7

    def test_rows_of_a_relation(self, writing: Browser, engine: Engine) -> None:
        """A row that must point at another is made with it."""
        ada = row(engine, User, email="ada@example.com")
        assert writing.post("/essay/create", {"title": "New", "author": ada.id}).status_code == 303
        topic = writing.post("/topic/create", {"name": "Sums"})

        assert row(engine, Essay, title="New").stars == 0
        assert topic.status_code == 303
        sums = row(engine, Topic, name="Sums")
        assert writing.post("/motto/create", {"words": "Add.", "topic": str(sums.id)}).status_code == 303
        assert row(engine, Motto, words="Add.").topic_id == sums.id

    @pytest.mark.parametrize("key", ["session", "magic-link", "rate-limit"])
    def test_what_no_form_can_make(self, writing: Browser, key: str) -> None:
        """Where a column must have what no form asks for, such as a hash, no row can be made."""
        assert writing.http.get(f"/{key}/create").status_code == 403
        assert f"/{key}/create" not in writing.page(f"/{key}/list")


class TestDelete:
    def test_a_user(self, writing: Browser, engine: Engine) -> None:
        """A user is deleted with the sessions, as the database has it; the links stay, without their user."""
        grace = row(engine, User, email="grace@example.com")
        answer = writing.post("/_api/user/row-action", name="delete", pk=grace.id)

        assert answer.status_code == 200
        assert rows(engine, Session, user_id=grace.id) == []
        assert [link.user_id for link in rows(engine, MagicLink, email="grace@example.com")] == [None]

    def test_several(self, writing: Browser, engine: Engine) -> None:
        """Several rows are deleted at once."""
        pks = re.findall(r'data-sa-pk="([^"]*)"', writing.page("/reading/list"))
        query = [("name", "delete"), *(("pks", pk) for pk in pks)]
        token = writing.http.cookies["starlette_admin_csrftoken"]
        answer = writing.http.post(
            "/_api/reading/action", params=query, headers={"Sec-Fetch-Site": "same-origin", "X-CSRFToken": token}
        )

        assert answer.status_code == 200
        assert rows(engine, Reading) == []

    def test_a_refusal(self, writing: Browser, engine: Engine) -> None:
        """A row that others point at stays, and the sentence says why."""
        topic = row(engine, Topic, name="Logic")
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE notes (topic_id uuid REFERENCES topics)"))
            connection.execute(sa.text("INSERT INTO notes SELECT id FROM topics"))
            connection.execute(sa.delete(Motto))
        answer = writing.post("/_api/topic/row-action", name="delete", pk=str(topic.id))

        assert answer.status_code == 400
        assert answer.json()["msg"].startswith("A row that is referred to does not exist, or is still referred to")
        assert rows(engine, Topic, id=topic.id)
