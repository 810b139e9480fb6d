"""Models as they are found in the field: odd keys, inheritance, deferred and computed columns, links, other schemas."""

import re
from collections.abc import Iterator
from datetime import UTC, date, datetime, time
from decimal import Decimal
from enum import Enum
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, orm
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
)
from sqlalchemy.types import UserDefinedType
from tests.studio.conftest import Browser, served
from tests.studio.test_writing import Forms, edit, errors

from pgauthkit.database import create_engine
from pgauthkit.testing import TestServer


class OddBase(DeclarativeBase):
    """A host's base."""


class Point:
    """A value of two columns."""

    def __init__(self, x: int, y: int) -> None:
        self.x, self.y = x, y

    def __composite_values__(self) -> tuple[int, int]:
        """Return the columns."""
        return self.x, self.y


class Person(OddBase):
    """What a mapping can have besides columns."""

    __tablename__ = "persons"
    __table_args__ = {"schema": "other"}  # noqa: RUF012 - SQLAlchemy's

    number: Mapped[int] = mapped_column("personNumber", sa.Identity(), primary_key=True)
    first: Mapped[str] = mapped_column("firstName")
    last: Mapped[str]
    pin: Mapped[str] = mapped_column(default="pin-of-a-person", info={"secret": True})
    title: Mapped[str] = mapped_column(default="Dr", deferred=True, deferred_raiseload=True)
    x: Mapped[int] = mapped_column(default=1)
    y: Mapped[int] = mapped_column(default=2)
    version: Mapped[int] = mapped_column()

    place: Mapped[Point] = composite(Point, "x", "y")
    surname = synonym("last")
    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's

    @hybrid_property
    def shout(self) -> str:
        """What only Python computes."""
        return self.last.upper()


Person.full = column_property(Person.first + " " + Person.last)
Person.leak = column_property(sa.func.upper(Person.pin))


class Animal(OddBase):
    """The first table of a joined inheritance, and the only one of another."""

    __tablename__ = "animals"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str]
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012 - SQLAlchemy's


class Dog(Animal):
    """A table of its own."""

    __tablename__ = "dogs"

    id: Mapped[int] = mapped_column(sa.ForeignKey(Animal.id, ondelete="CASCADE"), primary_key=True)
    tail: Mapped[str]
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012 - SQLAlchemy's


class Cat(Animal):
    """Columns in the table of another."""

    claws: Mapped[int | None]
    __mapper_args__ = {"polymorphic_identity": "cat"}  # noqa: RUF012 - SQLAlchemy's


class Size(Enum):
    """An enum whose values are no texts."""

    SMALL = 1
    LARGE = 2


class Label(UserDefinedType[str]):
    """A type of which SQLAlchemy knows nothing."""

    cache_ok = True

    def get_col_spec(self, **_: object) -> str:
        """Return the name of the type."""
        return "text"


class ByMoment(OddBase):
    """A point in time as the key."""

    __tablename__ = "by_moment"

    at: Mapped[datetime] = mapped_column(sa.DateTime(timezone=True), primary_key=True)
    until: Mapped[datetime] = mapped_column(sa.DateTime)
    day: Mapped[date]
    size: Mapped[Size] = mapped_column(sa.Enum(Size, native_enum=False))
    price: Mapped[Decimal | None] = mapped_column(sa.Numeric(10, 2))
    clock: Mapped[time | None]
    counts: Mapped[list[int] | None] = mapped_column(sa.ARRAY(sa.Integer))


class ByEnum(OddBase):
    """An enum, bytes and a type of the host's own as the key."""

    __tablename__ = "by_enum"

    size: Mapped[Size] = mapped_column(sa.Enum(Size, native_enum=False), primary_key=True)
    digest: Mapped[bytes] = mapped_column(primary_key=True)
    label: Mapped[str] = mapped_column(Label, primary_key=True)
    note: Mapped[str | None]


class ByBytes(OddBase):
    """Bytes alone as the key."""

    __tablename__ = "by_bytes"

    digest: Mapped[bytes] = mapped_column(primary_key=True)
    note: Mapped[str | None]


class Group(OddBase):
    """One end of a link."""

    __tablename__ = "groups"

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(deferred=True, deferred_raiseload=True)
    members: Mapped[list["Membership"]] = relationship(back_populates="group", lazy="raise")


