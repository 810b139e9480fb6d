"""`Session`: one signed-in browser, with the hashes of its current and previous tokens."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import BigInteger, DateTime, ForeignKey, Index, LargeBinary, UniqueConstraint, func, text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pgauthkit.models.base import KEEPS_PAGES, SCHEMA, Base
from pgauthkit.models.browser_text import BrowserText
from pgauthkit.models.mixins import CuidPrimaryKey

if TYPE_CHECKING:
    from pgauthkit.models.users import User

__all__ = ["Session"]


class Session(CuidPrimaryKey, Base):
    """A session. A rotation or a touch changes no indexed column, so that it is a HOT update.

    Attributes:
        selector_hash: what the row is found by: 15 bytes, or all 32 in rows of before migration 0004, where the hashes
            of tokens have 32 as well, and 16 now.
        user_agent: the browser, as it called itself; the column has it in short.
        generation: how many pairs of tokens came before the current one; it is in the tokens as well.
        confirmed_at: when the current pair was first used; empty until then.
        device_id: the device that the sign-in came from, which may have been forgotten since.

    Example:
        >>> Repository(db, Session).count(Session.revoked_at.is_(None))  # doctest: +SKIP
        45
    """

    __tablename__ = "sessions"
    __table_args__: Any = (
        UniqueConstraint("selector_hash"),
        Index(None, "user_id"),
        {"schema": SCHEMA, "postgresql_with": {"fillfactor": 70, **KEEPS_PAGES}},
    )

    selector_hash: Mapped[bytes] = mapped_column(LargeBinary, info={"secret": True})
    access_token_hash: Mapped[bytes] = mapped_column(LargeBinary, info={"secret": True})
    refresh_token_hash: Mapped[bytes] = mapped_column(LargeBinary, info={"secret": True})
    previous_access_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    previous_access_expires_at: Mapped[datetime | None]
    previous_refresh_token_hash: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    rotation_nonce: Mapped[bytes | None] = mapped_column(LargeBinary, info={"secret": True})
    rotated_at: Mapped[datetime | None]
    generation: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    confirmed_at: Mapped[datetime | None]
    authenticated_at: Mapped[datetime]
    last_used_at: Mapped[datetime]
    access_expires_at: Mapped[datetime]
    idle_expires_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
    ip: Mapped[str | None]
    user_agent: Mapped[str | None] = mapped_column(BrowserText)
    device_id: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    user_id: Mapped[str] = mapped_column(ForeignKey(f"{SCHEMA}.users.id", ondelete="CASCADE"))

    user: Mapped["User"] = relationship(back_populates="sessions", lazy="raise")
