"""Values that a type allows and a list, a comparison or Python itself has trouble with."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any, cast

import pytest
from sqlalchemy import (
    CHAR,
    DateTime,
    Engine,
    ForeignKey,
    Identity,
    Integer,
    Table,
    Text,
    cast as cast_in_sql,
    func,
    literal_column,
    orm,
    text,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import (
    ARRAY,
    CITEXT,
    DATERANGE,
    INET,
    INT4MULTIRANGE,
    INT4RANGE,
    JSONB,
    TSTZRANGE,
    Range,
)
from sqlalchemy.ext.associationproxy import AssociationProxy, association_proxy
from sqlalchemy.orm import DeclarativeBase, Mapped, MappedAsDataclass, mapped_column, relationship

from pgauthkit.errors import NotNullViolationError, RepositoryError
from pgauthkit.repositories import Repository
from pgauthkit.repositories.generic.typed import same

START = datetime(2026, 1, 1, tzinfo=UTC)


class Own(DeclarativeBase):
    """A base whose tables are created in the test's transaction."""


class Spans(Own):
    __tablename__ = "kinds_spans"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    moments: Mapped[Any] = mapped_column(TSTZRANGE, nullable=True)
    days: Mapped[Any] = mapped_column(DATERANGE, nullable=True)
    numbers: Mapped[Any] = mapped_column(INT4RANGE, nullable=True)
    several: Mapped[Any] = mapped_column(INT4MULTIRANGE, nullable=True)
    address: Mapped[Any] = mapped_column(INET, nullable=True)
    at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True))


class Shop(Own):
    __tablename__ = "kinds_shops"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    prices: Mapped[list["Price"]] = relationship()


class Price(Own):
    __tablename__ = "kinds_prices"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    shop_id: Mapped[int] = mapped_column(ForeignKey(Shop.id))
    until: Mapped[datetime | None] = mapped_column("validUntil", DateTime(timezone=True))
    day: Mapped[date]


class Keyed(Own):
    __tablename__ = "kinds_keyed"

    code: Mapped[str] = mapped_column(CHAR(4), primary_key=True)
    path: Mapped[list[str]] = mapped_column(ARRAY(Text), unique=True)
    span: Mapped[Any] = mapped_column(INT4RANGE, unique=True, nullable=True)
    size: Mapped[int] = mapped_column(default=0)


class Named(Own):
    """Columns that are called as parameters are, and variables of ours."""

    __tablename__ = "given"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    key: Mapped[str] = mapped_column(unique=True)
    take: Mapped[int] = mapped_column(default=1)
    include: Mapped[str] = mapped_column(default="a")
    where: Mapped[str] = mapped_column(default="b")
    call: Mapped[str] = mapped_column(default="c")
    values: Mapped[str] = mapped_column(default="d")
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("given.id"))

    children: Mapped[list["Named"]] = relationship()


class Written(MappedAsDataclass, DeclarativeBase):
    """A base of dataclasses."""


class Note(Written):
    __tablename__ = "kinds_notes"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True, init=False)
    name: Mapped[str]
    extra: Mapped[dict[str, Any] | None] = mapped_column(JSONB, default=None)
    lines: Mapped[list["Line"]] = relationship(back_populates="note", default_factory=list)
    numbers: AssociationProxy[list[int]] = association_proxy("lines", "id", init=False)
    words: Mapped[str | None] = mapped_column(deferred=True, default=None)


class Line(Written):
    __tablename__ = "kinds_lines"

    id: Mapped[int] = mapped_column(Identity(always=True), primary_key=True, init=False)
    note_id: Mapped[int] = mapped_column(ForeignKey(Note.id))
    note: Mapped[Note | None] = relationship(back_populates="lines", default=None)
    title: AssociationProxy[str | None] = association_proxy("note", "name", init=False)


@pytest.fixture
def db(blog_engine: Engine) -> Iterator[orm.Session]:
    """A session whose tables are rolled back with the rest."""
    with blog_engine.connect() as connection, orm.Session(connection) as db:
        for base in (Own, Written):
            base.metadata.create_all(connection)
        yield db
        db.rollback()