class Membership(OddBase):
    """Links a person and a group, and no more."""

    __tablename__ = "memberships"

    person_number: Mapped[int] = mapped_column(sa.ForeignKey(Person.number, ondelete="CASCADE"), primary_key=True)
    group_id: Mapped[int] = mapped_column(sa.ForeignKey(Group.id), primary_key=True)
    since: Mapped[datetime] = mapped_column(server_default=sa.func.now())

    person: Mapped[Person] = relationship(lazy="raise")
    group: Mapped[Group] = relationship(back_populates="members", lazy="raise")


class Payment(OddBase):
    """Points at a link."""

    __tablename__ = "payments"
    __table_args__ = (
        sa.ForeignKeyConstraint(
            ["person_number", "group_id"],
            [Membership.person_number, Membership.group_id],
            ondelete="SET NULL",
        ),
    )

    id: Mapped[int] = mapped_column(sa.Identity(), primary_key=True)
    person_number: Mapped[int | None]
    group_id: Mapped[int | None]

    membership: Mapped[Membership | None] = relationship(lazy="raise")


class Everyone(OddBase):
    """A class of a join."""

    __table__ = sa.join(Animal.__table__, Dog.__table__, Animal.__table__.c.id == Dog.__table__.c.id)
    id = column_property(Animal.__table__.c.id, Dog.__table__.c.id)


MODELS = (
    Person,
    Animal,
    Dog,
    Cat,
    ByMoment,
    ByEnum,
    ByBytes,
    Group,
    Membership,
    Payment,
    Everyone,
)
KEYS = (
    "person",
    "animal",
    "dog",
    "cat",
    "by-moment",
    "by-enum",
    "by-bytes",
    "group",
    "membership",
    "payment",
    "everyone",
)
MOMENT = datetime(2026, 1, 2, 3, 4, 5, 678901, UTC)
LONG = "5 MB: " + "x" * 5_000_000


def fill(engine: Engine) -> None:
    """Make a row of each class, and one of each value that Python has no object for."""
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA other"))
    OddBase.metadata.create_all(engine)
    with orm.Session(engine) as db, db.begin():
        ada, maths = Person(first="Ada", last="L.", place=Point(1, 2)), Group(name="Maths")
        db.add_all([ada, maths, Animal(name="Some"), Dog(name=LONG, tail=""), Cat(name="Tom", claws=18)])
        db.flush()
        link = Membership(person_number=ada.number, group_id=maths.id)
        db.add_all([link, Payment(membership=link)])
        db.add(ByMoment(at=MOMENT, until=MOMENT.replace(tzinfo=None), day=MOMENT.date(), size=Size.LARGE))
        db.add(ByEnum(size=Size.SMALL, digest=b"\x01,\xff", label="a,b"))
        db.add(ByBytes(digest=b"\x00\xff", note=""))
    with engine.begin() as connection:
        for values in (
            "'infinity', '-infinity', 'infinity'",
            "'-infinity', '0044-03-15 BC', '10000-01-01'",
            "'0044-03-15 BC', '10000-01-01', '2026-01-01'",
        ):
            connection.execute(sa.text(f"INSERT INTO by_moment VALUES ({values}, 'SMALL', 1, '24:00', '{{1,2}}')"))  # noqa: S608


@pytest.fixture(scope="module")
def odd_engine(pgauthkit_server: TestServer) -> Iterator[Engine]:
    """A database with odd tables, whose rows each test leaves as they are, or makes anew."""
    with pgauthkit_server.database() as url:
        engine = create_engine(url)
        fill(engine)
        yield engine
        engine.dispose()


@pytest.fixture(scope="module")
def odd(odd_engine: Engine) -> Iterator[Browser]:
    """The studio on it, to be written with, entered."""
    with served(odd_engine, *MODELS, write=True) as browser:
        yield browser.enter()


def keys(page: str) -> list[str]:
    return re.findall(r'data-sa-pk="([^"]*)"', page)


def row(engine: Engine, model: type[Any], **equals: object) -> Any:  # noqa: ANN401 - of any class
    with orm.Session(engine) as db:
        return db.scalars(sa.select(model).filter_by(**equals)).one()


