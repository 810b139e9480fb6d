"""What a mapper or a column says, and Core's statements do not know by themselves."""

import asyncio
from contextlib import suppress
from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import (
    CHAR,
    JSON,
    REAL,
    DateTime,
    Engine,
    ForeignKey,
    Identity,
    Index,
    Integer,
    String,
    UniqueConstraint,
    and_,
    desc,
    func,
    inspect,
    orm,
    select,
    text,
    true,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    PassiveFlag,
    Unmapped,
    column_property,
    mapped_column,
    relationship,
    unmapped_column,
)
from sqlalchemy.orm.attributes import get_history
from sqlalchemy.orm.exc import StaleDataError

from pgauthkit.errors import NotAUniqueKeyError, RepositoryError, UniqueViolationError
from pgauthkit.models import SoftDelete, unique_unless_deleted
from pgauthkit.repositories import AsyncRepository, Repository


class Own(DeclarativeBase):
    """A base whose tables are created in the test's transaction."""


class Versioned(Own):
    __tablename__ = "mapping_versioned"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSONB)
    version: Mapped[int] = mapped_column()
    tag: Mapped[str | None]

    __mapper_args__ = {"version_id_col": version}  # noqa: RUF012 - SQLAlchemy's


class Marked(Own):
    __tablename__ = "mapping_marked"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str]
    mark: Mapped[str] = mapped_column(String(8))

    __mapper_args__ = {"version_id_col": mark, "version_id_generator": lambda _: "next"}  # noqa: RUF012 - SQLAlchemy's


class Country(Own):
    __tablename__ = "mapping_countries"

    code: Mapped[str] = mapped_column(CHAR(5), primary_key=True)
    warmth: Mapped[float] = mapped_column(REAL)
    cities: Mapped[list["City"]] = relationship()


class City(Own):
    __tablename__ = "mapping_cities"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    code: Mapped[str] = mapped_column(ForeignKey("mapping_countries.code"))


class Renamed(SoftDelete, Own):
    """As Prisma's schemas have them: columns in camel case."""

    __tablename__ = "mapping_renamed"

    id: Mapped[int] = mapped_column("rowId", Identity(), primary_key=True)
    deleted_at: Mapped[datetime | None] = mapped_column("deletedAt", DateTime(timezone=True))
    mail: Mapped[str] = mapped_column("mailAddress")
    slug: Mapped[str | None] = mapped_column("urlSlug")
    rank: Mapped[int] = mapped_column("sort_rank", default=0)
    legacy: Unmapped[int | None] = unmapped_column(Integer)

    __table_args__ = (
        unique_unless_deleted("mailAddress", name="mapping_mail"),
        Index("mapping_slug", slug, unique=True, postgresql_where=and_(slug != "100%", slug != ":x")),
        Index("mapping_rank", desc("sort_rank"), unique=True),
        Index("mapping_plain", "legacy"),
        UniqueConstraint("legacy"),
    )


class Sparse(Own):
    __tablename__ = "mapping_sparse"
    __table_args__ = (UniqueConstraint("a", "b", postgresql_nulls_not_distinct=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    a: Mapped[int | None]
    b: Mapped[int]
    c: Mapped[str | None]


class Animal(Own):
    __tablename__ = "mapping_animals"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    kind: Mapped[str]
    name: Mapped[str] = mapped_column()
    loud: Mapped[str] = column_property(func.upper(name))
    notes: Mapped[str | None] = mapped_column(deferred=True)
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "animal"}  # noqa: RUF012 - SQLAlchemy's


class Dog(Animal):
    __tablename__ = "mapping_dogs"

    id: Mapped[int] = mapped_column(ForeignKey(Animal.id), primary_key=True)
    breed: Mapped[str]
    __mapper_args__ = {"polymorphic_identity": "dog"}  # noqa: RUF012 - SQLAlchemy's


class Node(Own):
    """Relations that SQLAlchemy loads with every object, one of them into itself."""

    __tablename__ = "mapping_nodes"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("mapping_nodes.id"))
    deleted: Mapped[bool] = mapped_column(default=False)

    parent: Mapped["Node | None"] = relationship(remote_side="Node.id", back_populates="nodes", lazy=False)
    nodes: Mapped[list["Node"]] = relationship(
        back_populates="parent", lazy="selectin", join_depth=2, order_by="Node.id"
    )
    leaves: Mapped[list["Leaf"]] = relationship(lazy="selectin")


class Leaf(SoftDelete, Own):
    __tablename__ = "mapping_leaves"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    node_id: Mapped[int] = mapped_column(ForeignKey("mapping_nodes.id"))


class Part(Own):
    __tablename__ = "mapping_part"
    __table_args__ = (UniqueConstraint("slug", "day"), {"postgresql_partition_by": "RANGE (day)"})

    id: Mapped[int] = mapped_column(primary_key=True)
    day: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str]


