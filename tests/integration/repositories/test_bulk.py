"""Bulk: `create_many` and `upsert_many`."""

import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import (
    ARRAY,
    BigInteger,
    ColumnElement,
    Dialect,
    Enum,
    Identity,
    Integer,
    LargeBinary,
    Numeric,
    Sequence as DatabaseSequence,
    String,
    Text,
    TypeDecorator,
    func,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine.default import DefaultExecutionContext
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.integration.repositories.conftest import Account, Category, Post, Product, Team, Work

from pgauthkit.errors import (
    CheckViolationError,
    InvalidEmailError,
    NotAUniqueKeyError,
    NotNullViolationError,
    RepositoryError,
    UniqueViolationError,
    ValueTooLongError,
)
from pgauthkit.models import User, UserRole
from pgauthkit.repositories import Repository

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)


class Base(DeclarativeBase): ...


def doubled(context: DefaultExecutionContext) -> int:
    parameters: Mapping[str, int | None] = context.get_current_parameters()  # type: ignore[no-untyped-call]  # theirs
    number = parameters.get("number") or 0
    return number * 2


class Upper(TypeDecorator[str]):
    """A type that the database converts."""

    impl = String(9)
    cache_ok = True

    def bind_expression(self, bindvalue: Any) -> ColumnElement[str]:  # noqa: ANN401 - SQLAlchemy's
        return func.upper(bindvalue)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:  # noqa: ARG002 - SQLAlchemy's
        return value and value.strip()


class Mixed(Base):
    """Every kind of type and default that bulk must treat alike with `create`."""

    __tablename__ = "mixed"

    id: Mapped[int] = mapped_column(DatabaseSequence("mixed_ids"), primary_key=True)
    number: Mapped[int | None] = mapped_column(Integer)
    double: Mapped[int | None] = mapped_column(default=doubled)
    word: Mapped[str | None] = mapped_column(String(5), default="none")
    loud: Mapped[str | None] = mapped_column(Upper)
    colour: Mapped[Team | None] = mapped_column(Enum(Team, name="colour"))
    amount: Mapped[Decimal | None] = mapped_column(Numeric(6, 2))
    ratio: Mapped[float | None]
    flag: Mapped[bool | None] = mapped_column(server_default="true")
    at: Mapped[datetime] = mapped_column(default=func.localtimestamp())
    day: Mapped[date | None]
    key: Mapped[UUID | None]
    raw: Mapped[bytes | None] = mapped_column(LargeBinary)
    document: Mapped[Any] = mapped_column(JSONB, nullable=True)
    words: Mapped[list[str | None] | None] = mapped_column(ARRAY(String(9)))
    matrix: Mapped[list[list[int]] | None] = mapped_column(ARRAY(Integer, dimensions=2))


class Plain(Base):
    """All that it has may be the same in every row."""

    __tablename__ = "plain"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    words: Mapped[list[str]] = mapped_column(ARRAY(Text), default=["a", 'b"'])
    team: Mapped[Team] = mapped_column(Enum(Team, name="plain_team"), default=Team.BLUE)


class Noted(Base):
    """Rows that tell which thread made them."""

    __tablename__ = "noted"

    id: Mapped[int] = mapped_column(primary_key=True)
    thread: Mapped[int] = mapped_column(BigInteger, default=threading.get_ident)


ROWS: list[dict[str, Any]] = [
    {"number": 1, "colour": Team.RED, "loud": " abc ", "amount": Decimal("1.10"), "key": UUID(int=7)},
    {"number": 2, "word": 'a"\\,\n', "ratio": 0.5, "flag": False, "day": date(2026, 1, 31), "raw": b"\0\\\xff"},
    {
        "number": 3,
        "word": None,
        "flag": None,
        "document": {"a": ['"', None]},
        "words": ["x", None, "", 'q"\\,{', "NULL"],
    },
    {
        "number": None,
        "double": 9,
        "document": None,
        "words": [],
        "matrix": [[1, 2], [3, 4]],
        "at": datetime(2026, 1, 1),  # noqa: DTZ001 - a timestamp without a zone
    },
    {"number": 5, "document": [], "words": None, "matrix": None, "loud": None, "key": None, "raw": None, "day": None},
]


@pytest.fixture
def mixed_table(work: Work) -> None:
    work.call(lambda: Base.metadata.create_all(work.db.connection()))
    work.sent()


def shown(found: list[Mixed]) -> list[dict[str, Any]]:
    names = [column.key for column in Mixed.__table__.columns if column.key not in {"id", "at"}]
    return sorted(({name: getattr(row, name) for name in names} for row in found), key=repr)


@pytest.mark.usefixtures("mixed_table")
def test_as_create(work: Work) -> None:
    """Rows written in bulk are equal to those written one by one, whatever their types and defaults."""
    mixed = work.of(Mixed)
    last = max(mixed.create(**row).id for row in ROWS)
    assert len(ROWS) == mixed.create_many(ROWS)
    assert shown(mixed.find_many(Mixed.id <= last)) == shown(mixed.find_many(Mixed.id > last))


