"""What a plan cannot do, on an engine: the call goes through a session, and the query log says once why."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any, cast

import pytest
from sqlalchemy import (
    Engine,
    ForeignKey,
    Sequence,
    Text,
    TypeDecorator,
    and_,
    event,
    func,
    literal,
    literal_column,
    orm,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.mutable import MutableDict
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    foreign,
    mapped_column,
    relationship,
)
from sqlalchemy.sql.elements import ColumnElement
from tests.integration.repositories.conftest import Account, Post, Tag, engine_work
from tests.integration.repositories.test_inheritance import Animal, Base as Zoo, Cat, Dog

from pgauthkit.database import create_engine
from pgauthkit.errors import NotFoundError, RepositoryError
from pgauthkit.repositories import Repository
from pgauthkit.repositories.generic.description import describe
from pgauthkit.repositories.generic.plans.known import plans_of

Call = Callable[[Repository[Any]], object]


class Host(DeclarativeBase): ...


class Caseless(TypeDecorator[str]):
    """A type that looks at what it is compared to."""

    impl = Text
    cache_ok = True

    class Comparator(TypeDecorator.Comparator[str]):  # noqa: D106 - as its class says
        def operate(self, *args: Any, **kwargs: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's
            return super().operate(*args, **kwargs)

    comparator_factory = Comparator


class Own(Host):
    """Makes its objects in its own way."""

    __tablename__ = "own"

    id: Mapped[int] = mapped_column(primary_key=True)

    def __setattr__(self, name: str, value: object) -> None:
        super().__setattr__(name, value)


class Compared(Host):
    __tablename__ = "compared"

    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str | None] = mapped_column(Caseless)


class Late(Host):
    __tablename__ = "late_columns"

    id: Mapped[int] = mapped_column(primary_key=True)
    words: Mapped[str | None] = mapped_column(deferred=True)


class Counted(Host):
    __tablename__ = "counted"

    id: Mapped[int] = mapped_column(Sequence("counted_numbers"), primary_key=True)
    name: Mapped[str | None]


class Versioned(Host):
    __tablename__ = "versioned"

    id: Mapped[int] = mapped_column(primary_key=True)
    version: Mapped[int] = mapped_column()

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's


class Filled(Host):
    """Its constructor says something of a relation."""

    __tablename__ = "filled"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id"))

    shelf: Mapped["Shelf | None"] = relationship()

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - of any column
        super().__init__(**values)
        self.shelf = None


class Careful(TypeDecorator[str]):
    """A type that does not take every value."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: object, dialect: object) -> str:  # noqa: ARG002 - SQLAlchemy's
        assert isinstance(value, str)
        if not value.isascii():
            raise ValueError
        return value


class Careless(Host):
    __tablename__ = "careless"

    id: Mapped[str] = mapped_column(Careful, primary_key=True)


class Kind(Host):
    """Has no rows of its own."""

    __tablename__ = "kinds"
    __mapper_args__ = {"polymorphic_on": "kind"}  # noqa: RUF012 - SQLAlchemy's

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]


class OnlyKind(Kind):
    __mapper_args__ = {"polymorphic_identity": "only", "polymorphic_load": "inline"}  # noqa: RUF012 - SQLAlchemy's

    above_id: Mapped[int | None] = mapped_column(ForeignKey("kinds.id"))

    below: Mapped[list["OnlyKind"]] = relationship(order_by=lambda: OnlyKind.id)


class Changing(Host):
    __tablename__ = "changing"

    id: Mapped[int] = mapped_column(primary_key=True)
    extra: Mapped[dict[str, Any] | None] = mapped_column(MutableDict.as_mutable(JSONB))


class Shelf(Host):
    __tablename__ = "shelves"

    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str | None]

    books: Mapped[list["Book"]] = relationship(back_populates="shelf")
    sorted: Mapped[list["Book"]] = relationship(order_by=lambda: func.coalesce(Book.colour, "?"), viewonly=True)
    red: Mapped[list["Book"]] = relationship(
        primaryjoin=lambda: and_(Shelf.id == foreign(Book.shelf_id), Book.colour == "red"), viewonly=True
    )


class Book(Host):
    __tablename__ = "books"

    id: Mapped[int] = mapped_column(primary_key=True)
    shelf_id: Mapped[int | None] = mapped_column(ForeignKey("shelves.id"))
    colour: Mapped[str | None]

    shelf: Mapped[Shelf | None] = relationship(back_populates="books")


class Uncached(ColumnElement[bool]):
    """A condition that SQLAlchemy cannot tell from another one."""

    inherit_cache = False
    type = literal(value=True).type
    __visit_name__ = "true"


@pytest.fixture
def engine(blog_logged_engine: Engine) -> Iterator[Engine]:
    """An engine with a query log, and the tables of these models."""
    with engine_work(blog_logged_engine) as work:
        Host.metadata.create_all(work.db.connection())
        Zoo.metadata.create_all(work.db.connection())
        yield blog_logged_engine
        work.db.execute(text("DROP SEQUENCE counted_numbers CASCADE"))


