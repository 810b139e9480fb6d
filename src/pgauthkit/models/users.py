"""`User`: a person, known by one canonical address."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import CheckConstraint, Enum, UniqueConstraint, true
from sqlalchemy.orm import Mapped, mapped_column, relationship, validates

from pgauthkit.email_address import IS_CANONICAL, canonical_email
from pgauthkit.errors import ConfigError
from pgauthkit.models.account import KIND, standing, taking_over
from pgauthkit.models.base import KEEPS_PAGES, SCHEMA, Base
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

    An application may derive one class of its own, with columns and relations of its own: every user is loaded as that
    class from then on. Its columns are in this table, and its own revisions make them. Ours are called as those below,
    and those of later releases begin with `pgauthkit_`.

    Attributes:
        pgauthkit_kind: tells SQLAlchemy which class a row is of: always `user`.

    Raises:
        ConfigError: of a second such class, of a column that a sign-in cannot fill, and of `User(…)` where there is
            such a class.

    Example:
        >>> User(email="Ada@Example.com").email
        'ada@example.com'
        >>> class Account(User):  # doctest: +SKIP
        ...     phone: Mapped[str | None]
        ...     posts: Mapped[list["Post"]] = relationship(back_populates="author")
    """

    __tablename__ = "users"
    __table_args__: Any = (
        UniqueConstraint("email"),
        CheckConstraint("role IN ('USER', 'ADMIN')", name="role"),
        CheckConstraint(IS_CANONICAL, name="email"),
        # Room on each page for HOT updates: every sign-in moves last_login_at.
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 80, **KEEPS_PAGES}},
    )

    __mapper_args__: Any = {"polymorphic_on": "pgauthkit_kind", "polymorphic_identity": KIND}  # noqa: RUF012 - SQLAlchemy's own

    email: Mapped[str]
    role: Mapped[UserRole] = mapped_column(
        # Text with a CHECK: a native enum cannot be altered in one transaction, and survives its table's downgrade.
        Enum(UserRole, native_enum=False, create_constraint=False, length=32),
        default=UserRole.USER,
        server_default=UserRole.USER,
    )
    is_active: Mapped[bool] = mapped_column(default=True, server_default=true())
    last_login_at: Mapped[datetime | None]
    pgauthkit_kind: Mapped[str] = mapped_column(server_default=KIND, sort_order=3)

    sessions: Mapped[list["Session"]] = relationship(back_populates="user", lazy="raise", passive_deletes="all")
    devices: Mapped[list["Device"]] = relationship(back_populates="user", lazy="raise", passive_deletes="all")
    magic_links: Mapped[list["MagicLink"]] = relationship(back_populates="user", lazy="raise", passive_deletes="all")

    def __init__(self, **values: Any) -> None:  # noqa: ANN401 - columns
        if type(self) is User and (made := standing(User.__mapper__)) is not User:
            raise ConfigError([f"models: {made.__name__} is the class of users: make one of these, not a User."])
        super().__init__(**values)

    def __init_subclass__(cls, **options: Any) -> None:  # noqa: ANN401 - SQLAlchemy's own
        with taking_over(User.__mapper__, cls):
            super().__init_subclass__(**options)

    @validates("email")
    def _canonical(self, _name: str, email: str) -> str:
        return canonical_email(email)
