"""What was written is found, by equality, key, include, page and upsert, whatever the type of its column."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address, ip_network
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    CHAR,
    REAL,
    BigInteger,
    Boolean,
    Date,
    DateTime,
    Dialect,
    Engine,
    Enum,
    Float,
    ForeignKeyConstraint,
    Identity,
    Integer,
    Interval,
    LargeBinary,
    Numeric,
    SmallInteger,
    String,
    Text,
    Time,
    TypeDecorator,
    UniqueConstraint,
    Uuid,
    and_,
    case,
    event,
    literal,
    not_,
    orm,
    select,
    true,
    tuple_,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    BIT,
    CIDR,
    DOMAIN,
    INET,
    INT4RANGE,
    INTERVAL,
    JSONB,
    MACADDR,
    MONEY,
    TIME,
    TIMESTAMP,
    TSVECTOR,
    Range,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    mapped_column,
    relationship,
)
from sqlalchemy.types import TypeEngine

from pgauthkit.database import create_engine
from pgauthkit.repositories import Repository

# SQLAlchemy's own types of domains and money lack what it says that every type will need.
pytestmark = pytest.mark.filterwarnings("ignore:Type object:sqlalchemy.exc.SADeprecationWarning")


class Own(DeclarativeBase):
    """A base whose tables are created in the test's transaction."""


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


