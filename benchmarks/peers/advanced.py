"""advanced-alchemy: async repositories on asyncpg, a session for each operation, as a request has."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Any

from advanced_alchemy.base import DefaultBase
from advanced_alchemy.filters import LimitOffset, OrderBy
from advanced_alchemy.repository import SQLAlchemyAsyncRepository
from sqlalchemy import DateTime, Enum, ForeignKey, String, func
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import Mapped, mapped_column, relationship

from benchmarks.block import Order, answer, asked, order, serve_async
from benchmarks.peers.rows import BULK, DATABASE_URL, endless, fresh, in_days, row_id, sample, token

__all__ = ["main"]


class User(DefaultBase):
    """A user of the shared tables."""

    __tablename__ = "User"

    id: Mapped[str] = mapped_column(String, primary_key=True, default=row_id)
    email: Mapped[str] = mapped_column(String, unique=True)
    role: Mapped[str] = mapped_column(Enum("USER", "ADMIN", name="Role"), default="USER")
    is_active: Mapped[bool] = mapped_column("isActive", default=True)
    last_login_at: Mapped[datetime | None] = mapped_column("lastLoginAt", DateTime)
    created_at: Mapped[datetime] = mapped_column("createdAt", DateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column(
        "updatedAt", DateTime, default=lambda: in_days(0), onupdate=lambda: in_days(0)
    )
    sessions: Mapped[list["Session"]] = relationship(back_populates="user", passive_deletes=True)


class MagicLink(DefaultBase):
    """A link of the shared tables."""

    __tablename__ = "MagicLink"

    id: Mapped[str] = mapped_column(String, primary_key=True, default=row_id)
    token: Mapped[str] = mapped_column(String, unique=True)
    email: Mapped[str] = mapped_column(String)
    expires_at: Mapped[datetime] = mapped_column("expiresAt", DateTime)
    used_at: Mapped[datetime | None] = mapped_column("usedAt", DateTime)
    created_at: Mapped[datetime] = mapped_column("createdAt", DateTime, server_default=func.now())
    user_id: Mapped[str | None] = mapped_column("userId", ForeignKey("User.id"))


class Session(DefaultBase):
    """A session of the shared tables."""

    __tablename__ = "Session"

    id: Mapped[str] = mapped_column(String, primary_key=True, default=row_id)
    access_token: Mapped[str] = mapped_column("accessToken", String, unique=True)
    refresh_token: Mapped[str] = mapped_column("refreshToken", String, unique=True)
    expires_at: Mapped[datetime] = mapped_column("expiresAt", DateTime)
    created_at: Mapped[datetime] = mapped_column("createdAt", DateTime, server_default=func.now())
    user_id: Mapped[str] = mapped_column("userId", ForeignKey("User.id", ondelete="CASCADE"))
    user: Mapped[User] = relationship(back_populates="sessions", innerjoin=True)


class Users(SQLAlchemyAsyncRepository[User]):
    """Users."""

    model_type = User


class Links(SQLAlchemyAsyncRepository[MagicLink]):
    """Links."""

    model_type = MagicLink


class Sessions(SQLAlchemyAsyncRepository[Session]):
    """Sessions."""

    model_type = Session


async def authenticate(db: AsyncSession, access_token: str) -> None:
    """Look a session up with its user."""
    session = await Sessions(session=db).get_one(access_token=access_token, load=[Session.user])
    assert session.expires_at > in_days(0)
    assert session.user.is_active


async def find_unique(db: AsyncSession, email: str) -> None:
    """Look a user up."""
    await Users(session=db).get_one(email=email)


async def find_many(db: AsyncSession, start: str) -> None:
    """List 100 users."""
    await Users(session=db).list(User.id > start, OrderBy("id", "asc"), LimitOffset(100, 0))


async def page(db: AsyncSession, start: str) -> None:
    """List the 100 users after one, and one more, which tells whether there is a next page."""
    await Users(session=db).list(User.id > start, OrderBy("id", "asc"), LimitOffset(101, 0))


async def include(db: AsyncSession, start: str) -> None:
    """List 100 users with their sessions."""
    ordered = (OrderBy("id", "asc"), LimitOffset(100, 0))
    await Users(session=db).list(User.id > start, *ordered, load=[User.sessions])


async def create(db: AsyncSession, email: str) -> None:
    """Store a link."""
    await Links(session=db).add(MagicLink(token=token(), email=email, expires_at=in_days(0.01)), auto_commit=True)


async def update(db: AsyncSession, email: str) -> None:
    """Change a user who is found by the address, as its `update` goes by the primary key."""
    users = Users(session=db)
    user = await users.get_one(email=email)
    user.last_login_at = in_days(0)
    await users.update(user, auto_commit=True)


async def upsert(db: AsyncSession, email: str) -> None:
    """Change a user, or make one."""
    await Users(session=db).upsert(
        User(email=email, last_login_at=in_days(0)), match_fields=["email"], auto_commit=True
    )


async def verify_link(db: AsyncSession, presented: str) -> None:
    """Use a link once, and open a session."""
    link = await Links(session=db).get_one(token=presented, with_for_update=True)
    assert link.used_at is None
    assert link.expires_at > in_days(0)
    user = await Users(session=db).get_one(email=link.email)
    link.used_at = user.last_login_at = in_days(0)
    new = Session(access_token=token(), refresh_token=token(), expires_at=in_days(30), user_id=user.id)
    await Sessions(session=db).add(new)
    await db.commit()


async def refresh(db: AsyncSession, box: list[str]) -> None:
    """Give a live session new tokens."""
    sessions = Sessions(session=db)
    session = await sessions.get_one(refresh_token=box[0], with_for_update=True)
    assert session.expires_at > in_days(0)
    session.access_token, session.refresh_token, session.expires_at = token(), token(), in_days(30)
    await sessions.update(session, auto_commit=True)
    box[0] = session.refresh_token


async def create_many(make_session: async_sessionmaker[AsyncSession]) -> None:
    """Serve blocks of many users in one call."""
    for _ in asked():
        users = [User(email=f"bulk-{token()[:8]}-{n}@example.com") for n in range(BULK)]
        start, cpu = time.perf_counter(), time.process_time()
        async with make_session() as db:
            await Users(session=db).add_many(users, auto_commit=True)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        # Before the answer, as elsewhere: the next contender works on the same table, and takes back what it finds.
        async with make_session() as db:
            await Users(session=db).delete_where(User.email.like("bulk-%"), auto_commit=True)
        answer(operations=1, seconds=seconds, p50_us=seconds * 1e6, cpu_us=cpu * 1e6)


def supply(given: Order) -> Callable[[float], Any]:
    """Return what makes the keys of a block."""
    keys: dict[str, Callable[[], list[Any]]] = {
        "authenticate": lambda: sample('"Session"', '"accessToken"'),
        **dict.fromkeys(("find_many", "include", "page"), lambda: sample('"User"', "id")),
        "refresh": lambda: [[refresh_token] for refresh_token in sample('"Session"', '"refreshToken"', own=given)],
    }
    if given.work == "verify_link":
        return fresh
    return endless(keys.get(given.work, lambda: sample('"User"', "email"))())


async def main(given: Order) -> None:
    """Do what was ordered."""
    url = DATABASE_URL.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, pool_size=given.clients, max_overflow=0)
    make_session = async_sessionmaker(engine, expire_on_commit=False)
    if given.work == "create_many":
        return await create_many(make_session)
    works = (authenticate, find_unique, find_many, page, include, create, update, upsert, verify_link, refresh)
    work: Any = {function.__name__: function for function in works}[given.work]

    async def connect() -> Callable[[Any], Awaitable[object]]:
        async def operation(key: object) -> None:
            async with make_session() as db:
                await work(db, key)

        return operation

    await serve_async(given.clients, supply(given), connect)
    return await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(order()))
