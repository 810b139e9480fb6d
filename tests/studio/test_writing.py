"""What the studio writes with `--write`: rows made, changed and deleted, and refusals told beside their field."""

import json
import re
from html import unescape
from html.parser import HTMLParser
from typing import Any

import httpx
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, orm
from sqlalchemy.dialects.postgresql import HSTORE
from tests.studio.conftest import MOMENT, Browser, Colour, Essay, Motto, Reading, Shape, Topic

from pgauthkit.models import MagicLink, Session, User
from pgauthkit.studio.edits import cleaned

Form = dict[str, list[str]]
NOTE = """
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql SET search_path = public AS
    'BEGIN INSERT INTO log VALUES (1); UPDATE log SET n = 2; RETURN OLD; END'
"""


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


class TestDocuments:
    @pytest.mark.parametrize(
        ("written", "found"),
        [
            ('{"n": 12345678901234567890}', '{"n": 12345678901234567890}'),
            ("[]", "[]"),
            ("true", "true"),
            ("null", "null"),
            ("", None),
        ],
    )
    def test_json(self, writing: Browser, engine: Engine, written: str, found: str | None) -> None:
        """JSON is written as it was entered, its null and that of SQL apart, and kept where a form is saved again."""
        shape = row(engine, Shape, level="low")
        for changes in ({"document": written}, {}):
            assert errors(edit(writing, "shape", shape.id, **changes)) == []
            with engine.connect() as connection:
                query = sa.text("SELECT document::text FROM shapes WHERE id = :id")
                assert connection.scalar(query, {"id": shape.id}) == found

    @pytest.mark.parametrize(("before", "after"), [("1", "true"), ("{}", "[]"), ("[1]", "[true]")])
    def test_what_python_takes_for_equal(self, writing: Browser, engine: Engine, before: str, after: str) -> None:
        """A document that is another one only in its types is written."""
        shape = row(engine, Shape, level="low")
        for text in (before, after):
            edit(writing, "shape", shape.id, document=text)

        assert json.dumps(row(engine, Shape, id=shape.id).document) == after

    @pytest.mark.parametrize(
        ("text", "sentence"), [("{", "This is no JSON: Expecting"), ('"\\u0000"', "The value for shapes.document")]
    )
    def test_what_is_none(self, writing: Browser, engine: Engine, text: str, sentence: str) -> None:
        """A text that is no JSON, or none that can be stored, is refused, and stands in the form for another try."""
        shape = row(engine, Shape, level="low")
        page = edit(writing, "shape", shape.id, document=text)

        assert [told.startswith(sentence) for told in errors(unescape(page))] == [True]
        assert Forms(page).values["document"] == [text]
        assert row(engine, Shape, id=shape.id).document == {"a": [1]}

    @pytest.mark.parametrize(("text", "pairs"), [('{"k": null}', {"k": None}), ("null", None), (None, None)])
    def test_pairs(self, text: str | None, pairs: dict[str, str | None] | None) -> None:
        """An hstore is entered as JSON too, and knows no null but that of SQL."""
        assert cleaned(text, [], sa.Column("pairs", HSTORE())) == pairs

    def test_flags(self, writing: Browser, engine: Engine) -> None:
        """A flag that may be NULL is true, false or NULL."""
        shape = row(engine, Shape, level="low")
        for text, flag in (("", None), ("false", False), ("true", True)):
            edit(writing, "shape", shape.id, flag=text)
            assert row(engine, Shape, id=shape.id).flag is flag

    def test_a_form_without_a_field(self, writing: Browser, engine: Engine) -> None:
        """What a form does not have stays as it is: nothing is emptied by what was not sent."""
        essay = row(engine, Essay, title="=1+1")
        answer = writing.post("/essay/edit", {"stars": "3", "author": essay.author_id}, pk=essay.id)
        changed = row(engine, Essay, id=essay.id)

        assert answer.status_code == 303
        assert (changed.title, changed.stars) == ("=1+1", 3)

    def test_no_such_row_to_point_at(self, writing: Browser, engine: Engine) -> None:
        """A row that does not exist is refused also where there need be none."""
        essay = row(engine, Essay, title="=1+1")

        assert errors(edit(writing, "essay", essay.id, editor="nobody")) == ["There is no such row."]

    def test_a_deferred_constraint(self, writing: Browser, engine: Engine) -> None:
        """What a constraint refuses that waits for the end of the transaction is a sentence of the form as well."""
        topic = row(engine, Topic, name="Logic")
        with engine.begin() as connection:
            connection.execute(sa.text("ALTER TABLE topics ADD UNIQUE (name) DEFERRABLE INITIALLY DEFERRED"))
            connection.execute(sa.text("ALTER TABLE topics DROP CONSTRAINT topics_name_key"))
            connection.execute(sa.text("INSERT INTO topics VALUES (gen_random_uuid(), 'Sums')"))
        (told,) = errors(edit(writing, "topic", topic.id, name="Sums"))

        assert told.startswith("A row with the same unique key exists already")


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

    def test_why_not(self, writing: Browser) -> None:
        """The page that refuses to make a row says which columns are the reason."""
        page = unescape(writing.http.get("/session/create").text)

        assert "No form can make a row here" in page
        assert "sessions.selector_hash" in page


