"""A table of the application's own, on a base of its own, with a foreign key to pgauthkit's users."""

from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgauthkit.models import CuidPrimaryKey, SoftDelete, Timestamps, User

__all__ = ["Base", "Note"]


class Base(DeclarativeBase):
    """The base of this application's models."""


class Note(CuidPrimaryKey, Timestamps, SoftDelete, Base):
    """What somebody wants to remember. It goes with its owner; deleted by hand, it can be taken back."""

    __tablename__ = "notes"

    text: Mapped[str]
    owner_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)
