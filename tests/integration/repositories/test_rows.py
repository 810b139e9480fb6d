"""Rows on an engine: in which form they come, and what code makes objects of them."""

import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, cast

import pytest
from psycopg.adapt import Loader
from psycopg.pq import Format
from psycopg.types.enum import EnumInfo, register_enum
from sqlalchemy import DateTime, Engine, ForeignKey, Text, event, inspect, orm, text
from sqlalchemy.orm import DeclarativeBase, Mapped, backref, mapped_column, relationship
from tests.integration.repositories.conftest import engine_work

from pgauthkit.database import create_engine
from pgauthkit.database.results.binary import Binary
from pgauthkit.repositories import Repository
from pgauthkit.repositories.generic.description import describe
from pgauthkit.repositories.generic.plans.known import plans_of

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


class Host(DeclarativeBase): ...


class Mood(StrEnum):
    glad = "glad"
    sad = "sad"


class Named:
    """A mixin without a dictionary of its own, and with a name that a column has as well."""

    __slots__ = ()

    title: Any = property(str)


class Letter(Named, Host):
    __tablename__ = "letters"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    mood: Mapped[Mood] = mapped_column(server_default="sad")
    sent_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))

    locals()["class"] = mapped_column(Text)


class Slotted:
    __slots__ = ("seen",)


class Parcel(Slotted, Host):
    """Its objects have room for more than a dictionary."""

    __tablename__ = "parcels"

    id: Mapped[int] = mapped_column(primary_key=True)
    letter_id: Mapped[int | None] = mapped_column(ForeignKey(Letter.id))

    letter: Mapped[Letter | None] = relationship(backref=backref("parcels", collection_class=set))


class Dicted:
    __slots__ = ("__dict__",)


class Stamp(Dicted, Host):
    """Its objects have their dictionary elsewhere than others."""

    __tablename__ = "stamps"

    id: Mapped[int] = mapped_column(primary_key=True)


@pytest.fixture
def engine(blog_engine: Engine) -> Iterator[Engine]:
    """An engine, with two letters."""
    with engine_work(blog_engine) as work:
        Host.metadata.create_all(work.db.connection())
        work.db.add_all([Letter(id=1, title="A", mood=Mood.glad), Letter(id=2, title="B", mood=Mood.sad, sent_at=None)])
        work.db.flush()
        yield blog_engine
        work.db.execute(text("DROP TYPE mood CASCADE"))


def read(engine: Engine, times: int = 2) -> list[tuple[Any, ...]]:
    """Return the letters as they are read at the last of some calls of one plan."""
    for _ in range(times):
        found = Repository(engine, Letter).find_many(order_by="id")
    return [(row.id, row.title, row.mood, row.sent_at, getattr(row, "class")) for row in found]


EXPECTED = [(1, "A", Mood.glad, None, None), (2, "B", Mood.sad, None, None)]


