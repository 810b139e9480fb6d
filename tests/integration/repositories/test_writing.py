"""Writing: create, update, update_many; what a value must be; and what the server refuses."""

from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Dialect,
    Float,
    Integer,
    Numeric,
    SmallInteger,
    String,
    TypeDecorator,
    func,
    true,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, synonym
from tests.integration.repositories.conftest import Account, Comment, Post, Product, Team, Work, related

from pgauthkit.errors import (
    CheckViolationError,
    ForeignKeyViolationError,
    InvalidEmailError,
    NotAUniqueKeyError,
    NotNullViolationError,
    RepositoryError,
    UniqueViolationError,
    ValueTooLongError,
)
from pgauthkit.models import User, UserRole

LONG_AGO = datetime(2020, 1, 1, tzinfo=UTC)

NO_KEY: Any = "c0000000000000000000000000"  # as if the id alone were the key


class Base(DeclarativeBase): ...


class Even(TypeDecorator[int]):
    """A type of the host's own."""

    impl = Integer
    cache_ok = True

    def process_bind_param(self, value: int | None, dialect: Dialect) -> int | None:  # noqa: ARG002 - SQLAlchemy's
        if value is not None and value % 2:
            raise ValueError(value)
        return value


class Thing(Base):
    """Every kind of column that is looked at before it is sent."""

    __tablename__ = "things"

    id: Mapped[int] = mapped_column(primary_key=True)
    short: Mapped[str | None] = mapped_column(String(3))
    small: Mapped[int | None] = mapped_column(SmallInteger)
    number: Mapped[int | None] = mapped_column(Integer)
    exact: Mapped[Decimal | None] = mapped_column(Numeric(4, 2))
    whole: Mapped[Decimal | None] = mapped_column(Numeric(3))
    free: Mapped[Decimal | None] = mapped_column(Numeric)
    ratio: Mapped[float | None] = mapped_column(Float)
    document: Mapped[Any] = mapped_column(JSONB, nullable=True)
    words: Mapped[list[Any] | None] = mapped_column(ARRAY(String(3)))
    even: Mapped[int | None] = mapped_column(Even)
    title = synonym("short")

    @hybrid_property
    def label(self) -> str | None:
        return self.short

    @label.inplace.setter
    def _set_label(self, label: str | None) -> None:
        self.short = label


@pytest.fixture
def thing_table(work: Work) -> None:
    work.call(lambda: Base.metadata.create_all(work.db.connection(), tables=[Thing.metadata.tables["things"]]))
    work.sent()


def test_validators_and_defaults(work: Work) -> None:
    """Validators, defaults of Python and of the database apply, and the object has them all."""
    user = work.users.create(email="Ada@Example.com")
    assert (user.email, user.role, user.is_active) == ("ada@example.com", UserRole.USER, True)
    assert len(work.sent()) == 1


@pytest.mark.in_session
def test_relations_can_be_given(work: Work) -> None:
    """Related objects can be given instead of their keys, and new ones are inserted with the row."""
    account = work.of(Account).create(email="bob@example.com")
    user = work.users.create(email="ada@example.com")
    post = work.of(Post).create(title="First", content="…", author=user, comments=[Comment(text="c", account=account)])
    assert (user.id, ["c"]) == (post.author_id, [comment.text for comment in post.comments])
    assert [post.comments[0]] == work.of(Account).get(id=account.id, include="comments").comments


@pytest.mark.usefixtures("thing_table")
def test_synonyms_and_hybrids_can_be_given(work: Work) -> None:
    """What the model's constructor takes besides columns works as ever."""
    things = work.of(Thing)
    assert (things.create(id=1, title="one").short, things.create(id=2, label="two").short) == ("one", "two")


@pytest.mark.in_session
def test_only_the_given_columns_change(work: Work, user: User) -> None:
    """An update names only the columns that it was given, and the object that the session holds shows it."""
    post = work.of(Post).create(title="First", content="…", author_id=user.id)
    work.sent()
    assert post is work.of(Post).update({"id": post.id}, published=True)
    (statement,) = work.sent()
    assert "UPDATE posts SET published=%(published)s, updated_at=now() WHERE" in statement
    assert (post.title, post.published) == ("First", True)


def test_an_update_by_an_expression(work: Work) -> None:
    """An SQL expression is computed by the database."""
    account = work.of(Account).create(email="ada@example.com", age=1)
    assert work.of(Account).update({"email": "ada@example.com"}, age=Account.age + 1).age == 2
    assert work.of(Account).upsert({"id": account.id}, create={"email": "x"}, update={"age": Account.age + 6}).age == 8


def test_an_update_of_a_user_is_validated(work: Work, user: User) -> None:
    """Validators apply to an update as well, but not to SQL expressions."""
    assert work.users.update({"id": user.id}, email="Grace@Example.COM").email == "grace@example.com"
    assert work.users.update({"id": user.id}, email=func.concat("dr.", User.email)).email == "dr.grace@example.com"
    with pytest.raises(InvalidEmailError):
        work.users.update({"id": user.id}, email="nobody")


