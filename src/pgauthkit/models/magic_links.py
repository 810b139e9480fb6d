"""`MagicLink`: a link that signs in once, with its code and its binding, as hashes."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, ForeignKey, Index, Integer, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pgauthkit.models.base import SCHEMA, Base
from pgauthkit.models.mixins import CuidPrimaryKey

if TYPE_CHECKING:
    from pgauthkit.models.users import User

__all__ = ["MagicLink"]


class MagicLink(CuidPrimaryKey, Base):
    """A link that was asked for. `user_id` is empty until it is used, whether or not the address has an account.

    Example:
        >>> Repository(db, MagicLink).find_many(MagicLink.used_at.is_(None), email="ada@example.com")  # doctest: +SKIP
    """

    __tablename__ = "magic_links"
    __table_args__: Any = (
        UniqueConstraint("token_hash"),
        # The links that a sign-in or a deactivation ends.
        Index(None, "email", postgresql_where=text("used_at IS NULL AND revoked_at IS NULL")),
        Index(None, "expires_at"),
        Index(None, "user_id"),
        {"schema": SCHEMA},
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, info={"secret": True})
    code_hash: Mapped[str | None] = mapped_column(info={"secret": True})
    binding_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    attempts: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    email: Mapped[str]
    redirect_to: Mapped[str | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    expires_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    user_id: Mapped[str | None] = mapped_column(ForeignKey(f"{SCHEMA}.users.id", ondelete="SET NULL"))

    user: Mapped["User | None"] = relationship(back_populates="magic_links", lazy="raise")
