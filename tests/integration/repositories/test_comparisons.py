"""Comparisons that a host writes itself, with columns whose type the driver's parameters do not have."""

import asyncio
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any, cast

import pytest
from sqlalchemy import (
    CHAR,
    REAL,
    ColumnElement,
    Engine,
    Float,
    ForeignKey,
    Identity,
    Numeric,
    String,
    Table,
    Text,
    TypeDecorator,
    all_,
    any_,
    bindparam,
    case,
    column,
    func,
    inspect,
    literal,
    or_,
    orm,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import ARRAY, CITEXT
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, aliased, column_property, mapped_column, relationship

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories import AsyncRepository, Repository
from pgauthkit.repositories.generic.typed import own_type


class Own(DeclarativeBase):
    """A base whose tables are created in the test's transaction."""


class Negated(TypeDecorator[float]):
    """A number that the server turns round on its way in and out."""

    impl = REAL
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's
        return -func.coalesce(bindvalue, 0, type_=Float())

    def column_expression(self, column: Any) -> ColumnElement[Any]:  # noqa: ANN401 - SQLAlchemy's
        return cast("ColumnElement[Any]", -column)


class Probe(Own):
    __tablename__ = "comparisons_probes"

    warmth: Mapped[float] = mapped_column(REAL, primary_key=True)
    code: Mapped[str] = mapped_column(CHAR(4))
    tags: Mapped[list[str]] = mapped_column(ARRAY(CHAR(3)))
    words: Mapped[list[str]] = mapped_column(ARRAY(String(3)))
    prices: Mapped[list[Decimal]] = mapped_column(ARRAY(Numeric(6, 2)))
    levels: Mapped[list[float]] = mapped_column(ARRAY(REAL))
    turned: Mapped[float] = mapped_column(Negated, default=0)
    above: Mapped[float | None] = mapped_column(REAL, ForeignKey("comparisons_probes.warmth"))
    note: Mapped[str | None] = mapped_column(deferred=True)

    short: Mapped[str] = column_property(func.trim(code))
    below: Mapped[list["Probe"]] = relationship()


class Person(Own):
    __tablename__ = "comparisons_people"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(CITEXT)


TWO = [0.1, 0.2]
ROWS: list[dict[str, Any]] = [
    {
        "warmth": 0.1,
        "code": "ab",
        "tags": ["abc", "x"],
        "words": ["abc"],
        "prices": [Decimal(10)],
        "levels": [0.1, 0.2],
    },
    {"warmth": 0.2, "code": "cd", "tags": ["y"], "words": ["b"], "prices": [Decimal("10.1")], "levels": [0.3]},
]
OTHER = aliased(Probe)
CONDITIONS: list[tuple[ColumnElement[bool], int]] = [
    # Nothing is cut or rounded to fit the column.
    (Probe.tags == ["abcd", "x"], 0),
    (Probe.tags == ["abc", "x"], 1),
    (Probe.tags.contains(["abcd"]), 0),
    (Probe.tags.overlap(["x", "y"]), 2),
    (Probe.words == ["abcd"], 0),
    (Probe.words.in_([["abc"], ["b"]]), 2),
    (Probe.prices == [Decimal("9.999")], 0),
    (Probe.prices.contained_by([Decimal(10), Decimal(11)]), 1),
    (Probe.code == "ab  ", 1),
    (Probe.code == "ab  x", 0),
    (Probe.code.like("a%"), 1),
    (Probe.code.startswith("a"), 1),
    (literal(0.1) == any_(Probe.levels), 1),
    (any_(Probe.levels) == literal(0.1), 1),
    (all_(Probe.levels) >= literal(0.2), 1),
    (literal(0.1) == Probe.warmth, 1),
    (tuple_(Probe.warmth, Probe.code).in_([(0.1, "ab"), (0.2, "no")]), 1),
    (tuple_(Probe.warmth, Probe.levels).not_in([(0.1, [0.1, 0.2])]), 1),
    (tuple_(Probe.warmth, Probe.code).in_([]), 0),
    (tuple_(Probe.warmth, Probe.code) > tuple_(0.1, "ab"), 1),
    (Probe.warmth.in_([literal(0.1), Probe.warmth * 5]), 1),
    (Probe.warmth.in_(bindparam("v", TWO, expanding=True, literal_execute=True)), 2),
    (Probe.warmth.between(0.2, 0.1, symmetric=True), 2),
    (or_(Probe.warmth == 0.1, func.coalesce(Probe.above, Probe.warmth) == 0.1), 2),
    (Probe.warmth.in_(select(OTHER.warmth).where(OTHER.warmth == 0.2)), 1),
    (Probe.below.any(Probe.warmth == 0.2), 1),
    (Probe.turned == 3, 1),
    (column("code") == "cd", 1),
]


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session whose tables are rolled back with the rest; there is a type with the name that the extension has."""
    with blog_engine.connect() as connection, orm.Session(connection) as db:
        connection.exec_driver_sql(CASELESS)
        Own.metadata.create_all(connection)
        yield db
        db.rollback()


# What the extension has of operators that is asked for here. It is not in every server's installation.
CASELESS = """
    CREATE TYPE citext;
    CREATE FUNCTION citextin(cstring) RETURNS citext LANGUAGE internal IMMUTABLE STRICT AS 'textin';
    CREATE FUNCTION citextout(citext) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
    CREATE TYPE citext (INPUT = citextin, OUTPUT = citextout, LIKE = text);
    CREATE CAST (citext AS text) WITHOUT FUNCTION AS IMPLICIT;
    CREATE CAST (varchar AS citext) WITHOUT FUNCTION AS ASSIGNMENT;
    CREATE CAST (text AS citext) WITHOUT FUNCTION AS ASSIGNMENT;
    CREATE FUNCTION citext_eq(citext, citext) RETURNS boolean LANGUAGE sql
        RETURN lower(CAST($1 AS text)) = lower(CAST($2 AS text));
    CREATE FUNCTION citext_like(citext, citext) RETURNS boolean LANGUAGE sql
        RETURN CAST($1 AS text) ILIKE CAST($2 AS text);
    CREATE OPERATOR = (FUNCTION = citext_eq, LEFTARG = citext, RIGHTARG = citext);
    CREATE FUNCTION citext_like(citext, text) RETURNS boolean LANGUAGE sql RETURN CAST($1 AS text) ILIKE $2;
    CREATE OPERATOR ~~ (FUNCTION = citext_like, LEFTARG = citext, RIGHTARG = citext);
    CREATE OPERATOR ~~ (FUNCTION = citext_like, LEFTARG = citext, RIGHTARG = text);
"""


@pytest.fixture
def probes(db: orm.Session) -> Repository[Probe]:
    """A repository with two rows, the second below the first."""
    probes = Repository(db, Probe)
    probes.create_many([ROWS[0], {**ROWS[1], "above": 0.1, "turned": 3.0}])
    return probes


@pytest.mark.parametrize(("condition", "count"), CONDITIONS)
def test_conditions(probes: Repository[Probe], condition: ColumnElement[bool], count: int) -> None:
    """A value is compared as the column's type, however the comparison is written, and as often as it is used."""
    assert [probes.count(condition) for _ in range(2)] == [count] * 2


def test_everywhere_that_an_expression_is_given(probes: Repository[Probe]) -> None:
    """Figures, groups, orders, conditions of groups and of included rows, and values to write."""
    cold = case((Probe.warmth == 0.1, "cold"), else_="warm")
    groups = probes.group_by(cold, number=func.count().filter(Probe.warmth == 0.1), order_by=cold)
    assert [tuple(group) for group in groups] == [("cold", 1), ("warm", 0)]
    assert len(probes.group_by("code", having=func.max(Probe.warmth) == 0.2, number=func.count())) == 1
    assert probes.aggregate(number=func.sum(case((Probe.warmth.in_(TWO), 1), else_=0))).number == 2
    assert [row.short for row in probes.find_many(order_by=(Probe.warmth == 0.1).desc())] == ["ab", "cd"]
    for nested in ({"where": Probe.warmth == 0.2}, {"where": Probe.warmth == 0.2, "take": 1}):
        assert len(probes.get(warmth=0.1, include={"below": nested}).below) == 1  # type: ignore[dict-item]
    assert probes.update_many(true(), code=case((Probe.warmth == 0.1, "x"), else_="y")) == 2
    assert probes.get(warmth=0.1).short == "x"


def test_caseless(db: orm.Session) -> None:
    """Case does not count for `citext`, in comparisons and in patterns."""
    people = Repository(db, Person)
    people.create(name="Ada")
    for condition in (
        Person.name == "ADA",
        Person.name.in_(["ada", "bob"]),
        Person.name.like("aD%"),
        Person.name.startswith("AD"),
        Person.name.contains("D"),
    ):
        assert people.count(condition) == 1, str(condition)
    assert people.find_many(name="aDA")


def test_a_key_of_another_type_than_its_parameter(probes: Repository[Probe]) -> None:
    """What was left out of an object is read by its key as well: a deferred column, an expression of a new row."""
    made = probes.create(**{**ROWS[0], "warmth": 0.3}, note="new")
    assert (made.short, made.note) == ("ab", "new")
    found = probes.update({"warmth": 0.1}, note="old")
    assert (found.short, found.note) == ("ab", "old")
    (found,) = probes.find_many(warmth=0.2)
    assert inspect(found).unloaded >= {"note"}
    assert found.note is None


def test_a_key_of_another_type_in_async_code(blog_async_engine: AsyncEngine, runner: asyncio.Runner) -> None:
    """Where reading takes an `await`, the error says so, whatever the key."""

    async def read() -> None:
        async with blog_async_engine.connect() as connection, AsyncSession(connection) as db:
            await connection.run_sync(Probe.metadata.create_all, tables=[cast("Table", Probe.__table__)])
            made = await AsyncRepository(db, Probe).create(**ROWS[0])
            assert made.short == "ab"
            found = await AsyncRepository(db, Probe).update({"warmth": 0.1}, note="old")
            with pytest.raises(RepositoryError, match=r"Probe.short was not loaded: .* await db.refresh"):
                _ = found.short

    runner.run(read())


@pytest.mark.parametrize("make", [lambda: func.now().type, lambda: column("x").type, Text])
def test_most_types_are_sent_as_they_are(make: Callable[[], Any]) -> None:
    """Nothing is cast where the driver's parameter is right, nor where an expression has no type."""
    assert own_type(make()) is None
