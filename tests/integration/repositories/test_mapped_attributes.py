"""What a mapping says beside its columns: honoured, or refused by name; a test a row of the reference."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, cast

import pytest
from sqlalchemy import (
    Column,
    Connection,
    Engine,
    FetchedValue,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
    event,
    func,
    orm,
    text,
    true,
)
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    DynamicMapped,
    Mapped,
    Mapper,
    WriteOnlyMapped,
    column_property,
    composite,
    mapped_column,
    relationship,
    synonym,
    validates,
)

from pgauthkit.errors import ForeignKeyViolationError, NotAUniqueKeyError, RepositoryError
from pgauthkit.repositories import Repository


class Own(DeclarativeBase):
    """A base whose tables are created in the test's transaction."""


@dataclass(frozen=True)
class Point:
    x: int
    y: int


def noted(context: DefaultExecutionContext) -> str:
    parameters: dict[str, Any] = context.get_current_parameters()  # type: ignore[no-untyped-call]  # theirs
    return f"changed to {parameters.get('title')}"


class Paper(Own):
    __tablename__ = "attributes_papers"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    title: Mapped[str] = mapped_column(unique=True)
    note: Mapped[str | None] = mapped_column(onupdate=noted)
    moved: Mapped[int] = mapped_column(server_default="0", server_onupdate=FetchedValue())
    x: Mapped[int] = mapped_column(default=0)
    y: Mapped[int] = mapped_column(default=0)

    heading: Mapped[str] = synonym("title")
    place: Mapped[Point] = composite(x, y)
    loud: Mapped[str] = column_property(func.upper(title))

    @hybrid_property
    def far(self) -> int:
        """Both together."""
        return self.x + self.y

    @hybrid_property
    def name(self) -> str:
        """The title, with a setter."""
        return self.title

    @name.inplace.setter
    def _name(self, value: str) -> None:
        self.title = value

    @hybrid_method
    def beyond(self, limit: int) -> Any:  # noqa: ANN401 - a condition as well
        """Whether it is far."""
        return self.far > limit

    @validates("title")
    def tidy(self, _: str, value: str) -> str:
        """Without blanks."""
        return value.strip()


class Audited(Own):
    __tablename__ = "attributes_audited"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)


class Shelf(Own):
    """Relations that a session deletes with, and those that are queries."""

    __tablename__ = "attributes_shelves"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    books: Mapped[list["Book"]] = relationship(cascade="all, delete-orphan")
    loans: Mapped[list["Loan"]] = relationship(passive_deletes=True)
    every_loan: DynamicMapped["Loan"] = relationship(viewonly=True)
    more_loans: WriteOnlyMapped["Loan"] = relationship(passive_deletes=True, overlaps="loans")


class Book(Own):
    __tablename__ = "attributes_books"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey(Shelf.id))


class Loan(Own):
    __tablename__ = "attributes_loans"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shelf_id: Mapped[int] = mapped_column(ForeignKey(Shelf.id, ondelete="CASCADE"))


