"""Reading: by a key, by conditions, in an order; and what is refused before any SQL."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import ForeignKey, Index, UniqueConstraint, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from tests.integration.repositories.conftest import Account, Post, Product, Team, Work

from pgauthkit.errors import NotAUniqueKeyError, NotFoundError, RepositoryError
from pgauthkit.models import SoftDelete, User
from pgauthkit.repositories import Repository
from pgauthkit.repositories.generic.description import describe
from pgauthkit.repositories.generic.keys import UniqueKey


@pytest.fixture
def posts(work: Work, user: User) -> Repository[Post]:
    """Three posts: A and C of today, B of yesterday and published."""
    posts = work.of(Post)
    for title in "ACB":
        posts.create(title=title, content=title.lower(), author_id=user.id, published=title == "B")
    work.sent()
    return posts


def titles(found: list[Post]) -> list[str]:
    return [post.title for post in found]


@pytest.mark.in_session
def test_by_primary_key(posts: Repository[Post], work: Work) -> None:
    """A row is found by its primary key, in one statement."""
    post = posts.find_many(title="B")[0]
    work.sent()
    assert post is posts.find_unique(id=post.id)
    assert len(work.sent()) == 1


@pytest.mark.in_session
def test_by_several_columns(work: Work) -> None:
    """A unique constraint of several columns is a key, in any order of its columns."""
    product = work.of(Product).create(team=Team.BLUE, number=7)
    assert product is work.of(Product).find_unique(number=7, team=Team.BLUE)
    assert work.of(Product).find_unique(number=7, team=Team.RED) is None


@pytest.mark.in_session
def test_by_a_key_that_is_unique_unless_deleted(work: Work) -> None:
    """Such a key finds the row that is not deleted, and is none where deleted rows count."""
    accounts = work.of(Account)
    first = accounts.create(email="ada@example.com")
    accounts.delete({"id": first.id})
    second = accounts.create(email="ada@example.com")
    assert second is accounts.get(email="ada@example.com")
    with pytest.raises(NotAUniqueKeyError, match="unique only among the rows that are not deleted of Account"):
        accounts.get(email="ada@example.com", with_deleted=True)


@pytest.mark.parametrize("key", [{"title": "A"}, {"id": "1", "title": "A"}, {}])
def test_a_key_that_is_none(posts: Repository[Post], work: Work, key: dict[str, Any]) -> None:
    """Columns that are not exactly a unique key are refused, before any SQL."""
    with pytest.raises(NotAUniqueKeyError, match="no unique key of Post; unique are: id") as error:
        posts.find_unique(**key)
    assert (tuple(key), "posts") == (error.value.columns, error.value.table)
    assert work.sent() == []


def test_a_key_without_a_value(work: Work) -> None:
    """None in a key is refused, since NULL equals nothing, and would not be looked for."""
    with pytest.raises(NotAUniqueKeyError, match="no value for number"):
        work.of(Account).find_unique(number=None)
    assert work.sent() == []


def test_get_raises(posts: Repository[Post]) -> None:
    """`get` raises where `find_unique` returns None, without the key's value."""
    with pytest.raises(NotFoundError) as error:
        posts.get(id="secret-id")
    assert str(error.value) == "There is no such row in posts."


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"order_by": "title"}, "ABC"),
        ({"order_by": "-title"}, "CBA"),
        ({"order_by": ["-published", "title"]}, "BAC"),
        ({"order_by": Post.title}, "ABC"),
        ({"order_by": func.lower(Post.title).desc()}, "CBA"),
        ({"order_by": "title", "take": 2}, "AB"),
        ({"order_by": "title", "skip": 1}, "BC"),
        ({"order_by": "title", "take": 1, "skip": 1}, "B"),
        ({"order_by": "title", "take": 0}, ""),
        ({"published": False, "order_by": "title"}, "AC"),
    ],
)
def test_find_many(posts: Repository[Post], work: Work, arguments: dict[str, Any], expected: str) -> None:
    """Rows come by equalities, in an order by name or expression, and so many; in one statement."""
    assert list(expected) == titles(posts.find_many(**arguments))
    assert len(work.sent()) == 1


def test_conditions(posts: Repository[Post], user: User) -> None:
    """Conditions are SQLAlchemy's, on columns of the model, and on others through its relations."""
    assert titles(posts.find_many(Post.title <= "B", order_by="title")) == ["A", "B"]
    assert titles(posts.find_many(Post.published, Post.title != "C")) == ["B"]
    assert len(posts.find_many(Post.author.has(User.email == user.email))) == 3
    assert posts.find_many(Post.author.has(User.email != user.email)) == []
    assert posts.find_many(Post.comments.any()) == []


@pytest.mark.in_session
def test_null(work: Work) -> None:
    """None as a value asks for NULL."""
    accounts = work.of(Account)
    accounts.create(email="ada@example.com", number="1")
    grace = accounts.create(email="grace@example.com")
    assert [grace] == accounts.find_many(number=None)


def test_find_first(posts: Repository[Post]) -> None:
    """The first row of an order, or None."""
    first = posts.find_first(order_by="-title")
    second = posts.find_first(order_by="-title", skip=1)
    assert (first and first.title, second and second.title) == ("C", "B")
    assert posts.find_first(title="D") is None