class Tenths(TypeDecorator[int]):
    """Whole tenths, which the database has as a `real`."""

    impl = REAL
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> float | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else value / 10

    def process_result_value(self, value: float | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        return None if value is None else round(value * 10)


class Guid(TypeDecorator[UUID]):
    """What databases without a type for it keep as text."""

    impl = CHAR
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return dialect.type_descriptor(Uuid())


START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = START.date()
# Written with more digits than the column has.
FINE = timedelta(0, 1, 123_456)
MOMENTS = [START + FINE * number for number in (1, 2, 3)]
# Three values each, in the order of the server.
TYPES: dict[str, tuple[TypeEngine[Any], list[Any]]] = {
    "text": (Text(), ["", "a b", 'é"\\{},NULL']),
    "varchar": (String(80), ["a", "b", "c"]),
    "char": (CHAR(4), ["a", "b", "cd"]),
    "numeric": (Numeric(10, 2), [Decimal("-1.10"), Decimal(0), Decimal("99999999.99")]),
    "plain_numeric": (Numeric(), [Decimal("-0.1"), Decimal("1e-20"), Decimal("1e30")]),
    "real": (REAL(), [0.1, 0.2, 16777216.0]),
    "double": (Float(), [0.1, 0.30000000000000004, 1e300]),
    "smallint": (SmallInteger(), [-32768, 0, 32767]),
    "integer": (Integer(), [-(2**31), 0, 2**31 - 1]),
    "bigint": (BigInteger(), [-(2**63), 0, 2**63 - 1]),
    "timestamptz": (DateTime(timezone=True), [START, START + timedelta(microseconds=1), START + timedelta(9)]),
    "timestamp": (
        DateTime(),
        [moment.replace(tzinfo=None) for moment in (START, START + timedelta(1), START + timedelta(2))],
    ),
    "date": (Date(), [date(1, 1, 1), DAY, date(9999, 12, 31)]),
    "time": (Time(), [time(0), time(12, 0, 0, 1), time(23, 59, 59)]),
    "interval": (Interval(), [timedelta(-1), timedelta(0, 1), timedelta(400, 0, 1)]),
    "uuid": (Uuid(), [UUID(int=0), UUID(int=7), UUID(int=2**128 - 1)]),
    "bytea": (LargeBinary(), [b"", b"\0\\", b"\xff"]),
    "inet": (INET(), [ip_address(text) for text in ("192.0.2.1", "192.0.2.2", "2001:db8::1")]),
    "enum": (Enum(Size, native_enum=False, create_constraint=False, length=16), [Size.LARGE, Size.SMALL]),
    "native_enum": (Enum(Size, name="every_type_size"), [Size.SMALL, Size.LARGE]),
    "bool": (Boolean(), [False, True]),
    "jsonb": (JSONB(), [{"a": 1}, {"a": ['"', None]}, {"a": 1, "b": {}}]),
    "texts": (ARRAY(Text), [[], ["a", 'b"\\'], ["a", "c", "NULL"]]),
    "reals": (ARRAY(REAL), [[0.1], [0.1, 0.2], [0.3]]),
    "chars": (ARRAY(CHAR(3)), [["a"], ["a", "b"], ["abc"]]),
    "integers": (ARRAY(Integer), [[], [1, 2], [2]]),
    "varchars": (ARRAY(String(3)), [["a"], ["a", "b"], ["abc"]]),
    "numerics": (ARRAY(Numeric(6, 2)), [[Decimal("0.1")], [Decimal(1), Decimal("1.1")], [Decimal(2)]]),
    "uuids": (ARRAY(Uuid), [[UUID(int=1)], [UUID(int=1), UUID(int=2)], [UUID(int=3)]]),
    "enums": (ARRAY(Enum(Size, name="every_type_sizes")), [[Size.SMALL], [Size.SMALL, Size.LARGE], [Size.LARGE]]),
    "single": (Float(24), [0.1, 0.2, 0.3]),
    "variant": (Float().with_variant(REAL(), "postgresql"), [0.1, 0.2, 0.3]),
    "tenths": (Tenths(), [1, 2, 3]),
    "guid": (Guid(), [UUID(int=0), UUID(int=7), UUID(int=9)]),
    "real_domain": (DOMAIN("every_type_real", REAL()), [0.1, 0.2, 0.3]),
    "char_domain": (DOMAIN("every_type_char", CHAR(4)), ["a", "b", "cd"]),
    "milliseconds": (TIMESTAMP(timezone=True, precision=3), MOMENTS),
    "seconds": (TIMESTAMP(precision=0), [moment.replace(tzinfo=None) for moment in MOMENTS]),
    "time_of_day": (TIME(precision=3), [moment.time() for moment in MOMENTS]),
    "whole_interval": (Interval(second_precision=0), [FINE, FINE * 2, FINE * 3]),
    "short_interval": (INTERVAL(precision=2), [FINE, FINE * 2, FINE * 3]),
    "money": (MONEY(), ["$1.00", "$2.00", "$10.00"]),
    "document": (TSVECTOR(), ["'a'", "'b'", "'c'"]),
    "bits": (BIT(3), ["001", "010", "111"]),
    "network": (CIDR(), [ip_network(text) for text in ("10.0.0.0/8", "192.0.2.0/24", "2001:db8::/32")]),
    "hardware": (MACADDR(), ["08:00:2b:01:02:03", "08:00:2b:01:02:04", "08:00:2b:01:02:05"]),
    "one_letter": (CHAR(), ["a", "b", "c"]),
    "span": (INT4RANGE(), [Range(1, 5, bounds="[)"), Range(2, None), Range(3, 4, bounds="[)")]),
}
UNHASHABLE = {
    name for name, (_, values) in TYPES.items() if isinstance(values[0], dict | list)
}  # SQLAlchemy has no such primary keys
# How many digits of a second the column has; the values have six.
DIGITS = {"milliseconds": 3, "seconds": 0, "time_of_day": 3, "whole_interval": 0, "short_interval": 2}
UNPAGED = {"span", "jsonb"}  # a cursor has no place for them, and says so


def _models(name: str, kind: TypeEngine[Any]) -> tuple[type[Any], type[Any]]:
    """Return a model whose key begins with the type, and one that refers to it with the columns reversed."""
    parent = {
        "__tablename__": f"every_{name}",
        "value": mapped_column(kind, primary_key=name not in UNHASHABLE, nullable=False),
        "number": mapped_column(Integer, primary_key=True, autoincrement=False),
        "note": mapped_column(Text, nullable=True),
        "children": relationship(f"Child_{name}", order_by=f"Child_{name}.id"),
    }
    table = f"every_{name}"
    foreign_key = ForeignKeyConstraint(["number", "value"], [f"{table}.number", f"{table}.value"])
    if name in {"chars", "varchars", "numerics"}:  # which PostgreSQL refuses to check, for want of an operator
        foreign_key.ddl_if(dialect="none")
    child = {
        "__tablename__": f"every_{name}_children",
        "__table_args__": (foreign_key,),
        "id": mapped_column(Integer, Identity(), primary_key=True),
        "number": mapped_column(Integer),
        "value": mapped_column(kind),
        "parent": relationship(f"Parent_{name}", viewonly=True),
    }
    # The columns are unique the other way round as well, which a foreign key may name.
    parent["__table_args__"] = (UniqueConstraint("number", "value"),)
    return type(f"Parent_{name}", (Own,), parent), type(f"Child_{name}", (Own,), child)


MODELS = {name: _models(name, kind) for name, (kind, _) in TYPES.items()}


@pytest.fixture(scope="module")
def every_engine(blog_engine: Engine) -> Iterator[Engine]:
    """The tables of all types, made once."""
    Own.metadata.create_all(blog_engine)
    yield blog_engine
    Own.metadata.drop_all(blog_engine)


@pytest.fixture
def db(every_engine: Engine) -> Iterator[orm.Session]:
    """A session that is rolled back."""
    with orm.Session(every_engine) as db:
        yield db
        db.rollback()


def _shown(row: Any) -> Any:  # noqa: ANN401 - of any type
    """Return a row's value; blanks at the end of `char(n)` are the server's."""
    value = row.value
    if isinstance(value, list):
        return [item.rstrip() if isinstance(item, str) else item for item in value]
    return value.rstrip(" ") if type(value) is str else value


def _stored(name: str, value: Any) -> Any:  # noqa: ANN401 - of any type
    """Return a value as the server keeps it: a moment of few digits is rounded."""
    if name not in DIGITS:
        return value
    if isinstance(value, time):
        return _stored(name, datetime.combine(DAY, value)).time()
    exact = value.microsecond if isinstance(value, datetime) else value.microseconds
    return value + timedelta(microseconds=round(exact, DIGITS[name] - 6) - exact)


@pytest.mark.parametrize("name", TYPES)
def test_what_was_written_is_found(db: orm.Session, name: str) -> None:
    """By equality, by its key in both orders, by include from both sides, and by an upsert, alone and in bulk."""
    values = TYPES[name][1]
    rows, children = (Repository(db, model) for model in MODELS[name])
    rows.create(value=values[0], number=0)
    assert rows.create_many([{"number": n, "value": value} for n, value in enumerate(values[1:], 1)]) == len(values) - 1
    children.create_many([{"number": n, "value": value} for n, value in enumerate(values)] * 2)
    for number, value in enumerate(values):
        assert [row.number for row in rows.find_many(value=value)] == [number]
        found = rows.get(value=value, number=number, include=["children.parent"])
        assert _shown(found) == _stored(name, value)
        assert [child.parent for child in found.children] == [found, found]
        assert rows.upsert({"number": number, "value": value}, create={}, update={"note": "one"}).note == "one"
        assert rows.update({"number": number, "value": value}, note="two").number == number
    assert rows.upsert_many(
        [{"number": n, "value": value, "note": "many"} for n, value in enumerate(values)],
        key=["number", "value"],
        update=["note"],
    ) == len(values)
    assert {row.note for row in rows.find_many()} == {"many"}


@pytest.mark.parametrize("name", TYPES)
def test_expressions_of_a_host(db: orm.Session, name: str) -> None:
    """A host's own comparisons find what equalities find: alone, in IN, as rows, negated, and in what is written."""
    model, values = MODELS[name][0], TYPES[name][1]
    rows = Repository(db, model)
    rows.create_many([{"number": number, "value": value} for number, value in enumerate(values)])
    for number, value in enumerate(values):
        conditions = [
            model.value == value,
            model.value.in_([value]),
            model.value.between(value, value),
            model.value.is_not_distinct_from(value),
            not_(model.value != value),
            tuple_(model.value, model.number).in_([(value, number)]),
            tuple_(model.number, model.value) == tuple_(number, literal(value, TYPES[name][0])),
            model.number.in_(select(model.number).where(model.value == value)),
        ]
        if name != "bool":  # which SQLAlchemy does not order
            conditions.append(and_(model.value <= value, model.value >= value))
        for condition in conditions:
            assert [row.number for row in rows.find_many(condition)] == [number], str(condition)
    assert rows.count(model.value.in_(values)) == len(values)
    assert rows.count(model.value.not_in(values)) == 0
    assert rows.update_many(true(), note=case((model.value == values[0], "first"), else_="other")) == len(values)
    assert [row.number for row in rows.find_many(note="first")] == [0]
    assert rows.delete_many(model.value != values[0]) == len(values) - 1


@pytest.mark.parametrize("name", sorted(TYPES.keys() - UNPAGED))
def test_a_walk_by_pages(db: orm.Session, name: str) -> None:
    """A walk of one row a page, there and back, in every order, meets every row once and ends."""
    values = TYPES[name][1]
    rows = Repository(db, MODELS[name][0])
    rows.create_many([{"number": n, "value": value} for n, value in enumerate([*values, *values])])
    for order in (["value"], ["-value"], ["value", "-number"]):
        expected = [(_shown(row), row.number) for row in rows.find_many(order_by=[*order, *_rest(order)])]
        page = rows.page(order_by=order, size=1)
        seen = [(_shown(row), row.number) for row in page.items]
        while page.has_next:
            page = rows.page(order_by=order, size=1, after=page.end_cursor)
            seen += [(_shown(row), row.number) for row in page.items]
            assert len(seen) <= len(expected)
        assert seen == expected
        back = rows.page(order_by=order, size=len(seen), before=page.start_cursor)
        assert [(_shown(row), row.number) for row in back.items] == expected[:-1]


@pytest.fixture(scope="module")
def by_session(blog_url: str) -> Iterator[Engine]:
    """An engine on which somebody listens to each statement, so that calls go through a session."""
    engine = create_engine(blog_url)
    event.listen(engine, "before_cursor_execute", lambda *_: None)
    yield engine
    engine.dispose()


@pytest.mark.parametrize("name", TYPES)
def test_by_plan_and_by_session(every_engine: Engine, by_session: Engine, name: str) -> None:
    """On an engine a value is written and read as a session does it, in each direction."""
    parent, child = MODELS[name]
    engines = (every_engine, by_session)
    try:
        for number, value in enumerate(TYPES[name][1]):
            for way, engine in enumerate(engines):
                made = Repository(engine, parent).create(value=value, number=2 * number + way)
                assert made.value == value
                Repository(engine, child).create(value=value, number=made.number)
            for way in range(2):
                key = {"value": value, "number": 2 * number + way}
                first, second = (Repository(engine, parent).get(**key, include="children.parent") for engine in engines)
                assert [_columns(row) for row in (first, *first.children)] == [
                    _columns(row) for row in (second, *second.children)
                ]
                assert first.children[0].parent is first
                changes: list[Callable[[Repository[Any]], Any]] = [
                    lambda rows, key=key: rows.update(key, note="one"),  # type: ignore[misc]
                    lambda rows, key=key: rows.upsert(key, create={}, update={"note": "two"}),  # type: ignore[misc]
                    lambda rows, value=value: rows.find_many(value=value, order_by="number")[-1],  # type: ignore[misc]
                    lambda rows, value=value: rows.count(value=value),  # type: ignore[misc]
                ]
                for change in changes:
                    answers = [change(Repository(engine, parent)) for engine in engines]
                    assert _columns(answers[0]) == _columns(answers[1])
    finally:
        Repository(every_engine, child).delete_many(all=True)
        Repository(every_engine, parent).delete_many(all=True)


def _columns(row: object) -> object:
    """Return what a row has, with the types, which may be equal where they are not the same."""
    if isinstance(row, int):
        return row
    return {
        name: (type(value), value) for name, value in vars(row).items() if name in {"id", "value", "number", "note"}
    }


def _rest(order: list[str]) -> list[str]:
    return [] if len(order) > 1 else ["-number" if order[0].startswith("-") else "number"]
