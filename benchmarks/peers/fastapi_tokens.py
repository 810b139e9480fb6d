"""fastapi-users: its database strategy on asyncpg, a session for each operation, as its documentation has it.

It has no magic link, no refresh token, no relations and no bulk; it looks addresses up by `lower(email)`, which the
index that it ships with does not serve, so that there is nothing to compare there.
"""

import asyncio
import uuid
from collections.abc import Awaitable, Callable
from typing import Any

from fastapi_users import BaseUserManager, UUIDIDMixin
from fastapi_users.authentication.strategy.db import DatabaseStrategy
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import SQLAlchemyAccessTokenDatabase, SQLAlchemyBaseAccessTokenTableUUID
from fastapi_users_db_sqlalchemy.generics import GUID
from sqlalchemy import ForeignKey
from sqlalchemy.ext.asyncio import AsyncEngine, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, declared_attr, mapped_column

from benchmarks.block import Order, order, serve_async
from benchmarks.peers.rows import DATABASE_URL, endless, sample

__all__ = ["main"]


class Base(DeclarativeBase):
    """The base of the models."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """A user; the name of the table is its own, as other peers share the database."""

    __tablename__ = "fastapi_user"


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """A token."""

    __tablename__ = "fastapi_accesstoken"

    @declared_attr
    def user_id(cls) -> Mapped[Any]:  # noqa: N805 - a class attribute of SQLAlchemy
        """Whose it is."""
        return mapped_column(GUID, ForeignKey("fastapi_user.id", ondelete="cascade"), nullable=False)


class Manager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    """Users, as the library wants them managed."""


async def migrate(engine: AsyncEngine) -> None:
    """Make the tables."""
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.create_all)


async def main(given: Order) -> None:
    """Do what was ordered."""
    url = DATABASE_URL.replace("postgresql://", "postgresql+asyncpg://", 1)
    engine = create_async_engine(url, pool_size=given.clients, max_overflow=0)
    make_session = async_sessionmaker(engine, expire_on_commit=False)
    if given.work == "migrate":
        return await migrate(engine)

    async def authenticate(token: str) -> None:
        async with make_session() as db:
            strategy = DatabaseStrategy(SQLAlchemyAccessTokenDatabase(db, AccessToken), lifetime_seconds=30 * 86_400)
            user = await strategy.read_token(token, Manager(SQLAlchemyUserDatabase(db, User)))
            assert user
            assert user.is_active

    async def connect() -> Callable[[Any], Awaitable[object]]:
        return authenticate

    await serve_async(given.clients, endless(sample("fastapi_accesstoken", "token")), connect)
    return await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(order()))