@pytest.fixture
def forms(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Say of each result whether it came in binary, in order."""
    seen: list[bool] = []
    of = Binary.of

    def note(*given: Any) -> Binary | None:  # noqa: ANN401 - as it is
        found = of(*given)
        seen.append(found is not None)
        return found

    monkeypatch.setattr(Binary, "of", note)
    return seen


def test_binary(engine: Engine, forms: list[bool]) -> None:
    """Once the types are known many rows come in binary, enumerations too, and are the same."""
    plans_of(describe(Letter), engine.dialect)._known.clear()
    assert read(engine, 1) == EXPECTED
    assert forms == []
    assert read(engine) == EXPECTED
    assert forms == [True, True]


class Shouting(Loader):
    def load(self, data: Any) -> str:  # noqa: ANN401 - psycopg's
        return bytes(data).decode() + "!"


def test_a_host_that_reads_texts_otherwise(blog_url: str, engine: Engine, forms: list[bool]) -> None:
    """A loader that a host has registered is for text, and reads it as ever."""
    other = create_engine(blog_url)

    @event.listens_for(other, "connect")
    def register(connection: Any, _: object) -> None:  # noqa: ANN401 - psycopg's
        connection.adapters.register_loader("varchar", Shouting)

    assert [row[1] for row in read(other, 3)] == ["A!", "B!"]
    assert forms == [False, False]
    other.dispose()
    assert read(engine) == EXPECTED


def test_a_host_that_reads_an_enumeration_otherwise(blog_url: str, engine: Engine, forms: list[bool]) -> None:
    """So it is with an enumeration that psycopg knows: SQLAlchemy gets what it makes of it."""
    other = create_engine(blog_url)

    @event.listens_for(other, "connect")
    def register(connection: Any, _: object) -> None:  # noqa: ANN401 - psycopg's
        info = EnumInfo.fetch(connection, "mood")
        assert info is not None
        register_enum(info, connection, Mood)
        connection.rollback()

    assert read(other, 3) == EXPECTED
    assert forms == [False, False]
    other.dispose()
    assert read(engine) == EXPECTED


def test_a_column_that_changes_its_type(engine: Engine) -> None:
    """Rows of another type than the last ones are asked for once more, as text."""
    assert read(engine) == EXPECTED
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE letters ALTER id TYPE numeric"))
    assert [(row[0], type(row[0]).__name__) for row in read(engine, 1)] == [(1, "Decimal"), (2, "Decimal")]
    assert [row[1] for row in read(engine)] == ["A", "B"]


def test_what_has_no_exact_binary_form(engine: Engine) -> None:
    """A `real` has fewer digits as text."""
    with engine.connect() as connection:
        driver = connection.connection.driver_connection
        assert Binary.of(driver, (23, 700), ()) is None
        assert Binary.of(driver, (23, 25), ()) is not None
        assert driver is not None
        assert cast("Any", driver).adapters.get_loader(700, Format.BINARY) is not None


def test_objects_of_another_form(engine: Engine) -> None:
    """They are filled as they are; where that cannot be, a session makes them."""
    parcels, stamps = Repository(engine, Parcel), Repository(engine, Stamp)
    parcels.create(id=1, letter_id=2)
    found = parcels.get(id=1)
    found.seen = True  # type: ignore[attr-defined]  # a slot
    assert "seen" not in vars(found)
    assert stamps.create(id=1).id == 1
    assert [row.id for row in stamps.find_many()] == [1]
    told = {part.__name__: plans_of(describe(part), engine.dialect)._told for part in (Parcel, Stamp)}
    assert (told["Parcel"], len(told["Stamp"])) == (set(), 2)


def test_a_collection_of_another_kind(engine: Engine) -> None:
    """It is made by SQLAlchemy."""
    Repository(engine, Parcel).create(id=1, letter_id=2)
    found = cast("Any", Repository(engine, Letter).find_many(order_by="id", include="parcels"))
    assert [{part.id for part in row.parcels} for row in found] == [set(), {1}]
    found[0].parcels |= found[1].parcels
    assert [part.id for part in inspect(found[0]).attrs.parcels.history.added] == [1]
    with orm.Session(engine) as db:
        found = cast("Any", Repository(db, Letter).find_many(order_by="id", include="parcels"))
        assert [{part.id for part in row.parcels} for row in found] == [set(), {1}]


def test_what_the_server_adds(engine: Engine) -> None:
    """A value that the server gives a new row is read as its type has it."""
    for number in (3, 4):
        made = Repository(engine, Letter).create(id=number, title="C")
        assert (made.mood, made.sent_at) == (Mood.sad, None)


def test_a_limit(engine: Engine) -> None:
    """A usual number of rows is part of the statement, another one a parameter; they do not get mixed up."""
    letters = Repository(engine, Letter)
    plans = plans_of(describe(Letter), engine.dialect)
    for take in (1, 2, 7, 8, 1):
        assert len(letters.find_many(order_by="id", take=take)) == min(take, 2)
    shown = plans.shown()
    assert "LIMIT 1" in shown
    assert "LIMIT $1" in shown
    built = plans.built
    assert len(letters.find_many(order_by="id", take=9, skip=1)) == 1
    assert len(letters.find_many(order_by="id", take=11, skip=1)) == 1
    assert plans.built == built + 1


def test_plans_are_shown(
    engine: Engine, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each statement, and the code for its rows, is logged once, and printed if the environment says so."""
    caplog.set_level(logging.DEBUG, "pgauthkit.plans")
    plans = plans_of(describe(Letter), engine.dialect)
    letters = Repository(engine, Letter)
    letters.count(title="nobody", mood=Mood.glad)
    assert capfd.readouterr().err == ""
    monkeypatch.setenv("PGAUTHKIT_SHOW_PLANS", "1")
    for _ in range(2):
        letters.count(id=1, title="nobody")
    printed = capfd.readouterr().err
    assert printed.count("count(*)") == 1
    assert printed.strip() in caplog.text.replace("\r", "")
    read(engine)
    assert "instance.id = row[0]" in plans.shown()
    assert "vars(instance)['class'] = row[4]" in plans.shown()
    assert "vars(instance)" in plans.shown()


def test_a_state_after_it(engine: Engine, blog_url: str) -> None:
    """What is assigned to an object that came so is written by a session."""
    letter = Repository(engine, Letter).get(id=1)
    letter.sent_at = NOON
    with orm.Session(engine) as db:
        db.add(letter)
        db.commit()
    assert blog_url
    assert Repository(engine, Letter).get(id=1).sent_at == NOON
