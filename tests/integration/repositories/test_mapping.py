"""What a mapper or a column says, and Core's statements do not know by themselves."""

from typing import Any

import pytest
from sqlalchemy import CHAR, JSON, REAL, Engine, ForeignKey, Identity, String, UniqueConstraint, orm, select, text, true
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.orm.exc import StaleDataError

from pgauthkit.errors import RepositoryError, UniqueViolationError
from pgauthkit.repositories import Repository


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
