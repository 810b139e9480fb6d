"""Pages: forward and back, in mixed directions, while others write; and cursors that are not ours."""

import base64
import hashlib
import itertools
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest
from hypothesis import assume, given, strategies as st
from sqlalchemy import Column, Engine, Enum, Text, func, orm
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.integration.repositories.conftest import Account, Post, Product, Team, Work, create_tables

from pgauthkit.database import create_engine
from pgauthkit.errors import RepositoryError
from pgauthkit.models import User
from pgauthkit.repositories import Page, Repository
from pgauthkit.repositories.generic.cursors import read_cursor, write_cursor
from pgauthkit.testing import TestServer

Order = list[str]


class Base(DeclarativeBase): ...


class Moment(Base):
    """A primary key of many types, each of which a cursor must hold."""

    __tablename__ = "moments"

    at: Mapped[datetime] = mapped_column(primary_key=True)
    day: Mapped[date] = mapped_column(primary_key=True)
    clock: Mapped[time] = mapped_column(primary_key=True)
    lasting: Mapped[timedelta] = mapped_column(primary_key=True)
    ratio: Mapped[float] = mapped_column(primary_key=True)
    key: Mapped[UUID] = mapped_column(primary_key=True)
    raw: Mapped[bytes] = mapped_column(primary_key=True)
    team: Mapped[Team] = mapped_column(Enum(Team, native_enum=False), primary_key=True)


@pytest.fixture
def products(work: Work) -> Repository[Product]:
    """Twelve products with prices and numbers that repeat."""
    products = work.of(Product)
    products.create_many(
        {"team": team, "number": number, "price": Decimal(number % 3)}
        for team, number in itertools.product(Team, range(6))
    )
    work.sent()
    return products


def names(page: Page[Product]) -> list[tuple[str, int]]:
    return [(product.team.name, product.number) for product in page.items]


ORDERS = [
    ["price"],
    ["-price"],
    ["price", "-number"],
    ["-price", "number", "team"],
    ["team", "number"],
    ["id"],
    ["-id"],
    ["-price", "-number"],
]


@pytest.mark.parametrize("order", ORDERS, ids=",".join)
@pytest.mark.parametrize("size", [1, 5, 12, 13])
def test_there_and_back(products: Repository[Product], order: Order, size: int) -> None:
    """Page by page to the end and back to the start come the rows of the whole, in its order."""
    whole = [(p.team.name, p.number) for p in products.find_many(order_by=order, take=99)]
    page = products.page(order_by=order, size=size)
    assert not page.has_previous
    pages = [page]
    while page.has_next:
        page = products.page(order_by=order, size=size, after=page.end_cursor)
        assert page.has_previous
        pages.append(page)
    assert sorted(whole) == sorted(name for page in pages for name in names(page))
    assert [p.price for page in pages for p in page.items] == [p.price for p in sorted_by(products, order)]
    back = [page]
    while page.has_previous:
        page = products.page(order_by=order, size=size, before=page.start_cursor)
        assert page.has_next
        back.append(page)
    assert [name for page in reversed(back) for name in names(page)][-len(whole) :] == [
        name for page in pages for name in names(page)
    ]


def sorted_by(products: Repository[Product], order: Order) -> list[Product]:
    """Sort as the database should."""
    rows = products.find_many(order_by="-id" if order[-1].startswith("-") else "id")
    for name in reversed(order):
        rows.sort(key=lambda row: getattr(row, name.removeprefix("-")), reverse=name.startswith("-"))
    return rows


def test_one_statement(products: Repository[Product], work: Work) -> None:
    """A page is one statement, with its total as well, and one more for a collection."""
    page = products.page(order_by="number", size=5, with_total=True)
    products.page(order_by="number", size=5, after=page.end_cursor, include="owner")
    assert (len(work.sent()), page.total) == (2, 12)
    work.of(Post).page(order_by="-created_at", size=5, include="comments")
    assert len(work.sent()) == 1


