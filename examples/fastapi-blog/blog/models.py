"""The blog's own class of users, and its own table, related to each other."""

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pgauthkit.models import Base, CuidPrimaryKey, Timestamps, User

__all__ = ["Account", "Base", "Post"]


class Account(User):
    """Everybody who signs in, under the name that they like to be called by."""

    display_name: Mapped[str | None]

    posts: Mapped[list["Post"]] = relationship(back_populates="author", lazy="raise", passive_deletes=True)


class Post(CuidPrimaryKey, Timestamps, Base):
    """What an author writes; it goes when its author goes."""

    __tablename__ = "posts"
    __table_args__ = (Index(None, "published", "created_at"),)

    title: Mapped[str]
    content: Mapped[str]
    published: Mapped[bool] = mapped_column(default=False)
    author_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"), index=True)

    author: Mapped[Account] = relationship(back_populates="posts", lazy="raise")
