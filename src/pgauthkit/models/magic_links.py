"""`MagicLink`: a link that signs in once, with its code and its binding, as hashes."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    CheckConstraint,
    DateTime,
    Enum,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    UniqueConstraint,
    func,
    text,
)
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pgauthkit.email_address import IS_CANONICAL
from pgauthkit.models.base import KEEPS_PAGES, SCHEMA, Base
from pgauthkit.models.mixins import CuidPrimaryKey
from pgauthkit.values import UserRole

if TYPE_CHECKING:
    from pgauthkit.models.users import User

__all__ = ["MagicLink"]

_PENDING = "used_at IS NULL AND revoked_at IS NULL"


class MagicLink(CuidPrimaryKey, Base):
    """A link that was asked for. `user_id` is empty until it is used, whether or not the address has an account.

    The columns below are there for a release to come: today every link is for `sign_in`, and the others are empty.

    Attributes:
        purpose: `sign_in`, `invite` or `email_change`; the last has the user who asked in `user_id` from the start.
        role: what an invited user becomes.
        handoff_hash: of the browser that waits; mails that were sent again share it.
        match_hash: of the number that the waiting browser shows.
        match_attempts: wrong numbers so far.
        approved_at: when the number was typed; the link waits from then for its browser.
        session_id: the session that it opened, which may be gone.
        session_nonce: what that session's tokens can be derived from again, by a holder of the link and its binding.

    Example:
        >>> Repository(db, MagicLink).find_many(MagicLink.used_at.is_(None), email="ada@example.com")  # doctest: +SKIP
    """

    __tablename__ = "magic_links"
    __table_args__: Any = (
        UniqueConstraint("token_hash"),
        # The links that a sign-in or a deactivation ends.
        Index(None, "email", postgresql_where=text(_PENDING)),
        # One live invitation an address, and one live change a user: a new one replaces the row.
        Index(
            "uq_magic_links_email_invite",
            "email",
            unique=True,
            postgresql_where=text(f"purpose = 'invite' AND {_PENDING}"),
        ),
        Index(
            "uq_magic_links_user_id_email_change",
            "user_id",
            unique=True,
            postgresql_where=text(f"purpose = 'email_change' AND {_PENDING}"),
        ),
        Index(None, "handoff_hash", postgresql_where=text("handoff_hash IS NOT NULL")),
        Index(None, "expires_at"),
        Index(None, "user_id"),
        CheckConstraint("purpose IN ('sign_in', 'invite', 'email_change')", name="purpose"),
        CheckConstraint("role IN ('USER', 'ADMIN')", name="role"),
        CheckConstraint(IS_CANONICAL, name="email"),
        {"schema": SCHEMA, "postgresql_with": {**KEEPS_PAGES}},
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, info={"secret": True})
    purpose: Mapped[str] = mapped_column(default="sign_in", server_default="sign_in")
    code_hash: Mapped[str | None] = mapped_column(info={"secret": True})
    binding_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    handoff_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    match_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    match_attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    email: Mapped[str]
    role: Mapped[UserRole | None] = mapped_column(Enum(UserRole, native_enum=False, create_constraint=False, length=32))
    redirect_to: Mapped[str | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    expires_at: Mapped[datetime]
    approved_at: Mapped[datetime | None]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    session_id: Mapped[str | None]
    session_nonce: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    user_id: Mapped[str | None] = mapped_column(ForeignKey(f"{SCHEMA}.users.id", ondelete="SET NULL"))

    user: Mapped["User | None"] = relationship(back_populates="magic_links", lazy="raise")
