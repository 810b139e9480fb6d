"""A host's models, and its unit of work: sync, then async with every call waited for, so that a test serves both."""

import asyncio
import logging
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from decimal import Decimal
from enum import StrEnum
from typing import Any, TypeVar, cast

import attrs
import pytest
from sqlalchemy import (
    CheckConstraint,
    Column,
    Engine,
    Enum,
    ForeignKey,
    Identity,
    Index,
    Numeric,
    String,
    Table,
    Text,
    UniqueConstraint,
    orm,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship
from sqlalchemy.util import greenlet_spawn

from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.models import Base, CuidPrimaryKey, SoftDelete, Timestamps, User, unique_unless_deleted
from pgauthkit.repositories import AsyncRepository, AsyncUserRepository, Repository, UserRepository
from pgauthkit.testing import TestServer

M = TypeVar("M")
T = TypeVar("T")


class HostBase(DeclarativeBase):
    """The host's own base: constraints without names get theirs from PostgreSQL."""


post_tags = Table(
    "post_tags",
    HostBase.metadata,
    Column("post_id", ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True),
    Column("tag_id", ForeignKey("tags.id", ondelete="CASCADE"), primary_key=True),
)


class Post(CuidPrimaryKey, Timestamps, HostBase):
    """The guide's Post."""

    __tablename__ = "posts"
    __table_args__ = (Index(None, "author_id"), Index(None, "published", "created_at"))

    title: Mapped[str]
    content: Mapped[str] = mapped_column(Text)
    published: Mapped[bool] = mapped_column(default=False)
    author_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))

    author: Mapped[User] = relationship(User, back_populates="posts")
    comments: Mapped[list["Comment"]] = relationship(back_populates="post")
    tags: Mapped[list["Tag"]] = relationship(secondary=post_tags, back_populates="posts", order_by="Tag.name.desc()")


# The way in the documentation: the other side, which the class of pgauthkit does not have.
User.posts = relationship(Post, back_populates="author", lazy="raise", passive_deletes="all")


class Comment(CuidPrimaryKey, Timestamps, SoftDelete, HostBase):
    __tablename__ = "comments"

    text: Mapped[str]
    stars: Mapped[int] = mapped_column(default=0)
    post_id: Mapped[str] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    account_id: Mapped[str | None] = mapped_column(ForeignKey("accounts.id"))

    post: Mapped[Post] = relationship(back_populates="comments", lazy="joined")
    account: Mapped["Account | None"] = relationship(back_populates="comments")


class Tag(HostBase):
    __tablename__ = "tags"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    name: Mapped[str] = mapped_column(unique=True)

    posts: Mapped[list[Post]] = relationship(secondary=post_tags, back_populates="tags")


class Account(CuidPrimaryKey, Timestamps, SoftDelete, HostBase):
    """The guide's model with deletedAt."""

    __tablename__ = "accounts"
    __table_args__ = (
        unique_unless_deleted("email"),
        UniqueConstraint("number"),
        CheckConstraint("age >= 0", name="age_is_positive"),
    )

    email: Mapped[str]
    number: Mapped[str | None] = mapped_column(String(8))
    age: Mapped[int] = mapped_column(default=0)

    comments: Mapped[list[Comment]] = relationship(back_populates="account")


class Category(HostBase):
    __tablename__ = "categories"

    id: Mapped[int] = mapped_column(primary_key=True)
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("categories.id"))

    children: Mapped[list["Category"]] = relationship(back_populates="parent")
    parent: Mapped["Category | None"] = relationship(back_populates="children", remote_side="Category.id")


class Team(StrEnum):
    RED = "red"
    BLUE = "blue"


class Product(CuidPrimaryKey, Timestamps, Base):
    """A model on the base of pgauthkit, with a column that is called otherwise in the database."""

    __tablename__ = "shop_products"
    __table_args__ = (UniqueConstraint("team", "number"), CheckConstraint("team IN ('RED', 'BLUE')", name="team"))

    team: Mapped[Team] = mapped_column(Enum(Team, native_enum=False, create_constraint=False, length=8))
    number: Mapped[int]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0), server_default=text("0"))
    extra: Mapped[dict[str, Any] | None] = mapped_column("metadata", JSONB)
    owner_id: Mapped[str | None] = mapped_column(ForeignKey(User.id, ondelete="SET NULL"))

    owner: Mapped[User | None] = relationship(User, lazy="raise")


