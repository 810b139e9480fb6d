"""What was written is found, by equality, key, include, page and upsert, whatever the type of its column."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import StrEnum
from ipaddress import ip_address
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
    UniqueConstraint,
    Uuid,
    orm,
)
from sqlalchemy.dialects.postgresql import ARRAY, INET, INT4RANGE, JSONB, Range
from sqlalchemy.orm import DeclarativeBase, mapped_column, relationship
from sqlalchemy.types import TypeEngine

from pgauthkit.repositories import Repository


class Own(DeclarativeBase):
    """A base whose tables are created in the test's transaction."""


class Size(StrEnum):
    SMALL = "small"
    LARGE = "large"


START = datetime(2026, 1, 1, tzinfo=UTC)
DAY = START.date()
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
    "span": (INT4RANGE(), [Range(1, 5, bounds="[)"), Range(2, None), Range(3, 4, bounds="[)")]),
}
UNHASHABLE = {"jsonb", "texts", "reals", "chars", "integers"}  # SQLAlchemy has no such primary keys
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
    if name == "chars":  # which PostgreSQL refuses to check, for want of an operator
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
    return value.rstrip() if isinstance(value, str) else value


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
        assert _shown(found) == value
        assert [child.parent for child in found.children] == [found, found]
        assert rows.upsert({"number": number, "value": value}, create={}, update={"note": "one"}).note == "one"
        assert rows.update({"number": number, "value": value}, note="two").number == number
    assert rows.upsert_many(
        [{"number": n, "value": value, "note": "many"} for n, value in enumerate(values)],
        key=["number", "value"],
        update=["note"],
    ) == len(values)
    assert {row.note for row in rows.find_many()} == {"many"}


@pytest.mark.parametrize("name", sorted(TYPES.keys() - UNPAGED))
@pytest.mark.parametrize("order", [["value"], ["-value"], ["value", "-number"]])
def test_a_walk_by_pages(db: orm.Session, name: str, order: list[str]) -> None:
    """A walk of one row a page, there and back, meets every row once and ends."""
    values = TYPES[name][1]
    rows = Repository(db, MODELS[name][0])
    rows.create_many([{"number": n, "value": value} for n, value in enumerate([*values, *values])])
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


def _rest(order: list[str]) -> list[str]:
    return [] if len(order) > 1 else ["-number" if order[0].startswith("-") else "number"]