class TestPages:
    @pytest.mark.parametrize("key", KEYS)
    def test_every_mapping(self, odd: Browser, key: str) -> None:
        """Every class is listed and each row opened, however it is mapped and keyed; pages stay small."""
        page = odd.page(f"/{key}/list")

        assert keys(page)
        assert len(page) < 500_000
        for pk in keys(page):
            detail = odd.page(f"/{key}/detail", pk=pk)
            assert len(detail) < 500_000
            assert not re.search("pin-of-a-person", page + detail, re.IGNORECASE)

    @pytest.mark.parametrize("key", KEYS)
    def test_unchanged(self, odd: Browser, odd_engine: Engine, key: str) -> None:
        """A form that is saved as it came writes nothing, whatever stands in it."""
        statements: list[str] = []

        def note(*call: object) -> None:
            statements.append(str(call[2]))

        sa.event.listen(odd_engine, "before_cursor_execute", note)
        try:
            pages = [edit(odd, key, pk) for pk in keys(odd.page(f"/{key}/list"))]
        finally:
            sa.event.remove(odd_engine, "before_cursor_execute", note)

        assert [errors(page) for page in pages] == [[]] * len(pages)
        assert [statement for statement in statements if statement.startswith("UPDATE")] == []
        assert not re.search("pin", " ".join(statements))

    def test_computed(self, odd: Browser, odd_engine: Engine) -> None:
        """What is computed in SQL is shown and not asked for; what is computed from a secret is neither."""
        (pk,) = keys(odd.page("/person/list"))
        detail, form = odd.page("/person/detail", pk=pk), odd.page("/person/edit", pk=pk)

        assert "Ada L." in detail
        assert row(odd_engine, Person).shout == "L."
        assert "Leak" not in detail
        assert not {"full", "version", "number"} & Forms(form).values.keys()

    def test_links(self, odd: Browser) -> None:
        """A row that only links two others is called by them, and on the page of one by the other."""
        (group,) = keys(odd.page("/group/list"))
        payments = odd.page("/payment/list")
        members = odd.page("/group/detail", pk=group)

        assert re.search(r"membership/detail[^>]*>\s*Dr / Maths\s*<", payments)
        assert re.search(r"membership/detail[^>]*>\s*Dr\s*<", members)

    def test_what_python_does_not_know(self, odd: Browser) -> None:
        """Dates and times out of Python's range are shown as the server writes them."""
        page = odd.page("/by-moment/list")

        assert len(keys(page)) == 4
        for text in (
            "infinity",
            "-infinity",
            "0044-03-15 00:00:00 BC",
            "10000-01-01",
            "24:00:00",
            "2026-01-02 03:04:05 UTC",
        ):
            assert re.search(rf">\s*{re.escape(text)}\s*<", page)

    @pytest.mark.parametrize(
        ("key", "pk"), [("by-enum", "HUGE,01,a"), ("by-moment", "soon"), ("by-bytes", "x"), ("by-enum", "SMALL")]
    )
    def test_no_such_key(self, odd: Browser, key: str, pk: str) -> None:
        """A text that is no key of its type is one that no row has, and the page says so."""
        answer = odd.http.get(f"/{key}/detail", params={"pk": pk})

        assert answer.status_code == 404
        assert "There is no such row, or the studio does not show such a table." in answer.text

    def test_the_lookup_of_a_form(self, odd: Browser) -> None:
        """A row to point at is looked up by any key, and called by its name."""
        found = odd.http.get("/_api/membership/relation-lookup").json()["items"]

        assert [item["_meta"]["repr"] for item in found] == ["Dr / Maths"]


