"""The types of repositories and transactions, as mypy and pyright reveal them; run, so that they are also true."""

import asyncio
from decimal import Decimal
from typing import Any, assert_type

import pytest
from sqlalchemy import Engine, Numeric, Row, func, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgauthkit.models import CuidPrimaryKey, MagicLink, Session, SoftDelete, Timestamps, User, UserRole
from pgauthkit.repositories import (
    AsyncMagicLinkRepository,
    AsyncRepository,
    AsyncSessionRepository,
    AsyncUserRepository,
    MagicLinkRepository,
    Page,
    Repository,
    SessionRepository,
    UserRepository,
    transaction,
)


class HostBase(DeclarativeBase): ...


class Post(CuidPrimaryKey, Timestamps, SoftDelete, HostBase):
    __tablename__ = "typed_posts"

    title: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2), default=Decimal(0))


def test_a_repository(pgauthkit_engine: Engine) -> None:
    """Every method of a repository of Post returns Post, or what is counted."""
    HostBase.metadata.create_all(pgauthkit_engine)
    with transaction(pgauthkit_engine) as db:
        assert_type(db, orm.Session)
        posts = Repository(db, Post)
        assert_type(posts, Repository[Post])
        post = posts.create(title="a")
        assert_type(post, Post)
        assert_type(post.title, str)
        assert_type(posts.create_many([{"title": "b"}]), int)
        assert_type(posts.create_many([{"title": "c"}], returning=True), list[Post])
        assert_type(posts.find_unique(id=post.id), Post | None)
        assert_type(posts.get(id=post.id), Post)
        assert_type(posts.find_first(Post.title == "a"), Post | None)
        assert_type(posts.find_many(order_by=[Post.title.desc(), "id"], include=()), list[Post])
        page = posts.page(order_by="title", size=2)
        assert_type(page, Page[Post])
        assert_type(page.items, tuple[Post, ...])
        assert_type(page.end_cursor, str | None)
        assert_type(posts.update({"id": post.id}, title="d"), Post)
        assert_type(posts.update_many(Post.title == "b", title="e"), int)
        assert_type(posts.upsert({"id": post.id}, create={"title": "x"}, update={}), Post)
        assert_type(posts.upsert_many([{"id": post.id, "title": "x"}], "id", ["title"]), int)
        assert_type(posts.delete({"id": post.id}), Post)
        assert_type(posts.restore({"id": post.id}), Post)
        assert_type(posts.count(title="x"), int)
        assert_type(posts.exists(title="x"), bool)
        assert_type(posts.aggregate(total=func.sum(Post.price)), Row[*tuple[Any, ...]])
        assert_type(posts.group_by("title", n=func.count()), list[Row[*tuple[Any, ...]]])
        assert_type(posts.delete_many(all=True), int)


def test_an_async_repository(pgauthkit_async_engine: AsyncEngine) -> None:
    """The async twin returns the same, awaited."""

    async def use() -> None:
        async with pgauthkit_async_engine.begin() as connection:
            await connection.run_sync(HostBase.metadata.create_all)
        async with transaction(pgauthkit_async_engine) as db:
            assert_type(db, AsyncSession)
            posts = AsyncRepository(db, Post)
            post = await posts.create(title="a")
            assert_type(post, Post)
            assert_type(await posts.create_many([{"title": "b"}]), int)
            assert_type(await posts.create_many([{"title": "c"}], returning=True), list[Post])
            assert_type(await posts.find_unique(id=post.id), Post | None)
            assert_type(await posts.find_many(), list[Post])
            assert_type(await posts.page(order_by="title", size=2), Page[Post])
            assert_type(await posts.update({"id": post.id}, title="d"), Post)
            assert_type(await posts.upsert({"id": post.id}, create={"title": "x"}, update={}), Post)
            assert_type(await posts.delete({"id": post.id}), Post)
            assert_type(await posts.count(), int)

    asyncio.run(use())


def test_users_links_and_sessions(pgauthkit_session: orm.Session) -> None:
    """The repositories of our models are repositories of these models."""
    users, links, sessions = (
        UserRepository(pgauthkit_session),
        MagicLinkRepository(pgauthkit_session),
        SessionRepository(pgauthkit_session),
    )
    user = users.ensure("ada@example.com", role=UserRole.ADMIN)
    assert_type(user, User)
    assert_type(users.find_by_email("Ada@Example.com"), User | None)
    assert_type(users.set_role(user.id, UserRole.USER), User)
    assert_type(users.find_many(), list[User])
    assert_type(links.find_pending(), list[MagicLink])
    assert_type(links.count_pending("ada@example.com"), int)
    assert_type(sessions.find_live(user.id), list[Session])
    assert_type(sessions.page(sessions.is_live(), order_by="-created_at", size=5), Page[Session])


def test_async_users_links_and_sessions(pgauthkit_async_engine: AsyncEngine) -> None:
    """And so are the async ones."""

    async def use() -> None:
        async with transaction(pgauthkit_async_engine) as db:
            assert_type(await AsyncUserRepository(db).ensure("ada@example.com"), User)
            assert_type(await AsyncMagicLinkRepository(db).find_pending(), list[MagicLink])
            assert_type(await AsyncSessionRepository(db).count_live(), int)

    asyncio.run(use())


def test_a_decorated_function(pgauthkit_engine: Engine, pgauthkit_async_engine: AsyncEngine) -> None:
    """What `transaction` decorates keeps its arguments and its result, without the session."""

    @transaction(pgauthkit_engine, retries=3)
    def invite(db: orm.Session, email: str) -> User:
        return UserRepository(db).ensure(email)

    @transaction(pgauthkit_async_engine, retries=3)
    async def invite_async(db: AsyncSession, email: str) -> User:
        return await AsyncUserRepository(db).ensure(email)

    with pytest.raises(TypeError):
        invite()  # type: ignore[call-arg]  # pyright: ignore[reportCallIssue]
    assert_type(invite("ada@example.com"), User)
    assert_type(invite(email="ada@example.com"), User)
    assert_type(asyncio.run(invite_async("ada@example.com")), User)
    assert_type(transaction(pgauthkit_engine).run(lambda db: UserRepository(db).count()), int)
    for attempt in transaction(pgauthkit_engine):
        with attempt as db:
            assert_type(db, orm.Session)
