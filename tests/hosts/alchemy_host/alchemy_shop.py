"""The models of a host on advanced-alchemy, and its class of users."""

from advanced_alchemy.base import UUIDAuditBase
from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from pgauthkit.models import User

__all__ = ["Account", "Item", "UUIDAuditBase"]


class Account(User):
    nickname: Mapped[str | None]

    items: Mapped[list["Item"]] = relationship(lambda: Item, back_populates="author", lazy="raise")


class Item(UUIDAuditBase):
    __tablename__ = "items"

    title: Mapped[str] = mapped_column(Text)
    author_id: Mapped[str | None] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))

    author: Mapped[Account | None] = relationship(Account, back_populates="items")