def test_an_update_with_nothing_to_change(work: Work, user: User) -> None:
    """It returns the row as it is."""
    work.call(lambda: work.db.execute(update(User).values(updated_at=LONG_AGO)))
    assert work.users.update({"id": user.id}).updated_at == LONG_AGO


def test_update_many(work: Work, user: User) -> None:
    """All rows that meet the conditions change in one statement, and their number is returned."""
    posts = work.of(Post)
    posts.create_many({"title": title, "content": "", "author_id": user.id} for title in "ABC")
    work.call(lambda: work.db.execute(update(Post).values(updated_at=LONG_AGO)))
    work.sent()
    assert posts.update_many(Post.title >= "B", published=True) == 2
    assert len(work.sent()) == 1
    assert {"B", "C"} == {post.title for post in posts.find_many(Post.updated_at > LONG_AGO, published=True)}
    assert posts.update_many(true(), content="new") == 3


def test_update_many_leaves_deleted_rows(work: Work) -> None:
    """A deleted row stays as it was."""
    accounts = work.of(Account)
    deleted = accounts.delete({"id": accounts.create(email="ada@example.com").id})
    assert accounts.update_many(true(), age=7) == 0
    assert accounts.get(id=deleted.id, with_deleted=True).age == 0


@pytest.mark.in_session
def test_by_a_foreign_key_given_as_text(work: Work, user: User) -> None:
    """The host's FK on our user is an ordinary column."""
    product = work.of(Product).create(team=Team.RED, number=1, owner_id=user.id)
    assert user is work.of(Product).get(id=product.id, include="owner").owner


@pytest.mark.parametrize(
    ("write", "kind", "message"),
    [
        (lambda work: work.of(Post).create(nope=1), RepositoryError, "Post has no column 'nope'"),
        (lambda work: work.of(Product).create(metadata={}), RepositoryError, "Product has no column 'metadata'"),
        (lambda work: work.of(Post).update({"id": "x"}, nope=1), RepositoryError, "Post has no column 'nope'"),
        (lambda work: work.of(Post).update({"id": "x"}, author=1), RepositoryError, "It is a relation"),
        (lambda work: work.of(Post).update({"id": "x"}, id="y"), RepositoryError, "primary key of Post is not changed"),
        (lambda work: work.of(Post).update({"title": "x"}, title="y"), NotAUniqueKeyError, "no unique key"),
        (lambda work: work.of(Post).update({"id": None}, title="y"), NotAUniqueKeyError, "NULL equals nothing"),
        (lambda work: work.of(Post).update(NO_KEY, title="y"), NotAUniqueKeyError, "a mapping .* was given as str"),
        (lambda work: work.of(Post).delete(NO_KEY), NotAUniqueKeyError, "a mapping .* was given as str"),
        (
            lambda work: work.of(Post).upsert(NO_KEY, create={}, update={}),
            NotAUniqueKeyError,
            "a mapping .* was given as str",
        ),
        (lambda work: work.of(Post).update_many(title="x"), RepositoryError, "would change every row"),
        (lambda work: work.of(Post).update_many(Post.title == "x"), RepositoryError, "Say what to change of Post"),
        (lambda work: work.of(Post).update_many(User.id == "x", title="y"), RepositoryError, "about pgauthkit.users"),
        (lambda work: work.users.update({"id": "x"}, role="BOSS"), CheckViolationError, "is none of USER, ADMIN"),
        (lambda work: work.of(Post).create(title="a\0b"), RepositoryError, "posts.title holds a NUL"),
        (lambda work: work.of(Post).create(title="\ud800"), RepositoryError, "posts.title holds a NUL or a lone"),
    ],
)
def test_refused_before_any_sql(
    work: Work, write: Callable[[Work], object], kind: type[RepositoryError], message: str
) -> None:
    """What cannot be written is refused with the model and the column, and nothing is sent."""
    with pytest.raises(kind, match=message):
        write(work)
    assert work.sent() == []


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ({"short": "four"}, ValueTooLongError),
        ({"small": 2**15}, ValueTooLongError),
        ({"small": -(2**15) - 1}, ValueTooLongError),
        ({"number": 2**31}, ValueTooLongError),
        ({"exact": Decimal("1.005")}, ValueTooLongError),
        ({"exact": 1.005}, ValueTooLongError),
        ({"exact": Decimal(100)}, ValueTooLongError),
        ({"exact": Decimal("-Infinity")}, ValueTooLongError),
        ({"exact": "many"}, RepositoryError),
        ({"whole": Decimal("0.5")}, ValueTooLongError),
        ({"whole": 1000}, ValueTooLongError),
        ({"document": {"a": ["b\0"]}}, RepositoryError),
        ({"document": {"a\0": 1}}, RepositoryError),
        ({"document": [float("nan")]}, RepositoryError),
        ({"words": ["four"]}, ValueTooLongError),
        ({"words": [["a\0"]]}, RepositoryError),
    ],
)
@pytest.mark.usefixtures("thing_table")
def test_values_that_do_not_fit(work: Work, values: dict[str, Any], kind: type[RepositoryError]) -> None:
    """A value that its column cannot hold, or would round, is refused before any SQL, alone and in bulk."""
    (name,) = values
    things = work.of(Thing)
    writes: list[Callable[[], object]] = [
        lambda: things.create(id=1, **values),
        lambda: things.update({"id": 1}, **values),
        lambda: things.upsert({"id": 1}, create=values, update={}),
        lambda: things.create_many([{"id": 1, **values}, {"id": 2, name: None}]),
    ]
    for write in writes:
        with pytest.raises(kind) as error:
            write()
        assert (kind, (name,), "things") == (type(error.value), error.value.columns, error.value.table)
        assert f"things.{name}" in str(error.value)
    assert work.sent() == []