def test_count_and_exists(posts: Repository[Post], work: Work) -> None:
    """Counting and asking for existence take one statement each, with the same conditions."""
    assert (posts.count(), posts.count(published=True), posts.count(Post.title > "A")) == (3, 1, 2)
    assert (posts.exists(title="A"), posts.exists(Post.title == "D")) == (True, False)
    assert len(work.sent()) == 5


@pytest.mark.in_session
def test_a_read_shows_what_the_database_has(posts: Repository[Post], work: Work) -> None:
    """A row that the session knows already is read anew."""
    post = posts.get(id=posts.find_many(title="A")[0].id)
    work.call(lambda: work.db.connection().exec_driver_sql("UPDATE posts SET title = 'Z' WHERE title = 'A'"))
    assert post is posts.get(id=post.id)
    assert post.title == "Z"


@pytest.mark.in_session
def test_a_read_does_not_lose_what_is_pending(posts: Repository[Post], work: Work) -> None:
    """What the host has changed on an object is sent before it is read, also without autoflush."""
    post = posts.find_many(title="A")[0]
    work.db.autoflush = False
    post.title = "Z"
    assert posts.get(id=post.id).title == "Z"


@pytest.mark.in_session
def test_a_column_of_another_name(work: Work) -> None:
    """A column goes by its attribute's name, whatever it is called in the database."""
    product = work.of(Product).create(team=Team.RED, number=1, extra={"a": 1})
    assert [product] == work.of(Product).find_many(extra={"a": 1})
    assert Decimal(0) == product.price


@pytest.mark.parametrize(
    ("ask", "message"),
    [
        (lambda posts: posts.find_many(nope=1), "Post has no column 'nope'"),
        (lambda posts: posts.count(nope=1), "Post has no column 'nope'"),
        (
            lambda posts: posts.find_many(author=1),
            "Post has no column 'author'. It is a relation: give its foreign key",
        ),
        (lambda posts: posts.find_many(order_by="-nope"), "Post has no column 'nope'"),
        (lambda posts: posts.find_unique(id="a\0b"), "posts.id holds a NUL"),
        (lambda posts: posts.find_many(title="\ud800"), "posts.title holds a NUL or a lone surrogate"),
        (lambda posts: posts.find_many(User.email == "a"), "A condition for Post is about pgauthkit.users"),
        (lambda posts: posts.count(User.email == "a"), "A condition for Post is about pgauthkit.users"),
        (lambda posts: posts.find_many(True), "no SQL expression, but of type bool"),
        (lambda posts: posts.find_many(order_by=7), "no SQL expression, but of type int"),
        (lambda posts: posts.find_many(take=-1), "take is negative"),
        (lambda posts: posts.find_many(skip=-1), "skip is negative"),
    ],
)
def test_refused_before_any_sql(
    posts: Repository[Post], work: Work, ask: Callable[[Repository[Post]], object], message: str
) -> None:
    """What cannot be asked is refused with the model and the column, and nothing is sent."""
    with pytest.raises(RepositoryError, match=message):
        ask(posts)
    assert work.sent() == []


def test_the_unique_keys_of_a_model() -> None:
    """Constraints, indexes, and partial indexes over rows that are not deleted are keys; expressions are none."""

    class Base(DeclarativeBase): ...

    class Page(SoftDelete, Base):
        __tablename__ = "pages"
        __table_args__ = (
            UniqueConstraint("a", "b"),
            Index("c", "c", unique=True),
            Index("d", "d", unique=True, postgresql_where=text("pages.deleted_at IS NULL")),
            Index("e", "e", unique=True, postgresql_where=text("e > 1")),
            Index("f", text("lower(f)"), unique=True),
            Index("g", "g"),
        )
        id: Mapped[int] = mapped_column(primary_key=True)
        a: Mapped[int]
        b: Mapped[int]
        c: Mapped[int]
        d: Mapped[int] = mapped_column("d")
        e: Mapped[int]
        f: Mapped[str]
        g: Mapped[int]

    keys = describe(Page).unique_keys
    assert UniqueKey(("id",)) == keys[0]
    soft = UniqueKey(("d",), unless_deleted=True, where="pages.deleted_at IS NULL")
    some = UniqueKey(("e",), where="e > 1")
    assert {UniqueKey(("a", "b")), UniqueKey(("c",)), soft, some} == set(keys[1:])
    assert describe(Page) is describe(Page)


def test_what_is_no_model(work: Work) -> None:
    """A repository needs a mapped class with one table."""

    class Base(DeclarativeBase): ...

    class Animal(Base):
        __tablename__ = "animals"
        id: Mapped[int] = mapped_column(primary_key=True)

    class Dog(Animal):
        __tablename__ = "dogs"
        dog_id: Mapped[int] = mapped_column(ForeignKey("animals.id"), primary_key=True)

    with pytest.raises(RepositoryError, match="'str'> is not a mapped class"):
        work.of(str)
    with pytest.raises(RepositoryError, match="Dog is not mapped to one table"):
        work.of(Dog)