class TestValues:
    def test_inheritance(self, odd: Browser, odd_engine: Engine) -> None:
        """A row of a subclass is made in each of its tables, and told apart by SQLAlchemy."""
        assert odd.post("/dog/create", {"name": "Rex", "tail": "curly"}).status_code == 303
        assert odd.post("/cat/create", {"name": "Kit", "claws": "3"}).status_code == 303

        assert (row(odd_engine, Dog, name="Rex").kind, row(odd_engine, Cat, name="Kit").kind) == ("dog", "cat")
        for key, name in (("dog", "Rex"), ("cat", "Kit")):
            (pk,) = keys(odd.page(f"/{key}/list", filter=f"name__eq={name}"))
            assert odd.post(f"/_api/{key}/row-action", name="delete", pk=pk).status_code == 200

    def test_a_version(self, odd: Browser, odd_engine: Engine) -> None:
        """A change counts up the version, which no form asks for."""
        (pk,) = keys(odd.page("/person/list"))
        before = row(odd_engine, Person).version
        assert errors(edit(odd, "person", pk, x=str(before + 5))) == []

        assert row(odd_engine, Person).version == before + 1

    @pytest.mark.parametrize("box", [True, False])
    def test_an_empty_text_or_null(self, odd: Browser, odd_engine: Engine, *, box: bool) -> None:
        """An empty field is NULL, or with its box ticked the empty text; either is shown as it is."""
        digest = b"empty" if box else b"null"
        form = {"digest": ""} | ({"note:empty": "on"} if box else {})
        with orm.Session(odd_engine) as db, db.begin():
            db.add(ByBytes(digest=digest, note="x"))
        edit(odd, "by-bytes", digest.hex(), note="", **form)

        assert row(odd_engine, ByBytes, digest=digest).note == ("" if box else None)
        shown = odd.page("/by-bytes/edit", pk=digest.hex())
        assert ("note:empty" in Forms(shown).values) == box

    def test_an_empty_text_where_there_must_be_one(self, odd: Browser, odd_engine: Engine) -> None:
        """Where NULL cannot be, an empty field is refused, and the empty text asked for by its box."""
        (pk,) = keys(odd.page("/dog/list"))

        assert errors(edit(odd, "person", keys(odd.page("/person/list"))[0], title="")) == ["This field is required."]
        assert errors(edit(odd, "dog", pk, **{"tail:empty": "on"})) == []
        assert row(odd_engine, Dog).tail == ""

    def test_a_long_text(self, odd: Browser, odd_engine: Engine) -> None:
        """A text of megabytes is not sent to a form, and kept by it."""
        (pk,) = keys(odd.page("/dog/list"))
        form = odd.page("/dog/edit", pk=pk)
        edit(odd, "dog", pk, tail="long")

        assert "Too long to be changed here" in form
        assert len(form) < 500_000
        changed = row(odd_engine, Dog)
        assert (changed.tail, len(changed.name)) == ("long", len(LONG))
        edit(odd, "dog", pk, tail="", **{"tail:empty": "on"})

    @pytest.mark.parametrize(
        ("changes", "sentence"),
        [
            ({"price": "5.005"}, "The value for by_moment.price is out of the range or the scale of numeric(10, 2)."),
            ({"price": "five"}, "This is no value of the type NUMERIC(10, 2)."),
            ({"counts.1": "two"}, "This is no value of the type INTEGER[]."),
            ({"counts.1": "99999999999"}, "The value for by_moment.counts is out of the range of 32 bits."),
            ({"day": "soon"}, "This is no value of the type DATE."),
            ({"until": "soon"}, "This is no value of the type TIMESTAMP WITHOUT TIME ZONE."),
            ({"size": "3"}, "The value for by_moment.size is none of SMALL, LARGE."),
        ],
    )
    def test_what_does_not_fit(self, odd: Browser, odd_engine: Engine, changes: dict[str, str], sentence: str) -> None:
        """What a repository refuses is refused, and what is no value of the type is not taken for NULL."""
        before = row(odd_engine, ByMoment, at=MOMENT)
        page = edit(odd, "by-moment", str(MOMENT), **changes)
        after = row(odd_engine, ByMoment, at=MOMENT)

        assert errors(page) == [sentence]
        assert (after.price, after.counts, after.day, after.size) == (None, before.counts, before.day, Size.LARGE)

    def test_what_fits(self, odd: Browser, odd_engine: Engine) -> None:
        """A member of an enum of numbers, a date without end and a number are written as they are."""
        moment = MOMENT.replace(year=2027)
        with orm.Session(odd_engine) as db, db.begin():
            db.add(ByMoment(at=moment, until=moment.replace(tzinfo=None), day=moment.date(), size=Size.LARGE))
        page = edit(odd, "by-moment", str(moment), size="1", price="5.05", day="infinity", counts="")
        with odd_engine.begin() as connection:
            found = connection.execute(
                sa.text("DELETE FROM by_moment WHERE at = :at RETURNING size, price, day::text, counts"), {"at": moment}
            ).one()

        assert errors(page) == []
        assert tuple(found) == ("SMALL", Decimal("5.05"), "infinity", None)