SPANS: list[dict[str, Any]] = [
    {"moments": Range(START, START + timedelta(1)), "days": Range(date(2026, 1, 1), None), "numbers": Range(1, 5)},
    {"moments": Range(START, None), "days": Range(None, date(2026, 1, 1)), "numbers": Range(empty=True)},
    {"moments": Range(empty=True), "days": Range(None, None), "numbers": Range(None, None)},
    {"several": [Range(1, 2), Range(4, None)], "address": ip_address("192.0.2.1"), "at": START},
    {"several": [], "address": ip_address("2001:db8::1"), "at": START + timedelta(microseconds=1)},
    {"several": None, "address": ip_network("192.0.2.0/24"), "numbers": None, "at": None},
]


def test_ranges_and_addresses_in_bulk(db: orm.Session) -> None:
    """Ranges that are empty, open or full, and addresses of both families, are written in one batch as one by one."""
    rows = Repository(db, Spans)
    names = ("moments", "days", "numbers", "several", "address", "at")
    whole: list[dict[str, Any]] = [{name: row.get(name) for name in names} for row in SPANS]
    last = [rows.create(**row).id for row in whole][-1]
    assert rows.create_many(whole) == len(whole)
    assert rows.upsert_many([{"id": last, **whole[0]}], key="id", update=names) == 1
    rows.update({"id": last}, **whole[-1])
    shown = [[getattr(row, name) for name in names] for row in rows.find_many(order_by="id")]
    assert shown[: len(SPANS)] == shown[len(SPANS) :]
    assert len(rows.find_many(numbers=Range(empty=True))) == 2


def test_moments_with_a_zone_and_without(db: orm.Session) -> None:
    """A list that mixes them is sent as text, and the server reads each as it would alone."""
    rows = Repository(db, Spans)
    mixed = [START, START.replace(tzinfo=None)]
    assert len(rows.create_many([{"at": at} for at in mixed], returning=True)) == 2


@pytest.mark.parametrize("column", ["validUntil", "day"])
def test_a_moment_that_python_does_not_have(db: orm.Session, column: str) -> None:
    """One `infinity` is reported with its table and its column, from where it was read, whichever way that was."""
    rows = Repository(db, Price)
    shop = Repository(db, Shop).create()
    rows.create(shop_id=shop.id, until=START, day=START.date())
    rows.create(shop_id=shop.id, day=START.date())
    db.execute(update(cast("Table", Price.__table__)).where(Price.id == 1).values({column: text("'infinity'")}))
    for read in (
        rows.find_many,
        lambda: rows.page(order_by="id", size=2),
        lambda: Repository(db, Shop).get(id=shop.id, include=["prices"]),
    ):
        with pytest.raises(RepositoryError, match=rf"kinds_prices\.{column} holds a value that Python") as caught:
            read()
        assert (caught.value.table, caught.value.columns) == ("kinds_prices", (column,))
    with pytest.raises(RepositoryError, match="The column last holds"):
        rows.aggregate(last=func.max(literal_column(f'"{column}"')))


def test_a_value_that_the_driver_cannot_send(db: orm.Session) -> None:
    """What fails on the way to the server is not reported as unreadable."""
    with pytest.raises(RepositoryError, match="refused"):
        Repository(db, Price).find_many(text("'a' = :x").bindparams(x="\0"))  # type: ignore[arg-type]


def test_keys_that_are_equal_for_the_server(db: orm.Session) -> None:
    """Two rows of a batch whose keys are equal for the database are refused in words, before or by it."""
    rows = Repository(db, Keyed)
    for key, values in (("code", ["a", "a  "]), ("path", [["x", "y"], ["x", "y"]])):
        batch = [{"code": str(number), "path": [str(number)], key: value} for number, value in enumerate(values)]
        with pytest.raises(RepositoryError, match="have the same"):
            rows.upsert_many(batch, key=key, update=["size"])
    spans = [Range(1, 5), Range(1, 4, bounds="[]")]
    unequal = [{"code": str(n), "path": [str(n)], "span": span, "size": 1} for n, span in enumerate(spans)]
    with pytest.raises(RepositoryError, match="equal for the database"):
        rows.upsert_many(unequal, key="span", update=["size"])


