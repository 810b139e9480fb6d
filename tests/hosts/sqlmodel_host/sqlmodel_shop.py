"""The models of a host on SQLModel, as the FastAPI template has them, and its class of users."""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, MetaData, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship
from sqlmodel import Field, Relationship, SQLModel

from pgauthkit.models import Base, User

__all__ = ["Account", "Item", "SQLModel"]


class Account(User):
    nickname: Mapped[str | None] = mapped_column(Text)

    items: Mapped[list["Item"]] = relationship(lambda: Item, back_populates="author", lazy="raise")


class Item(SQLModel, table=True):
    __tablename__ = "items"
    metadata: ClassVar[MetaData] = SQLModel.metadata

    id: int | None = Field(default=None, primary_key=True)
    title: str = Field(sa_type=Text)
    author_id: str | None = Field(
        default=None, sa_column=Column(Text, ForeignKey(User.id, name="items_author_id_fkey", ondelete="CASCADE"))
    )

    author: Account | None = Relationship(sa_relationship=relationship(Account, back_populates="items"))


assert Base.metadata is not SQLModel.metadata