class TestRehearsal:
    def rehearse(self, writing: Browser, key: str, pk: object) -> httpx.Response:
        """Ask what a delete would change, as a page does before it asks whether to go on."""
        return writing.post(f"/_api/{key}/row-action", name="delete", rehearsal="1", pk=str(pk))

    def test_a_user(self, writing: Browser, engine: Engine) -> None:
        """What goes with a row is counted by table, what loses its reference as well, and nothing is changed."""
        ada = row(engine, User, email="ada@example.com")
        with engine.begin() as connection:
            connection.execute(
                sa.text('CREATE TABLE "Notes" (user_id text REFERENCES pgauthkit.users ON DELETE CASCADE)')
            )
            connection.execute(sa.text('INSERT INTO "Notes" SELECT id FROM pgauthkit.users'))
        answer = self.rehearse(writing, "user", ada.id)

        assert answer.json()["sentences"] == [
            "pgauthkit.users: 1 row deleted",
            "essay_topics: 12 rows deleted",
            "essays: 12 rows deleted",
            '"Notes": 1 row deleted',
            "pgauthkit.devices: 1 row deleted",
            "pgauthkit.sessions: 1 row deleted",
            "pgauthkit.magic_links: 1 row changed: the reference is set to NULL, or to its default",
        ]
        assert len(rows(engine, Essay)) == 12
        assert rows(engine, User, id=ada.id)

    def test_triggers_and_partitions(self, writing: Browser, engine: Engine) -> None:
        """What triggers do is counted too, and a partition under the name of its table."""
        with engine.begin() as connection:
            for statement in (
                "CREATE TABLE parts (id text REFERENCES pgauthkit.users ON DELETE CASCADE) PARTITION BY HASH (id)",
                "CREATE TABLE part PARTITION OF parts FOR VALUES WITH (MODULUS 1, REMAINDER 0)",
                "INSERT INTO parts SELECT id FROM pgauthkit.users",
                "CREATE TABLE log (n int)",
                "INSERT INTO log VALUES (0)",
                NOTE,
                "CREATE TRIGGER note AFTER DELETE ON parts FOR EACH ROW EXECUTE FUNCTION note()",
            ):
                connection.execute(sa.text(statement))
        found = self.rehearse(writing, "user", row(engine, User, email="grace@example.com").id).json()["sentences"]

        assert {"parts: 1 row deleted", "log: 2 rows changed", "log: 1 row added"} <= {*found}

    def test_several(self, writing: Browser, engine: Engine) -> None:
        """Several rows are counted together."""
        pks = [user.id for user in rows(engine, User)]
        query = [("name", "delete"), ("rehearsal", "1"), *(("pks", pk) for pk in pks)]
        token = writing.http.cookies["starlette_admin_csrftoken"]
        answer = writing.http.post(
            "/_api/user/action", params=query, headers={"Sec-Fetch-Site": "same-origin", "X-CSRFToken": token}
        )

        assert answer.json()["sentences"][0] == "pgauthkit.users: 3 rows deleted"
        assert len(rows(engine, User)) == 3

    def test_a_refusal(self, writing: Browser, engine: Engine) -> None:
        """A delete that the server would refuse is refused before it is confirmed, with the reason."""
        essay = row(engine, Essay, title="Essay 1")
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE notes (id text REFERENCES essays INITIALLY DEFERRED)"))
            connection.execute(sa.text("INSERT INTO notes SELECT id FROM essays"))
        answer = self.rehearse(writing, "essay", essay.id)

        assert answer.status_code == 200
        assert answer.json()["refused"].startswith("A row that is referred to does not exist, or is still referred to")

    def test_a_server_that_does_not_count(self, writing: Browser, engine: Engine) -> None:
        """Where the server counts no changes it is said that what goes with the row is not known."""
        with engine.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
            name = connection.dialect.identifier_preparer.quote(str(engine.url.database))
            connection.execute(sa.text(f"ALTER DATABASE {name} SET track_counts = off"))
        engine.dispose()
        (told,) = self.rehearse(writing, "essay", row(engine, Essay, title="Essay 1").id).json()["sentences"]

        assert told.startswith("The server does not count changes")


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