@pytest.fixture
def db(blog_engine: Engine) -> Any:  # noqa: ANN401 - a generator
    """A session whose tables are rolled back with the rest."""
    with blog_engine.connect() as connection, orm.Session(connection) as db:
        Own.metadata.create_all(connection)
        yield db
        db.rollback()


def test_versions_move(db: orm.Session) -> None:
    """Every way to write begins or moves the version, and an object that is older is refused."""
    rows = Repository(db, Versioned)
    mine = rows.create(key="a")
    db.expunge(mine)
    assert rows.update({"id": mine.id}, key="b").version == 2
    assert rows.update_many(true(), tag="x") == 1
    assert rows.create_many([{"key": "c"}]) == 1
    assert [rows.upsert({"key": key}, create={}, update={"tag": "y"}).version for key in "bcd"] == [4, 2, 1]
    db.expunge_all()
    mine.key = "old"
    db.add(mine)
    with pytest.raises(StaleDataError):
        db.flush()


def test_a_version_that_is_no_number(db: orm.Session) -> None:
    """A version that is not a number comes from the model's generator."""
    rows = Repository(db, Marked)
    rows.create_many([{"name": "a", "mark": "first"}])
    assert rows.update({"id": rows.get(id=1).id}, name="b").mark == "next"


def test_none_in_json(db: orm.Session) -> None:
    """None is NULL however it is written, and the null of JSON is had by its name."""
    rows = Repository(db, Versioned)
    assert rows.create(key="a", extra=None).extra is None
    rows.create_many([{"key": "b", "extra": None}, {"key": "c", "extra": {}}])
    rows.upsert({"key": "d"}, create={"extra": None}, update={})
    rows.update({"key": "c"}, extra=None)
    rows.create(key="e", extra=JSON.NULL)
    assert sorted(row.key for row in rows.find_many(extra=None)) == ["a", "b", "c", "d"]
    assert db.scalar(select(Versioned.key).where(text("extra = 'null'"))) == "e"


def test_values_of_the_columns_type(db: orm.Session) -> None:
    """A padded key and a single-precision number are found by what was written, by include and in pages."""
    countries = Repository(db, Country)
    countries.create_many({"code": code, "warmth": warmth} for code, warmth in [("ab", 0.1), ("cd", 0.2), ("ef", 0.2)])
    Repository(db, City).create_many([{"code": "ab"}] * 2)
    assert len(countries.get(code="ab", include=["cities"]).cities) == 2
    assert [row.code.strip() for row in countries.find_many(warmth=0.1)] == ["ab"]
    assert countries.find_many(code="ab   more") == []
    seen, cursor = [], None
    for _ in range(3):
        page = countries.page(order_by="warmth", size=1, after=cursor)
        seen += [row.code.strip() for row in page.items]
        cursor = page.end_cursor
    assert (seen, page.has_next) == (["ab", "cd", "ef"], False)


@pytest.mark.parametrize(("row", "columns"), [((1, "b"), ("id", "day")), ((2, "a"), ("slug", "day"))])
def test_a_violation_in_a_partition(db: orm.Session, row: tuple[int, str], columns: tuple[str, ...]) -> None:
    """The columns of a constraint are named where the server names the partition."""
    db.execute(text("CREATE TABLE mapping_part1 PARTITION OF mapping_part FOR VALUES FROM (0) TO (9)"))
    parts = Repository(db, Part)
    parts.create(id=1, day=1, slug="a")
    with pytest.raises(UniqueViolationError) as caught:
        parts.create_many([{"id": row[0], "day": 1, "slug": row[1]}])
    assert caught.value.columns == columns


def test_refused_is_not_unreachable(db: orm.Session) -> None:
    """What exceeds a limit is refused with its name: a database that answers can be reached."""
    rows = Repository(db, Versioned)
    with pytest.raises(RepositoryError, match="65,535"):
        rows.find_many(Versioned.id.in_(range(70_000)))
    long = "".join(map(str, range(40_000)))
    with pytest.raises(RepositoryError, match="SQLSTATE 54000"):
        rows.create_many([{"key": long}])