@pytest.mark.parametrize(
    "values",
    [
        {"short": "ééé", "small": -(2**15), "number": 2**31 - 1},
        {"exact": Decimal("1.500"), "whole": Decimal("1E+2")},
        {"exact": Decimal("-99.99"), "free": Decimal("1E-30")},
        {"exact": Decimal(0), "ratio": float("inf")},
        {"document": {"a": [1, None, True, "x"]}, "words": ["a", None]},
        {"document": "text", "words": []},
        {"number": func.length("four")},
    ],
)
@pytest.mark.usefixtures("thing_table")
def test_values_that_just_fit(work: Work, values: dict[str, Any]) -> None:
    """Values at the edges are stored."""
    thing = work.of(Thing).create(id=1, **values)
    assert {name: getattr(thing, name) for name in values} == values or thing.number == 4


@pytest.mark.usefixtures("thing_table")
def test_a_value_of_another_type(work: Work) -> None:
    """Only the server knows, or the driver: it is an error of the contract all the same."""
    with pytest.raises(RepositoryError, match="SQLSTATE 22P02"), work.savepoint():
        work.of(Thing).create(id="one")
    with pytest.raises(RepositoryError, match="does not fit the type of its column in things"), work.savepoint():
        work.of(Thing).create(id=1, even=3)
    with pytest.raises(RepositoryError, match="refused the statement"), work.savepoint():
        work.of(Thing).create(id=object())
    assert work.of(Thing).count() == 0
    work.of(Thing).create(id=1)
    assert work.of(Thing).update({"id": 1}, short=7).short == "7"  # a conversion that PostgreSQL makes by itself


@pytest.mark.in_session
def test_violations(work: Work, user: User) -> None:
    """Refusals of the server come as errors with table, columns and constraint, and undo only their savepoint."""
    accounts, posts = work.of(Account), work.of(Post)
    accounts.create(email="ada@example.com", number="1")
    product = work.of(Product).create(team=Team.RED, number=1)
    work.db.expunge(product)
    refused: list[tuple[Callable[[], object], type[RepositoryError], str | None, tuple[str, ...]]] = [
        (lambda: accounts.create(email="ada@example.com"), UniqueViolationError, "ix_accounts_email", ("email",)),
        (lambda: accounts.create(email="x", number="1"), UniqueViolationError, "accounts_number_key", ("number",)),
        (
            lambda: posts.create(title="x", content="", author_id="x"),
            ForeignKeyViolationError,
            "posts_author_id_fkey",
            ("author_id",),
        ),
        (lambda: posts.create(title="x", author_id=user.id), NotNullViolationError, None, ("content",)),
        (lambda: accounts.create(email="y", age=-1), CheckViolationError, "age_is_positive", ()),
        (
            lambda: work.of(Product).create(team=Team.RED, number=1),
            UniqueViolationError,
            "uq_shop_products_team_number",
            ("team", "number"),
        ),
        (
            lambda: work.of(Product).create(id=product.id, team=Team.BLUE, number=1),
            UniqueViolationError,
            "pk_shop_products",
            ("id",),
        ),
    ]
    for write, kind, constraint, columns in refused:
        with pytest.raises(kind) as error, work.savepoint():
            write()
        assert (constraint, columns) == (error.value.constraint, error.value.columns)
    assert (accounts.count(), posts.count()) == (1, 0)


def test_a_check_without_a_name(work: Work) -> None:
    """The server's name for it is told, though the model does not know it."""

    class Nameless(DeclarativeBase): ...

    class Cell(Nameless):
        __tablename__ = "cells"
        __table_args__ = (CheckConstraint("size > 0"),)
        id: Mapped[int] = mapped_column(primary_key=True)
        size: Mapped[int]

    work.call(lambda: Nameless.metadata.create_all(work.db.connection()))
    with pytest.raises(CheckViolationError, match=r"Table cells, constraint cells_size_check\.") as error:
        work.of(Cell).create(id=1, size=0)
    assert error.value.columns == ()


def test_a_new_object_does_not_linger(work: Work, user: User) -> None:
    """What was refused before any SQL is nowhere in the session, nor in the collections of what it refers to."""
    with pytest.raises(RepositoryError):
        work.of(Post).create(title="\0", content="", author=user)
    assert work.of(Post).count() == 0
    assert related(work.users.get(id=user.id, include="posts"), "posts") == []
