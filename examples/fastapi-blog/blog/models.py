"""The blog's own table, related to pgauthkit's users."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, backref, mapped_column, relationship

from pgauthkit.models import Base, CuidPrimaryKey, Timestamps, User

__all__ = ["Base", "Post"]


class Post(CuidPrimaryKey, Timestamps, Base):
    """What an author writes; it goes when its author goes."""

    __tablename__ = "posts"
    __table_args__ = (Index(None, "published", "created_at"),)

    title: Mapped[str]
    content: Mapped[str]
    published: Mapped[bool] = mapped_column(default=False)
    author_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)

    author: Mapped[User] = relationship(backref=backref("posts", lazy="raise", passive_deletes=True), lazy="raise")