@pytest.mark.in_session
def test_what_is_included(work: Work, user: User) -> None:
    """Relations come with the rows of a page."""
    posts = work.of(Post)
    posts.create_many({"title": str(n), "content": "", "author_id": user.id} for n in range(4))
    work.sent()
    page = posts.page(order_by="title", size=3, include=["author", "comments"])
    assert [(str(n), user, []) for n in range(3)] == [(post.title, post.author, post.comments) for post in page.items]
    assert len(work.sent()) == 1


def test_conditions(products: Repository[Product]) -> None:
    """Conditions and equalities choose the rows; orders may be given as attributes, and the total is theirs."""
    page = products.page(Product.number > 3, order_by=[Product.number.desc()], size=1, team=Team.RED, with_total=True)
    assert (names(page), page.total, page.has_next) == ([("RED", 5)], 2, True)
    last = products.page(
        Product.number > 3, order_by=Product.number.desc(), size=9, team=Team.RED, after=page.end_cursor
    )
    assert (names(last), last.has_next, last.has_previous) == ([("RED", 4)], False, True)


def test_empty_pages(products: Repository[Product]) -> None:
    """Behind the last row and before the first there is nothing, and both say on which side the others are."""
    everything = products.page(order_by="number", size=12)
    behind = products.page(order_by="number", size=5, after=everything.end_cursor, with_total=True)
    assert (
        *(behind.items, behind.has_next, behind.has_previous),
        *(behind.start_cursor, behind.end_cursor, behind.total),
    ) == ((), False, True, None, None, 12)
    before = products.page(order_by="number", size=5, before=everything.start_cursor)
    assert (before.items, before.has_next, before.has_previous) == ((), True, False)
    nothing = products.page(order_by="number", size=5, number=99)
    assert (nothing.items, nothing.has_next, nothing.has_previous) == ((), False, False)


def test_all_types(work: Work) -> None:
    """A cursor holds values of every type exactly."""
    work.call(lambda: Base.metadata.create_all(work.db.connection()))
    moments = work.of(Moment)
    start = datetime(2026, 1, 1, 0, 0, 0, 123456)  # noqa: DTZ001 - a timestamp without a zone
    rows = [
        {
            "at": start, "day": date(2026, 1, 1), "clock": time(1, 2, 3, 4), "ratio": 0.1 + 0.2,
            "lasting": timedelta(days=-1, microseconds=7), "key": UUID(int=5), "raw": bytes([n]), "team": Team.BLUE,
        }
        for n in range(5)
    ]  # fmt: skip
    moments.create_many(rows)
    page = moments.page(order_by=["at", "day", "clock", "lasting", "ratio"], size=2)
    rest = moments.page(order_by=["at", "day", "clock", "lasting", "ratio"], size=9, after=page.end_cursor)
    assert [bytes([n]) for n in range(5)] == [row.raw for row in (*page.items, *rest.items)]


@pytest.fixture
def shop(pgauthkit_server: TestServer) -> Iterator[Engine]:
    """A database in which things are committed."""
    with pgauthkit_server.database() as url:
        create_tables(url)
        engine = create_engine(url)
        yield engine
        engine.dispose()


