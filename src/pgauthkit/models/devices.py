"""`Device`: a browser on which a user has signed in before."""

from datetime import datetime
from typing import TYPE_CHECKING, Any

from sqlalchemy import DateTime, ForeignKey, Index, LargeBinary, UniqueConstraint, func
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pgauthkit.models.base import KEEPS_PAGES, SCHEMA, Base
from pgauthkit.models.mixins import CuidPrimaryKey

if TYPE_CHECKING:
    from pgauthkit.models.users import User

__all__ = ["Device"]


class Device(CuidPrimaryKey, Base):
    """A known device: it signs nobody in, and has limits of its own on asking for links and trying codes.

    Attributes:
        token_hash: of the token in the browser's cookie.
        ip: where its user last signed in from.
        user_agent: the browser, as it called itself then.
        last_used_at: when its user last signed in on it.
        expires_at: when it is forgotten unless they do so again.

    Example:
        >>> Repository(db, Device).count(Device.user_id == user.id)  # doctest: +SKIP
        3
    """

    __tablename__ = "devices"
    __table_args__: Any = (
        UniqueConstraint("token_hash"),
        Index(None, "expires_at"),
        Index(None, "user_id"),
        {"schema": SCHEMA, "postgresql_with": {**KEEPS_PAGES}},
    )

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, info={"secret": True})
    ip: Mapped[str | None]
    user_agent: Mapped[str | None]
    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now())
    last_used_at: Mapped[datetime]
    expires_at: Mapped[datetime]
    user_id: Mapped[str] = mapped_column(ForeignKey(f"{SCHEMA}.users.id", ondelete="CASCADE"))

    user: Mapped["User"] = relationship(back_populates="devices", lazy="raise")