class Measure(Own):
    """A table without a primary key, as a view is."""

    __table__ = Table("attributes_measures", Own.metadata, Column("place", Text), Column("value", Integer))
    __mapper_args__ = {"primary_key": [__table__.c.place]}  # noqa: RUF012 - SQLAlchemy's


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session whose tables are rolled back with the rest."""
    with blog_engine.connect() as connection, orm.Session(connection) as db:
        Own.metadata.create_all(connection)
        yield db
        db.rollback()


@pytest.fixture
def papers(db: orm.Session) -> Repository[Paper]:
    return Repository(db, Paper)


def test_validators(papers: Repository[Paper]) -> None:
    """A validator sees what every method is given."""
    paper = papers.create(title=" a ")
    papers.create_many([{"title": " b "}])
    papers.upsert({"title": " c "}, create={}, update={})
    papers.update({"id": paper.id}, title=" d ")
    assert papers.update_many(Paper.title == "b", title=" e ") == 1
    papers.upsert_many([{"title": " c "}, {"title": " f "}], key="title", update=["title"])
    assert [row.title for row in papers.find_many(order_by="title")] == ["c", "d", "e", "f"]


def test_defaults_of_an_update(papers: Repository[Paper]) -> None:
    """A default that Python computes for an update is computed, from the other columns too."""
    paper = papers.create(title="a")
    assert papers.update({"id": paper.id}, title="b").note == "changed to b"
    assert papers.upsert({"title": "b"}, create={}, update={"title": "c"}).note == "changed to c"
    assert papers.update_many(true(), title="d") == 1
    assert papers.get(id=paper.id).note == "changed to d"


def test_what_the_server_sets_in_an_update(papers: Repository[Paper], db: orm.Session) -> None:
    """What a trigger sets is in the object that a method returns."""
    db.execute(
        text(
            "CREATE FUNCTION attributes_move() RETURNS trigger LANGUAGE plpgsql AS"
            " 'BEGIN NEW.moved = OLD.moved + 1; RETURN NEW; END'"
        )
    )
    db.execute(
        text(
            "CREATE TRIGGER attributes_move BEFORE UPDATE ON attributes_papers"
            " FOR EACH ROW EXECUTE FUNCTION attributes_move()"
        )
    )
    paper = papers.create(title="a")
    assert papers.update({"id": paper.id}, title="b").moved == 1
    assert papers.upsert({"title": "b"}, create={}, update={"title": "c"}).moved == 2


def test_composites(papers: Repository[Paper]) -> None:
    """A composite is given to `create`, and shows what a later write of its columns made of it."""
    paper = papers.create(title="a", place=Point(1, 2))
    assert paper.place == Point(1, 2)
    assert papers.update({"id": paper.id}, title="a", y=5).place == Point(1, 5)
    assert papers.get(id=paper.id).place == Point(1, 5)


def test_synonyms_and_setters(papers: Repository[Paper]) -> None:
    """`create` takes them, and conditions are made of them."""
    papers.create(heading="a")
    papers.create(name="b", x=3)
    assert [row.name for row in papers.find_many(Paper.heading == "a")] == ["a"]
    assert [row.title for row in papers.find_many(Paper.far > 2, order_by=Paper.loud)] == ["b"]
    assert [row.loud for row in papers.find_many(cast("Any", Paper.beyond(2)))] == ["B"]


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("heading", "It is a synonym: give title"),
        ("place", "It is a composite: give x, y"),
        ("loud", "It is computed by the database"),
        ("far", "It is an attribute of the class alone"),
        ("nothing", "has no column 'nothing'"),
    ],
)
def test_what_is_no_column(papers: Repository[Paper], name: str, hint: str) -> None:
    """Methods that go by columns say what a name is instead."""
    calls: list[Callable[[], object]] = [
        lambda: papers.update({"title": "a"}, **{name: "b"}),
        lambda: papers.create_many([{"title": "a", name: "b"}]),
        lambda: papers.upsert({"title": "a"}, create={name: "b"}, update={}),
        lambda: papers.find_first(**cast("Any", {name: "b"})),
    ]
    for call in calls:
        with pytest.raises(RepositoryError, match=hint):
            call()


@pytest.mark.parametrize("name", ["loud", "far", "beyond", "nothing"])
def test_what_create_does_not_take(papers: Repository[Paper], name: str) -> None:
    """What nobody can set is refused, and not dropped."""
    with pytest.raises(RepositoryError, match=f"has no column '{name}'"):
        papers.create(title="a", **{name: 1})


@pytest.mark.parametrize(
    ("moment", "refused"),
    [
        ("before_insert", {"create_many", "upsert", "upsert_many"}),
        ("after_update", {"update", "update_many", "upsert", "upsert_many"}),
        ("before_delete", {"delete", "delete_many"}),
    ],
)
def test_listeners(db: orm.Session, moment: str, refused: set[str]) -> None:
    """`create` calls a mapper's listeners, and what would not call them is refused by their names."""
    rows = Repository(db, Audited)
    called: list[object] = []

    def listener(_mapper: Mapper[Any], _connection: Connection, target: object) -> None:
        called.append(target)

    event.listen(Audited, moment, listener)
    try:
        made = rows.create(name="a")
        assert called == ([made] if moment == "before_insert" else [])
        calls: dict[str, Callable[[], object]] = {
            "create_many": lambda: rows.create_many([{"name": "b"}]),
            "upsert": lambda: rows.upsert({"name": "a"}, create={}, update={"name": "a"}),
            "upsert_many": lambda: rows.upsert_many([{"name": "a"}], key="name", update=["name"]),
            "update": lambda: rows.update({"name": "a"}, name="a"),
            "update_many": lambda: rows.update_many(Audited.name == "a", name="a"),
            "delete": lambda: rows.delete({"name": "a"}),
            "delete_many": lambda: rows.delete_many(true()),
        }
        for name, call in calls.items():
            if name in refused:
                with pytest.raises(RepositoryError, match=f"Audited has listeners for {moment}, which"):
                    call()
            else:
                call()
    finally:
        event.remove(Audited, moment, listener)