@contextmanager
def listening(target: Any, name: str) -> Iterator[list[object]]:  # noqa: ANN401 - of SQLAlchemy
    heard: list[object] = []

    def listener(*given: object) -> None:
        heard.append(given)

    event.listen(target, name, listener)
    try:
        yield heard
    finally:
        event.remove(target, name, listener)


def why(caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why calls went through a session, by the query log."""
    found = [record.getMessage() for record in caplog.records if record.name == "pgauthkit.queries"]
    caplog.clear()
    return [line.partition("goes through a session: ")[2] for line in found if "goes through a session" in line]


CASES: list[tuple[type[Any], Call, object, str]] = [
    (Own, lambda r: r.find_many(), [], "has its own way to make objects"),
    (Compared, lambda r: r.find_many(name="a"), [], "has a column with comparisons of its own"),
    (Late, lambda r: r.find_many(), [], "columns that are not of its table, or are not always read"),
    (Cat, lambda r: r.find_many(), [], "may be of several classes"),
    (Dog, lambda r: r.count(), 0, "as with a list of values"),
    (Animal, lambda r: r.upsert({"id": 1}, create={"name": "a", "kind": "cat"}, update={}).id, 1, "several classes"),
    (Counted, lambda r: r.create(name="a").id, 1, "has a sequence"),
    (Filled, lambda r: r.create(id=1).id, 1, "a relation is given"),
    (Versioned, lambda r: r.create(id=1).version, 1, "has a version"),
    (Changing, lambda r: r.create(id=1, extra={"a": 1}).extra, {"a": 1}, "listens to the loading"),
    (Changing, lambda r: r.find_many(), [], "listens to the loading"),
    (Shelf, lambda r: r.find_many(include="red"), [], "Shelf.red is more than columns that are equal"),
    (Shelf, lambda r: r.find_many(include="sorted"), [], "depends on more than its shape"),
    (Careless, lambda r: r.find_many(id="é"), RepositoryError, "a value does not fit its column"),
    (Careless, lambda r: r.create(id="a").id, "a", ""),
    (Kind, lambda r: r.find_many(), [], "may be of several classes"),
    (Tag, lambda r: r.find_many(Tag.id.in_([1, 2])), [], "as with a list of values"),
    (Tag, lambda r: r.find_many(Uncached()), [], "has no cache key"),
    (Tag, lambda r: r.find_many(name=func.lower("A")), [], "a value is an SQL expression"),
    (Tag, lambda r: r.create(name=literal_column("'b'")).name, "b", "a value is an SQL expression"),
    (Tag, lambda r: r.find_many(Tag.name == "a\0b"), RepositoryError, "a value has no form here"),
    (Tag, lambda r: r.delete({"id": None}), RepositoryError, "the key has no value"),
    (Tag, lambda r: r.restore({"id": 1}), RepositoryError, "nothing is restored"),
    (Tag, lambda r: r.upsert({"name": None}, create={}, update={}), RepositoryError, "the key has no value"),
    (Tag, lambda r: r.upsert({"name": "a"}, create={"name": "b"}, update={}), RepositoryError, "is contradicted"),
    (Tag, lambda r: r.create(Tag(name="c"), name="c"), RepositoryError, "an object as well as values"),
    (Tag, lambda r: r.update({"id": 1}, name=func.lower("A")), RepositoryError, "a value is an SQL expression"),
    (Tag, lambda r: r.update({"id": 1}), RepositoryError, "nothing is changed"),
    (Tag, lambda r: r.create(name="d", posts=[]).name, "d", "a relation is given"),
    (Post, lambda r: r.find_many(include={"comments": {"take": cast("Any", [1])}}), [], "cannot be told from another"),
    (Tag, lambda r: r.update_many(name="a"), RepositoryError, "there is no condition"),
    (Tag, lambda r: r.update_many(Tag.id == 1), RepositoryError, "nothing is changed"),
    (Tag, lambda r: r.delete_many(), RepositoryError, "there is no condition"),
    (Tag, lambda r: r.delete_many(Tag.id == 1, all=True), RepositoryError, "one for all rows"),
    (Tag, lambda r: r.page(Tag.id.in_([1]), order_by="id", size=1).items, (), "as with a list of values"),
    (Tag, lambda r: r.aggregate(Tag.id.in_([1]), n=func.count()).n, 0, "as with a list of values"),
    (Own, lambda r: r.page(order_by="id", size=1).items, (), "has its own way to make objects"),
    (Versioned, lambda r: r.update_many(Versioned.id == 1, version=3), 0, "has a version"),
    (Versioned, lambda r: r.delete_many(Versioned.id == 1), 0, "has a version"),
    (Account, lambda r: r.update({"id": "a"}, age=object()), RepositoryError, ""),
    (Own, lambda r: r.upsert({"id": 1}, create={}, update={}).id, 1, "has its own way"),
]


@pytest.mark.parametrize("case", CASES)
def test_a_call(engine: Engine, caplog: pytest.LogCaptureFixture, case: tuple[type[Any], Call, object, str]) -> None:
    """A model, or an argument, that no plan is made for: the call does what it should all the same."""
    model, call, expected, reason = case
    plans_of(describe(model), engine.dialect)._told.clear()
    caplog.set_level(logging.INFO, "pgauthkit.queries")
    if isinstance(expected, type):
        with pytest.raises(expected):
            call(Repository(engine, model))
    else:
        assert call(Repository(engine, model)) == expected
    assert any(reason in line for line in [*why(caplog), ""])


def refused(engine: Engine, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Return why a read of tags goes through a session, which finds none."""
    plans_of(describe(Tag), engine.dialect)._told.clear()
    caplog.set_level(logging.INFO, "pgauthkit.queries")
    assert Repository(engine, Tag).find_many() == []
    return why(caplog)


@pytest.mark.parametrize(
    "case",
    [
        (orm.Session, "after_begin", "something listens to all sessions."),
        (Engine, "begin", "something listens to the engine."),
        (Engine, "before_cursor_execute", "something listens to the engine."),
        (Tag, "load", "something listens to the loading of rows."),
    ],
)
def test_listeners(engine: Engine, caplog: pytest.LogCaptureFixture, case: tuple[Any, str, str]) -> None:
    """A listener is called for as long as it is there, and the log says so once."""
    target, name, reason = case
    assert refused(engine, caplog) == []
    with listening(target, name) as heard:
        assert refused(engine, caplog) == [reason]
        assert len(heard) == (0 if name == "load" else 1)
        Repository(engine, Tag).find_many()
        assert why(caplog) == []
    assert refused(engine, caplog) == []


@pytest.mark.parametrize(("target", "name"), [(Tag, "init"), (Tag.name, "set")])
def test_listeners_of_new_objects(engine: Engine, target: object, name: str) -> None:
    """One who listens to the making of objects, or to an attribute, is called by `create` on an engine."""
    tags = Repository(engine, Tag)
    assert tags.create(name="a").name == "a"
    with listening(target, name) as heard:
        assert tags.create(name="b").name == "b"
    assert len(heard) == 1


def test_a_listener_of_writes(engine: Engine) -> None:
    """A statement without objects would pass over it, so that it is refused; a flush calls it."""
    tags = Repository(engine, Tag)
    with listening(Tag, "after_insert") as heard:
        tags.create(name="a")
        with pytest.raises(RepositoryError, match="has listeners for after_insert"):
            tags.upsert({"name": "b"}, create={}, update={})
    assert len(heard) == 1


def test_settings_of_an_engine(engine: Engine, blog_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """Transactions of another kind, and tables of another schema, are those of the host."""
    translating = engine.execution_options(schema_translate_map={None: "public"})
    assert refused(translating, caplog) == ["the engine translates schemas."]
    kinds: list[tuple[dict[str, Any], list[str]]] = [
        (
            {"isolation_level": "SERIALIZABLE"},
            ["a connection has settings for transactions, or a value has no form here."],
        ),
        ({"isolation_level": "AUTOCOMMIT"}, []),
        ({"isolation_level": "READ COMMITTED"}, []),
    ]
    for options, reasons in kinds:
        other = create_engine(blog_url, query_log=True, **options)
        assert refused(other, caplog) == reasons
        other.dispose()


def test_only_slow_statements_are_logged(blog_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A log of slow statements alone says nothing of the ways of calls."""
    engine = create_engine(blog_url, query_log=timedelta(minutes=1), isolation_level="SERIALIZABLE")
    assert refused(engine, caplog) == []
    engine.dispose()


def test_one_class_of_a_table(engine: Engine) -> None:
    """Rows that can be of one class alone go by a plan, which looks at what tells them apart."""
    only = Repository(engine, OnlyKind)
    assert only.create(id=1).kind == "only"
    only.create_many([{"id": 2, "above_id": 1}, {"id": 3, "above_id": 1}])
    assert only.update_many(OnlyKind.id == 3, kind="other") == 1
    found = only.get(id=1, include={"below": True, "below.below": True})
    few = only.find_first(OnlyKind.id < 9, order_by="id", include={"below": {"take": 1, "order_by": "-id"}})
    assert ([row.id for row in found.below], found.below[0].below) == ([2], [])
    assert few is not None
    assert [row.id for row in few.below] == [2]
    assert (only.count(OnlyKind.id > 0), only.exists(id=3), only.exists(OnlyKind.id == 2)) == (2, False, True)
    assert only.update({"id": 2}, above_id=None).above_id is None
    assert [row.id for row in only.page(order_by="-id", size=9, include="below").items] == [2, 1]
    assert only.aggregate(n=func.count(OnlyKind.id)).n == 2
    assert only.group_by("kind", n=func.count(OnlyKind.id)) == [("only", 2)]
    with pytest.raises(NotFoundError):
        only.delete({"id": 3})
    assert (only.delete_many(OnlyKind.id == 3), only.delete_many(OnlyKind.id == 2)) == (0, 1)
    assert plans_of(describe(OnlyKind), engine.dialect)._told == set()