class Work(ABC):
    """A unit of work of the host, which is rolled back after the test."""

    db: orm.Session

    def __init__(self) -> None:
        self._sent: list[str] = []

    @abstractmethod
    def call(self, work: Callable[[], T]) -> T:
        """Do something synchronous with the session."""

    @abstractmethod
    def of(self, model: type[M]) -> Repository[M]:
        """Return the repository of a model."""

    @property
    @abstractmethod
    def users(self) -> UserRepository:
        """The repository of the users."""

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """What is done inside is undone, and nothing else."""
        nested = self.call(self.db.begin_nested)
        try:
            yield
        finally:
            self.call(nested.rollback)

    @contextmanager
    def listening(self) -> Generator[None]:
        """Note the statements that are logged: a listener would have every call go past the plans."""
        handler = logging.Handler()
        handler.emit = self._note_record  # type: ignore[method-assign]
        log = logging.getLogger("pgauthkit.queries")
        level = log.level
        log.addHandler(handler)
        log.setLevel(logging.INFO)
        yield
        log.removeHandler(handler)
        log.setLevel(level)

    def _note_record(self, record: logging.LogRecord) -> None:
        statement: str = getattr(record, "statement", "SAVEPOINT")
        if not statement.startswith(("SAVEPOINT", "RELEASE", "ROLLBACK")):
            self._sent.append(statement)

    def sent(self) -> list[str]:
        """Return the statements since the last call of this."""
        sent, self._sent = self._sent, []
        return sent


class SyncWork(Work):
    def __init__(self, db: orm.Session) -> None:
        super().__init__()
        self.db = db

    def call(self, work: Callable[[], T]) -> T:
        return work()

    def of(self, model: type[M]) -> Repository[M]:
        return Repository(self.db, model)

    @property
    def users(self) -> UserRepository:
        return UserRepository(self.db)


class EngineWork(Work):
    """No unit of work: repositories on an engine, whose calls are committed, beside a session in autocommit."""

    def __init__(self, engine: Engine, db: orm.Session) -> None:
        super().__init__()
        self.db = db
        self._engine = engine

    def call(self, work: Callable[[], T]) -> T:
        return work()

    def of(self, model: type[M]) -> Repository[M]:
        return Repository(self._engine, model)

    @property
    def users(self) -> UserRepository:
        return UserRepository(self._engine)

    @contextmanager
    def savepoint(self) -> Generator[None]:
        """Nothing has to be undone: what fails is undone by itself."""
        yield


class AsyncWork(Work):
    def __init__(self, db: AsyncSession, runner: asyncio.Runner) -> None:
        super().__init__()
        self.db = db.sync_session
        self._async_db = db
        self._runner = runner

    def call(self, work: Callable[[], T]) -> T:
        return self.wait(greenlet_spawn(work))

    def of(self, model: type[M]) -> Repository[M]:
        return cast("Repository[M]", Waiting(self, AsyncRepository(self._async_db, model)))

    @property
    def users(self) -> UserRepository:
        return cast("UserRepository", Waiting(self, AsyncUserRepository(self._async_db)))

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait in the event loop."""
        return Loop(self._runner).wait(awaitable)


@attrs.frozen
class Loop:
    """Waits in an event loop."""

    runner: asyncio.Runner

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait for something awaitable."""

        async def awaited() -> T:
            return await awaitable

        return self.runner.run(awaited())


class Waiting:
    """An async repository with every call waited for."""

    def __init__(self, work: AsyncWork | Loop, repository: object) -> None:
        self._work = work
        self._repository = repository

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._repository, name)
        return lambda *args, **kwargs: self._work.wait(method(*args, **kwargs))


