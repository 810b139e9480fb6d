"""`RateLimit`: how full each bucket of the limiter is."""

from datetime import datetime
from typing import Any

from sqlalchemy import LargeBinary, true
from sqlalchemy.orm import Mapped, mapped_column

from pgauthkit.models.base import KEEPS_PAGES, SCHEMA, Base

__all__ = ["RateLimit"]


class RateLimit(Base):
    """One bucket: `full_at` is when it will be empty again (GCRA's theoretical arrival time).

    UNLOGGED: buckets are emptied by a crash of the server, which costs nobody anything.

    Example:
        >>> db.execute(delete(RateLimit))  # doctest: +SKIP
    """

    __tablename__ = "rate_limits"
    __table_args__: Any = (
        {"schema": SCHEMA, "prefixes": ["UNLOGGED"], "postgresql_with": {"fillfactor": 70, **KEEPS_PAGES}},
    )

    key: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    full_at: Mapped[datetime]
    granted: Mapped[bool] = mapped_column(default=True, server_default=true())
