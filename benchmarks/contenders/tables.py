"""The tables of a repository's work: a host's models on those that Prisma's migrations make, and pgauthkit's own.

It also runs on the build of another commit: it asks of pgauthkit no more than any of them has.
"""

import os
import secrets
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs
from sqlalchemy import DateTime, Enum, ForeignKey, func, true
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgauthkit.identifiers import new_id
from pgauthkit.models import MagicLink as OwnLink, User as OwnUser

__all__ = ["OWN", "SHARED", "Tables", "tables"]


def naive_now() -> datetime:
    """Return the moment in UTC without saying so, as Prisma's tables keep it."""
    return datetime.now(UTC).replace(tzinfo=None)


class Base(DeclarativeBase):
    """The base of the host's models."""


class User(Base):
    """A user, in the columns of Prisma's."""

    __tablename__ = "User"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    email: Mapped[str] = mapped_column(unique=True)
    role: Mapped[str] = mapped_column(Enum("USER", "ADMIN", name="Role"), server_default="USER")
    is_active: Mapped[bool] = mapped_column("isActive", server_default=true())
    last_login_at: Mapped[datetime | None] = mapped_column("lastLoginAt", DateTime)
    created_at: Mapped[datetime] = mapped_column("createdAt", DateTime, server_default=func.now())
    updated_at: Mapped[datetime] = mapped_column("updatedAt", DateTime, default=naive_now, onupdate=naive_now)
    sessions: Mapped[list["Session"]] = relationship(back_populates="user", passive_deletes=True)


class Session(Base):
    """A session, in the columns of Prisma's."""

    __tablename__ = "Session"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    access_token: Mapped[str] = mapped_column("accessToken", unique=True)
    refresh_token: Mapped[str] = mapped_column("refreshToken", unique=True)
    expires_at: Mapped[datetime] = mapped_column("expiresAt", DateTime)
    created_at: Mapped[datetime] = mapped_column("createdAt", DateTime, server_default=func.now())
    user_id: Mapped[str] = mapped_column("userId", ForeignKey("User.id", ondelete="CASCADE"))
    user: Mapped[User] = relationship(back_populates="sessions")


class Link(Base):
    """A link, in the columns of Prisma's."""

    __tablename__ = "MagicLink"

    id: Mapped[str] = mapped_column(primary_key=True, default=new_id)
    token: Mapped[str] = mapped_column(unique=True)
    email: Mapped[str]
    expires_at: Mapped[datetime] = mapped_column("expiresAt", DateTime)
    used_at: Mapped[datetime | None] = mapped_column("usedAt", DateTime)
    created_at: Mapped[datetime] = mapped_column("createdAt", DateTime, server_default=func.now())
    user_id: Mapped[str | None] = mapped_column("userId", ForeignKey("User.id"))


@attrs.frozen(kw_only=True)
class Tables:
    """Models, and what is written with them.

    Attributes:
        user: the model of a user, with `sessions`.
        link: the model of a link.
        names: how raw SQL calls tables and columns.
        new_token: returns the value of a new link's `token`.
        now: returns the moment, as the columns keep it.
    """

    user: type[Any]
    link: type[Any]
    names: dict[str, str]
    new_token: Callable[[], object]
    now: Callable[[], datetime]

    def new_link(self, email: str) -> dict[str, object]:
        """Return the values of a new link."""
        soon = self.now() + timedelta(minutes=15)
        return {self.names["token_attribute"]: self.new_token(), "email": email, "expires_at": soon}


SHARED: Final = Tables(
    user=User,
    link=Link,
    names={
        "users": '"User"',
        "sessions": '"Session"',
        "links": '"MagicLink"',
        "user_id": '"userId"',
        "token": "token",
        "token_attribute": "token",
        "expires_at": '"expiresAt"',
        "last_login_at": '"lastLoginAt"',
        "updated_at": '"updatedAt"',
    },
    new_token=lambda: secrets.token_urlsafe(32),
    now=naive_now,
)
OWN: Final = Tables(
    user=OwnUser,
    link=OwnLink,
    names={
        "users": "pgauthkit.users",
        "sessions": "pgauthkit.sessions",
        "links": "pgauthkit.magic_links",
        "user_id": "user_id",
        "token": "token_hash",
        "token_attribute": "token_hash",
        "expires_at": "expires_at",
        "last_login_at": "last_login_at",
        "updated_at": "updated_at",
    },
    new_token=lambda: secrets.token_bytes(32),
    now=lambda: datetime.now(UTC),
)


def tables() -> Tables:
    """Return those that the runner has put into the environment."""
    return OWN if os.environ["TABLES"] == "own" else SHARED