@pytest.mark.usefixtures("mixed_table")
def test_none_for_a_default_in_rows_of_the_same_columns(work: Work) -> None:
    """None asks for the default, as in `create`, in the rows that give it and in no other."""
    rows: list[dict[str, Any]] = [
        {"number": 1, "word": "own", "flag": False},
        {"number": 2, "word": None, "flag": None},
    ]
    found = work.of(Mixed).create_many(rows, returning=True)
    assert [(row.number, row.word, row.flag) for row in found] == [(1, "own", False), (2, "none", True)]


@pytest.mark.usefixtures("mixed_table")
def test_rows_of_defaults(work: Work) -> None:
    """What all rows have in common is sent once, and there are as many rows as were given, also where nothing was."""
    found = work.of(Plain).create_many([{}, {}, {}], returning=True)
    found += work.of(Plain).create_many([{"team": Team.RED}, {"team": Team.BLUE}], returning=True)
    assert [row.team for row in found] == [*[Team.BLUE] * 3, Team.RED, Team.BLUE]
    assert {tuple(row.words) for row in found} == {("a", 'b"')}


@pytest.mark.usefixtures("mixed_table")
def test_types_in_long_columns(work: Work) -> None:
    """Also where a column holds values and NULLs by turns."""
    rows = [{name: row.get(name) for name in ("colour", "raw", "words", "amount", "key")} for row in ROWS * 3]
    found = work.of(Mixed).create_many(rows, returning=True)
    assert rows == [{name: getattr(row, name) for name in rows[0]} for row in found]


def test_one_statement(work: Work, user: User) -> None:
    """Rows with the same columns are one statement, and their number is returned; ids are Python's."""
    posts = work.of(Post)
    assert posts.create_many({"title": t, "content": "", "author_id": user.id} for t in "ABC") == 3
    assert len(work.sent()) == 1
    assert len(posts.find_many(title="B")[0].id) == 25
    assert posts.create_many([]) == 0


@pytest.mark.in_session
def test_returning(work: Work, user: User) -> None:
    """The rows are returned in their order, complete, and known to the session."""
    rows = [{"title": str(n), "content": "", "author_id": user.id} for n in range(100)]
    found = work.of(Post).create_many(rows, returning=True)
    assert [row["title"] for row in rows] == [post.title for post in found]
    assert found[7] is work.of(Post).get(id=found[7].id)
    with pytest.raises(RepositoryError, match="was not loaded"):
        _ = found[7].author


def test_batches_and_progress(work: Work) -> None:
    """So many rows at a time, and after each statement the number so far; rows with other columns go on their own."""
    told: list[int] = []
    rows = [{"email": f"{n}@example.com"} if n != 3 else {"email": "x", "age": 3} for n in range(5)]
    assert work.of(Account).create_many(rows, batch_size=2, on_progress=told.append) == 5
    assert (told, len(work.sent())) == ([2, 3, 4, 5], 4)
    told.clear()
    rows = [{"number": str(n), "email": f"n{n}@example.com"} for n in range(5)]
    assert work.of(Account).upsert_many(rows, "number", [], batch_size=3, on_progress=told.append) == 5
    assert told == [3, 5]


@pytest.mark.in_session
@pytest.mark.usefixtures("mixed_table")
def test_the_iterator_stays_with_its_caller(work: Work) -> None:
    """It is read in the caller's thread, a batch ahead, and may use the session; later batches' defaults in another."""
    here, noted = threading.get_ident(), Repository(work.db, Noted)
    taken: list[tuple[int, int]] = []

    def rows() -> Iterator[dict[str, int]]:
        for number in range(6):
            taken.append((threading.get_ident(), noted.count()))
            yield {"id": number}

    assert work.of(Noted).create_many(rows(), batch_size=2) == 6
    assert taken == [(here, count) for count in (0, 0, 0, 0, 2, 2)]
    made = [row.thread for row in work.of(Noted).find_many(order_by="id")]
    assert made[:2] == [here] * 2
    assert here not in made[2:]
    assert len(set(made[2:])) == 1


def test_skip_duplicates(work: Work) -> None:
    """Rows whose key exists already, or twice among them, are left out and not counted."""
    accounts = work.of(Account)
    accounts.create(email="a", number="1")
    rows = [{"email": email, "number": number} for email, number in (("b", "1"), ("c", "2"), ("c", "3"), ("d", None))]
    assert [row.email for row in accounts.create_many(rows, skip_duplicates=True, returning=True)] == ["c", "d"]
    assert accounts.create_many(rows[:3], skip_duplicates=True) == 0


def test_validators(work: Work) -> None:
    """Validators apply to every row."""
    emails = [f"USER{n}@Example.com" for n in range(3)]
    assert work.users.create_many({"email": email, "role": UserRole.ADMIN} for email in emails) == 3
    assert [email.lower() for email in emails] == [user.email for user in work.users.find_many(order_by="email")]
    with pytest.raises(InvalidEmailError):
        work.users.create_many([{"email": "nobody"}])


