"""Columns that many tables share, ours and the host's."""

from datetime import datetime

from sqlalchemy import DateTime, Text, func
from sqlalchemy.orm import Mapped, mapped_column

from pgauthkit.identifiers import new_id

__all__ = ["CuidPrimaryKey", "Timestamps"]


class CuidPrimaryKey:
    """`id`: a text primary key that sorts by time (see `pgauthkit.identifiers`)."""

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id, sort_order=-1)


class Timestamps:
    """`created_at`, set by the database, and `updated_at`, moved with each update; both `timestamptz`."""

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now(), sort_order=2
    )