def test_criteria_of_a_session(papers: Repository[Paper], db: orm.Session) -> None:
    """Criteria that a host adds to its session's queries hold for what is read, and not for what is written."""
    papers.create_many([{"title": "a", "x": 1}, {"title": "b", "x": 2}])

    def narrow(state: orm.ORMExecuteState) -> None:
        state.statement = state.statement.options(orm.with_loader_criteria(Paper, Paper.x == 1))

    event.listen(db, "do_orm_execute", narrow)
    assert [row.title for row in papers.find_many()] == ["a"]
    assert papers.update_many(true(), y=1) == 2


def test_events_of_attributes_and_of_a_session(papers: Repository[Paper], db: orm.Session) -> None:
    """`create` calls them, as it works by the session; what works without objects does not."""
    called: list[object] = []

    def changed(_target: object, value: object, _before: object, _initiator: object) -> None:
        called.append(value)

    def flushed(session: orm.Session, _context: object, _instances: object) -> None:
        called.append(len(session.new))

    event.listen(Paper.note, "set", changed)
    event.listen(db, "before_flush", flushed)
    try:
        papers.create(title="a", note="x")
        assert called == ["x", 1]
        papers.update({"title": "a"}, note="y")
        papers.upsert({"title": "a"}, create={}, update={"note": "z"})
        papers.create_many([{"title": "b", "note": "y"}])
        assert called == ["x", 1]
    finally:
        event.remove(Paper.note, "set", changed)


def test_cascades(db: orm.Session) -> None:
    """`create` inserts what hangs on an object; a delete leaves to the database what goes with the row."""
    shelves = Repository(db, Shelf)
    shelf = shelves.create(books=[Book(), Book()], loans=[Loan()])
    assert Repository(db, Book).count(shelf_id=shelf.id) == 2
    with pytest.raises(ForeignKeyViolationError), db.begin_nested():
        shelves.delete({"id": shelf.id})
    Repository(db, Book).delete_many(Book.shelf_id == shelf.id)
    shelves.delete({"id": shelf.id})
    assert not Repository(db, Loan).exists()


def test_relations_that_are_queries(db: orm.Session) -> None:
    """`create` fills one that can be written, `include` refuses both, and they are queries as ever."""
    shelves = Repository(db, Shelf)
    shelf = shelves.create(more_loans=[Loan(), Loan()])
    for name in ("every_loan", "more_loans"):
        with pytest.raises(RepositoryError, match=f"Shelf.{name} is a query of its own"):
            shelves.get(id=shelf.id, include=[name])
    found = shelves.get(id=shelf.id)
    assert found.every_loan.count() == 2
    assert len(db.scalars(found.more_loans.select()).all()) == 2


def test_a_table_without_a_primary_key(db: orm.Session) -> None:
    """A row is found by what the model says identifies it, and never by nothing."""
    measures = Repository(db, Measure)
    measures.create_many([{"place": "a", "value": 1}, {"place": "b", "value": 2}])
    assert cast("Any", measures.get(place="b")).value == 2
    assert cast("Any", measures.update({"place": "a"}, value=3)).value == 3
    with pytest.raises(NotAUniqueKeyError, match="unique are: place"):
        measures.find_unique()
    with pytest.raises(RepositoryError, match="42P10"):
        measures.upsert({"place": "a"}, create={}, update={})