def test_flat_memory(work: Work) -> None:
    """A million rows from an iterator are never held: here the first thousands, until the iterator is stopped."""
    peaks: list[int] = []

    def rows() -> Iterator[dict[str, object]]:
        for number in range(40_000):
            if number % 10_000 == 0:
                peaks.append(tracemalloc.get_traced_memory()[1])
                tracemalloc.reset_peak()
            yield {"id": number, "parent_id": None}

    tracemalloc.start()
    assert work.of(Category).create_many(rows(), batch_size=1000) == 40_000
    tracemalloc.stop()
    assert peaks[-1] < peaks[1] * 1.5


def test_upsert_many(work: Work) -> None:
    """New rows are inserted, existing ones take over the columns named, and `updated_at` moves; one statement."""
    products = work.of(Product)
    old = products.create(team=Team.RED, number=1, price=Decimal(1), extra={"old": True})
    work.call(lambda: work.db.execute(update(Product).values(updated_at=LONG_AGO)))
    work.sent()
    rows = [{"team": Team.RED, "number": n, "price": Decimal(n * 10), "extra": {"new": n}} for n in (2, 1)]
    assert products.upsert_many(rows, ["team", "number"], ["price"]) == 2
    assert len(work.sent()) == 1
    first, second = products.find_many(order_by="number")
    assert (old.id, Decimal(10), {"old": True}) == (first.id, first.price, first.extra)
    assert (Decimal(20), {"new": 2}) == (second.price, second.extra)
    assert first.updated_at > LONG_AGO


def test_upsert_many_leaves_existing_rows(work: Work) -> None:
    """With nothing to take over, existing rows stay and are not counted; so do deleted ones, in any case."""
    accounts = work.of(Account)
    accounts.create(email="a", number="1")
    accounts.delete({"id": accounts.create(email="b", number="2").id})
    rows = [{"email": "new", "number": number, "age": 5} for number in "1"]
    assert accounts.upsert_many(rows, "number", []) == 0
    rows = [{"email": f"new{number}", "number": number, "age": 5} for number in "123"]
    assert accounts.upsert_many(rows, "number", ["age"]) == 2
    assert {row.number: row.age for row in accounts.find_many(with_deleted=True)} == {"1": 5, "2": 0, "3": 5}
    assert accounts.upsert_many([{"email": "a", "age": 6}], "email", ["age"]) == 1
    assert accounts.get(email="a").age == 6


@pytest.mark.parametrize(
    ("write", "kind", "message"),
    [
        (lambda work: work.of(Post).create_many([{"nope": 1}]), RepositoryError, "Post has no column 'nope'"),
        (lambda work: work.of(Post).create_many([{"author": 1}]), RepositoryError, "It is a relation"),
        (lambda work: work.of(Post).create_many([], batch_size=0), RepositoryError, "batch_size is not positive"),
        (lambda work: work.of(Post).create_many([{"title": "\0"}]), RepositoryError, "posts.title holds a NUL"),
        (
            lambda work: work.of(Account).create_many([{"number": "1"}, {"number": "123456789"}]),
            ValueTooLongError,
            "accounts.number is longer than 8",
        ),
        (lambda work: work.of(Product).create_many([{"team": "GREEN"}]), CheckViolationError, "is none of RED, BLUE"),
        (lambda work: work.of(Account).upsert_many([{}], "age", []), NotAUniqueKeyError, "no unique key"),
        (lambda work: work.of(Account).upsert_many([{}], "number", ["nope"]), RepositoryError, "no column 'nope'"),
        (
            lambda work: work.of(Account).upsert_many([{"number": "1", "email": e} for e in "ab"], "number", ["email"]),
            RepositoryError,
            "Two rows of a batch for Account have the same number",
        ),
        (
            lambda work: work.of(Account).upsert_many([{"number": None}], "number", []),
            RepositoryError,
            "A row for Account has no value for number",
        ),
        (
            lambda work: work.of(Account).upsert_many([{"number": "1"}], "number", ["age"]),
            RepositoryError,
            "A row for Account has no value for age",
        ),
    ],
)
def test_refused_before_any_sql(
    work: Work, write: Callable[[Work], object], kind: type[RepositoryError], message: str
) -> None:
    """Wrong rows are refused with the model and the column, and their batch is not sent."""
    with pytest.raises(kind, match=message):
        write(work)
    assert work.sent() == []


def test_violations(work: Work, user: User) -> None:
    """What the server refuses in bulk has the same errors."""
    with pytest.raises(UniqueViolationError) as unique, work.savepoint():
        work.users.create_many([{"email": "new@example.com"}, {"email": user.email}])
    assert unique.value.columns == ("email",)
    with pytest.raises(NotNullViolationError) as missing, work.savepoint():
        work.of(Post).create_many([{"title": "x", "author_id": user.id}])
    assert missing.value.columns == ("content",)


def test_columns_that_are_all_null(work: Work) -> None:
    """A column of nothing but NULL keeps its type."""
    found = work.of(Product).create_many(
        [{"team": Team.RED, "number": n, "owner_id": None, "extra": None} for n in range(3)], returning=True
    )
    assert [(product.owner_id, product.extra) for product in found] == [(None, None)] * 3