@pytest.mark.parametrize("backward", [False, True])
def test_a_walk_while_others_write(shop: Engine, *, backward: bool) -> None:
    """Rows that stand throughout come exactly once, whatever is inserted and deleted between two pages."""
    with orm.Session(shop) as db, db.begin():
        stand = [str(n) for n in range(0, 100, 2)]
        Repository(db, Account).create_many({"email": f"e{n}", "number": n, "age": int(n) % 7} for n in stand)
    seen: list[str | None] = []
    # Backward from behind the last row: that of age 0 with the greatest address.
    cursor = write_cursor("Account, accounts, age down, email up, id up", [-1, "", ""]) if backward else None
    step, more = 0, True
    while more:
        with orm.Session(shop) as db, db.begin():
            accounts = Repository(db, Account)
            place = {"before" if backward else "after": cursor}
            page = accounts.page(order_by=["-age", "email"], size=7, **place)  # type: ignore[arg-type]
            seen += [account.number for account in page.items]
            cursor = page.start_cursor if backward else page.end_cursor
        with orm.Session(shop) as db, db.begin():
            accounts = Repository(db, Account)
            if step:
                accounts.delete_many(Account.email.like("x%"), hard=step % 2 == 0)
            accounts.create_many({"email": f"x{step}-{age}", "age": age} for age in range(7))
        step, more = step + 1, page.has_previous if backward else page.has_next
    found = [number for number in seen if number]
    assert sorted(stand) == sorted(found)


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda of: of(Account).page(order_by="number", size=5), "not ordered by Account.number: it may be NULL"),
        (lambda of: of(Product).page(order_by="nope", size=5), "Product has no column 'nope'"),
        (lambda of: of(Product).page(order_by=func.lower(Product.id), size=5), "ordered by its columns"),
        (lambda of: of(Product).page(order_by=Product.id.desc().nulls_last(), size=5), "ordered by its columns"),
        (lambda of: of(Product).page(order_by="id", size=0), "positive size"),
        (lambda of: of(Product).page(order_by="id", size=1, after="a", before="b"), "after one row or before one"),
        (lambda of: of(Product).page(order_by="id", size=1, after=""), "garbled"),
        (lambda of: of(Product).page(order_by="id", size=1, after="é"), "garbled"),
    ],
)
def test_refused_before_any_sql(
    work: Work, ask: Callable[[Callable[[type[Any]], Repository[Any]]], object], message: str
) -> None:
    """What cannot be a page is refused, naming the model, and nothing is sent."""
    with pytest.raises(RepositoryError, match=message):
        ask(work.of)
    assert work.sent() == []


def test_a_foreign_cursor(products: Repository[Product], work: Work) -> None:
    """A cursor of another model or order is refused."""
    cursor = products.page(order_by=["number"], size=1).end_cursor
    work.sent()
    for order in (["-number"], ["number", "price"], ["price"], ["id"]):
        with pytest.raises(RepositoryError, match="another model or another order"):
            products.page(order_by=order, size=1, after=cursor)
    with pytest.raises(RepositoryError, match="another model or another order"):
        work.of(Post).page(order_by=["id"], size=1, after=cursor)
    assert work.sent() == []


@pytest.mark.parametrize(
    "payload", ['["a", "b"]', '[["z", "1"]]', '[["e", "X"]]', "[[]]", '[["n", "x"]]', "[null]", "7"]
)
def test_a_forged_cursor(payload: str) -> None:
    """Whoever forges a cursor, checksum and all, gets an error of the contract as well."""
    checksum = hashlib.sha256(b"here\0" + payload.encode()).digest()[:12]
    forged = base64.urlsafe_b64encode(checksum + payload.encode()).decode().rstrip("=")
    with pytest.raises(RepositoryError, match="garbled"):
        read_cursor("here", forged, TEXT)


TEXT = [Column("a", Text)]


@given(
    value=st.text(st.characters(exclude_categories=["Cs"])),
    place=st.integers(0, 200),
    letter=st.characters(codec="ascii"),
)
def test_any_change_is_noticed(value: str, place: int, letter: str) -> None:
    """A cursor gives back what it was made of, and one with any other character in it is refused."""
    cursor = write_cursor("here", [value])
    assert [value] == read_cursor("here", cursor, TEXT)
    at = place % len(cursor)
    garbled = cursor[:at] + letter + cursor[at + 1 :]
    assume(garbled != cursor)
    with pytest.raises(RepositoryError):
        read_cursor("here", garbled, TEXT)


def test_a_value_that_no_cursor_holds() -> None:
    """Of a type that has no order that makes sense, such as a document."""
    with pytest.raises(RepositoryError, match="cannot hold a value of type dict"):
        write_cursor("here", [{}])