def test_renamed_columns(db: orm.Session) -> None:
    """Columns go by their attributes' names, whatever the database calls them, in every method."""
    rows = Repository(db, Renamed)
    rows.create_many([{"mail": "a", "rank": 1}, {"mail": "b", "rank": 2}])
    assert rows.upsert({"mail": "a"}, create={}, update={"rank": 3}).rank == 3
    assert rows.upsert_many([{"mail": "b", "rank": 4}], key="mail", update=["rank"]) == 1
    gone = rows.delete({"mail": "a"})
    assert gone.deleted_at
    assert rows.restore({"id": gone.id}).mail == "a"
    rows.delete({"mail": "a"})
    assert rows.find_unique(mail="a") is None
    page = rows.page(order_by="-rank", size=1, with_deleted=True)
    assert [
        row.rank for row in rows.page(order_by="-rank", size=1, after=page.end_cursor, with_deleted=True).items
    ] == [3]
    assert [tuple(row) for row in rows.group_by("mail", total=func.count(), order_by="mail")] == [("b", 1)]
    with pytest.raises(NotAUniqueKeyError, match="the rows that are not deleted"):
        rows.restore({"mail": "a"})
    rows.upsert({"mail": "a"}, create={"rank": 9}, update={})
    with pytest.raises(UniqueViolationError) as caught:
        rows.create(mail="a", rank=10)
    assert caught.value.columns == ("mailAddress",)


def test_partial_and_descending_keys(db: orm.Session) -> None:
    """An upsert takes a partial unique index, with its predicate, and one that is sorted the other way."""
    rows = Repository(db, Renamed)
    for rank in (1, 2):
        assert rows.upsert({"slug": "s"}, create={"mail": "a", "rank": 1}, update={"rank": rank}).rank == rank
    assert rows.upsert({"rank": 2}, create={"mail": "c"}, update={"mail": "d"}).mail == "d"
    with pytest.raises(NotAUniqueKeyError, match="for upsert alone"):
        rows.find_unique(slug="s")


def test_nulls_not_distinct(db: orm.Session) -> None:
    """Where NULL equals NULL, a key may have it."""
    rows = Repository(db, Sparse)
    rows.upsert({"a": None, "b": 1}, create={}, update={})
    assert rows.upsert_many([{"a": None, "b": 1, "c": "y"}], key=["a", "b"], update=["c"]) == 1
    assert rows.get(a=None, b=1).c == "y"
    with pytest.raises(RepositoryError, match="have the same"):
        rows.upsert_many([{"a": None, "b": 1, "c": "y"}] * 2, key=["a", "b"], update=["c"])


def test_columns_that_were_not_read(db: orm.Session) -> None:
    """A column that a statement left out is read when touched."""
    db.add(Dog(name="Rex", breed="lab", notes="old"))
    db.flush()
    db.expunge_all()
    rows = Repository(db, Animal)
    (dog,) = rows.find_many()
    assert isinstance(dog, Dog)
    assert inspect(dog).unloaded == {"notes", "breed"}
    assert (dog.breed, dog.notes, dog.loud) == ("lab", "old", "REX")
    assert rows.update({"id": dog.id}, name="Max").loud == "MAX"
    assert [row.loud for row in rows.create_many([{"name": "x"}], returning=True)] == ["X"]


def test_columns_that_were_not_read_in_async_code(blog_async_engine: AsyncEngine, runner: asyncio.Runner) -> None:
    """Where reading takes an `await`, the error says so; that of a transaction that has failed is ours as well."""

    async def read() -> None:
        async with blog_async_engine.connect() as connection, AsyncSession(connection) as db:
            await connection.run_sync(Own.metadata.create_all)
            row = await AsyncRepository(db, Animal).create(name="Rex")
            row = await AsyncRepository(db, Animal).update({"id": row.id}, name="Max")
            with pytest.raises(RepositoryError, match=r"Animal.loud was not loaded: .* await db.refresh"):
                _ = row.loud
            await db.refresh(row, ["loud"])
            assert row.loud == "MAX"
            assert get_history(row, "notes", PassiveFlag.PASSIVE_NO_FETCH).empty()
            with suppress(DBAPIError):
                await db.execute(text("SELECT 1 / 0"))
            with pytest.raises(RepositoryError, match="has failed before"):
                await db.run_sync(lambda _: row.notes)

    runner.run(read())


def test_eager_relations_are_honoured(db: orm.Session) -> None:
    """What a model says is always loaded is loaded as by `include`, as deep as it says, unless a call says no."""
    nodes = Repository(db, Node)
    top = nodes.create()
    under = nodes.create(parent_id=top.id)
    nodes.create(parent_id=under.id)
    leaves = Repository(db, Leaf)
    for _ in range(2):
        gone = leaves.create(node_id=under.id)
    leaves.delete({"id": gone.id})
    db.expunge_all()
    found = nodes.get(id=top.id)
    assert found.parent is None
    assert [[len(node.nodes), len(node.leaves)] for node in found.nodes] == [[1, 1]]
    assert found.nodes[0].parent is found
    with pytest.raises(RepositoryError, match="was not loaded"):
        _ = found.nodes[0].nodes[0].nodes
    chosen = nodes.get(id=under.id, include={"leaves": {"with_deleted": True}})
    assert len(chosen.leaves) == 2
    chosen = nodes.get(id=under.id, include={"nodes": False, "parent": False, "leaves.node": False})
    with pytest.raises(RepositoryError, match="was not loaded"):
        _ = chosen.nodes