@pytest.fixture(scope="session")
def blog_url(pgauthkit_server: TestServer) -> Iterator[str]:
    """A migrated database with the host's tables, in which nothing is ever committed."""
    with pgauthkit_server.database() as url:
        create_tables(url)
        yield url


def create_tables(url: str) -> None:
    """Create the host's tables, as its own migrations would."""
    engine = create_engine(url)
    HostBase.metadata.create_all(engine)
    Base.metadata.create_all(engine, tables=[cast("Table", Product.__table__)])
    engine.dispose()


@pytest.fixture(scope="session")
def blog_engine(blog_url: str) -> Iterator[Engine]:
    engine = create_engine(blog_url)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def blog_logged_engine(blog_url: str) -> Iterator[Engine]:
    engine = create_engine(blog_url, query_log=True)
    yield engine
    engine.dispose()


@pytest.fixture(scope="session")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="session")
def blog_async_engine(blog_url: str, runner: asyncio.Runner) -> Iterator[AsyncEngine]:
    engine = create_async_engine(blog_url, query_log=True)
    yield engine
    runner.run(engine.dispose())


@contextmanager
def sync_work(engine: Engine) -> Generator[SyncWork]:
    """Begin a unit of work, and roll it back."""
    with engine.connect() as connection, connection.begin() as transaction:
        with orm.Session(connection, join_transaction_mode="create_savepoint") as db:
            work = SyncWork(db)
            with work.listening():
                yield work
        transaction.rollback()


@contextmanager
def async_work(engine: AsyncEngine, runner: asyncio.Runner) -> Generator[AsyncWork]:
    """Begin an async unit of work, and roll it back."""
    connection: AsyncConnection = runner.run(engine.connect().start())
    runner.run(connection.begin().start())
    db = AsyncSession(connection, join_transaction_mode="create_savepoint", expire_on_commit=False)
    work = AsyncWork(db, runner)
    with work.listening():
        yield work
    runner.run(db.close())
    runner.run(connection.close())


@contextmanager
def engine_work(engine: Engine) -> Generator[EngineWork]:
    """Give repositories on an engine, and leave no row of theirs."""
    with orm.Session(engine.execution_options(isolation_level="AUTOCOMMIT"), expire_on_commit=False) as db:
        work = EngineWork(engine, db)
        with work.listening():
            yield work
        _tidy(db)


def _tidy(db: orm.Session) -> None:
    """Empty the host's tables, and drop those that a test has made."""
    kept = [*HostBase.metadata.sorted_tables, cast("Table", User.__table__), cast("Table", Product.__table__)]
    tables = db.scalars(
        text("SELECT oid::regclass::text FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
    )
    if made := set(tables) - {str(table) for table in kept} - {"alembic_version"}:
        db.execute(text(f"DROP TABLE {', '.join(made)} CASCADE"))
    db.execute(text(f"TRUNCATE {', '.join(str(table) for table in kept)} CASCADE"))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "work" in metafunc.fixturenames:
        of_sessions = metafunc.definition.get_closest_marker("in_session") is not None
        kinds = ["sync", "async"] if of_sessions else ["sync", "async", "engine"]
        metafunc.parametrize("work", kinds, indirect=True)


@pytest.fixture
def work(
    request: pytest.FixtureRequest,
    blog_logged_engine: Engine,
    blog_async_engine: AsyncEngine,
    runner: asyncio.Runner,
) -> Iterator[Work]:
    """A unit of work: sync, then async; then an engine, but for a test marked `in_session`."""
    ways: dict[str, Callable[[], AbstractContextManager[Work]]] = {
        "sync": lambda: sync_work(blog_logged_engine),
        "async": lambda: async_work(blog_async_engine, runner),
        "engine": lambda: engine_work(blog_logged_engine),
    }
    with ways[request.param]() as work:
        yield work


@pytest.fixture
def user(work: Work) -> User:
    """Somebody who writes."""
    user = work.users.create(email="ada@example.com")
    work.sent()
    return user


def related(instance: object, name: str) -> Any:  # noqa: ANN401 - of any relation
    """Return what an attribute shows, which the class does not declare."""
    return getattr(instance, name)
