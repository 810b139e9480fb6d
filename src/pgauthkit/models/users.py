"""`User`: a person, known by one canonical address."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Enum, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from pgauthkit.email_address import IS_CANONICAL, canonical_email
from pgauthkit.models.base import SCHEMA, Base
from pgauthkit.models.mixins import CuidPrimaryKey, Timestamps
from pgauthkit.values import UserRole

if TYPE_CHECKING:
    from pgauthkit.models.devices import Device
    from pgauthkit.models.magic_links import MagicLink
    from pgauthkit.models.sessions import Session

__all__ = ["User"]


class User(CuidPrimaryKey, Timestamps, Base):
    """A person who signs in.

    Setting `email` makes it canonical, and raises `InvalidEmailError` where that cannot be. Deleting a user deletes the
    sessions and devices and keeps the links, without their user, in the database itself.

    Example:
        >>> User(email="Ada@Example.com").email
        'ada@example.com'
    """

    __tablename__ = "users"
    __table_args__: Any = (
        UniqueConstraint("email"),
        CheckConstraint("role IN ('USER', 'ADMIN')", name="role"),
        CheckConstraint(IS_CANONICAL, name="email"),
        # Room on each page for HOT updates: every sign-in moves last_login_at.
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 80}},
    )

    email: Mapped[str]
    role: Mapped[UserRole] = mapped_column(
        # Text with a CHECK: a native enum cannot be altered in one transaction, and survives its table's downgrade.
        Enum(UserRole, native_enum=False, create_constraint=False, length=32),
        default=UserRole.USER,
        server_default=UserRole.USER,
    )
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    last_login_at: Mapped[datetime | None]

    sessions: Mapped[list["Session"]] = relationship(back_populates="user", lazy="raise", passive_deletes="all")
    devices: Mapped[list["Device"]] = relationship(back_populates="user", lazy="raise", passive_deletes="all")
    magic_links: Mapped[list["MagicLink"]] = relationship(back_populates="user", lazy="raise", passive_deletes="all")

    @validates("email")
    def _canonical(self, _name: str, email: str) -> str:
        return canonical_email(email)