def test_what_a_key_is_compared_by() -> None:
    """The case of citext does not count, and what cannot be hashed goes by what it shows."""
    assert same(CITEXT(), "Ada") == same(CITEXT(), "ada") != same(Text(), "Ada")
    assert same(ARRAY(CITEXT), ["A", None]) == ("a", None)
    assert same(JSONB(), {"a": 1}) == "{'a': 1}"


def test_upsert_with_an_array_as_key(db: orm.Session) -> None:
    """An array is a key like another."""
    rows = Repository(db, Keyed)
    rows.upsert_many([{"code": "a", "path": ["x"]}, {"code": "b", "path": ["x", "y"]}], key="path", update=[])
    assert rows.upsert({"path": ["x"]}, create={"code": "c"}, update={"size": 3}).code == "a   "
    assert rows.get(path=["x"]).size == 3


def test_columns_named_as_parameters(db: orm.Session) -> None:
    """They are written by name and asked for by expressions; a table may have the name of a subquery of ours."""
    rows = Repository(db, Named)
    top = rows.create(key="theme", take=5, include="x", where="y", call="z", values="v")
    rows.create_many([{"key": "under", "take": 7, "parent_id": top.id}])
    assert rows.update({"key": "theme"}, key="colour", take=6, call="w").take == 6
    assert rows.update_many(true(), include="i", where="w", values="u") == 2
    assert rows.upsert({"key": "colour"}, create={"take": 1}, update={"where": "changed"}).where == "changed"
    assert [row.key for row in rows.find_many(Named.take == 7, Named.include == "i", where="w", call="c")] == ["under"]
    assert [child.key for child in rows.get(id=top.id, include=["children"]).children] == ["under"]
    assert rows.page(order_by="take", size=1).items[0].key == "colour"


def test_mapped_dataclasses(db: orm.Session) -> None:
    """What a constructor does not take is set afterwards, a default None is NULL, and what is missing is reported."""
    rows = Repository(db, Note)
    assert rows.create(name="a", id=7).id == 7
    assert rows.find_many(extra=None)[0].id == 7
    with pytest.raises(RepositoryError, match="constructor of Note wants name"):
        rows.create(extra={})
    with pytest.raises(NotNullViolationError):
        rows.create_many([{"extra": {}}])


def test_repr_asks_for_nothing(db: orm.Session) -> None:
    """The repr of a dataclass, which shows relations as well, raises nothing and sends nothing."""
    Repository(db, Note).create(name="a")
    db.expunge_all()
    note = Repository(db, Note).find_many()[0]
    assert "name='a'" in repr(note)
    assert "words" not in vars(note)  # as it is deferred, it was not read for that either
    for name in ("lines", "numbers"):
        with pytest.raises(RepositoryError, match=r"Note\.lines was not loaded"):
            list(getattr(note, name))


def test_words_of_a_refusal(db: orm.Session) -> None:
    """A number for a key that the server numbers, and a text where a number is read, are refused in words."""
    note = Repository(db, Note).create(name="a")
    with pytest.raises(RepositoryError, match="GENERATED ALWAYS was given a value"), db.begin_nested():
        Repository(db, Line).upsert({"id": 7}, create={"note_id": note.id}, update={})
    with pytest.raises(RepositoryError, match="not written as its type"):
        Repository(db, Note).exists(cast_in_sql(Note.name, Integer) == 1)


def test_repr_of_association_proxies(db: orm.Session) -> None:
    """Neither does the repr of a proxy through a relation, to many rows or to one, and it spoils no later read."""
    note = Repository(db, Note).create(name="a")
    lines = Repository(db, Line)
    line_id = lines.create(note_id=note.id).id
    db.expunge_all()
    note, line = Repository(db, Note).get(id=note.id), lines.get(id=line_id)
    assert "numbers=[]" in repr(note)
    assert "title=None" in repr(line)
    with pytest.raises(RepositoryError, match=r"Line\.note was not loaded"):
        _ = line.title
    assert Repository(db, Note).get(id=note.id, include=["lines"]).numbers == [line_id]
    assert lines.get(id=line_id, include=["note"]).title == "a"
