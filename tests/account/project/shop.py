"""A shop's models: its own class of users, and tables on three bases that lead to it."""

from typing import ClassVar

from sqlalchemy import Column, ForeignKey, MetaData, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, validates
from sqlmodel import Field, Relationship, SQLModel

from pgauthkit.models import Base, CuidPrimaryKey, SoftDelete, User

__all__ = ["Account", "Base", "Note", "Order", "Post", "ShopBase", "Team"]


class Team(CuidPrimaryKey, Base):
    __tablename__ = "teams"

    name: Mapped[str]

    members: Mapped[list["Account"]] = relationship(back_populates="team", lazy="raise")
    # Declared to lead to User, as a library's own model would.
    people: Mapped[list[User]] = relationship(viewonly=True)


class Account(User):
    phone: Mapped[str | None] = mapped_column(unique=True)
    # With defaults of Python's as well, which are no business of a sign-in.
    locale: Mapped[str] = mapped_column(default="fr", server_default="en", onupdate=lambda: "de")
    team_id: Mapped[str | None] = mapped_column(ForeignKey(Team.id), index=True)

    team: Mapped[Team | None] = relationship(back_populates="members")
    posts: Mapped[list["Post"]] = relationship(back_populates="author", passive_deletes="all")
    orders: Mapped[list["Order"]] = relationship(lambda: Order, viewonly=True)

    @validates("phone")
    def _digits(self, _name: str, phone: str | None) -> str | None:
        return phone and phone.replace(" ", "")


class Post(CuidPrimaryKey, SoftDelete, Base):
    __tablename__ = "posts"

    title: Mapped[str]
    author_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))

    author: Mapped[Account] = relationship(back_populates="posts")
    writer: Mapped[User] = relationship(User, viewonly=True)


class ShopBase(DeclarativeBase):
    metadata: ClassVar[MetaData] = Base.metadata


class Note(ShopBase):
    __tablename__ = "notes"

    id: Mapped[int] = mapped_column(primary_key=True)
    user_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))

    user: Mapped[User] = relationship(User)


class Order(SQLModel, table=True):
    __tablename__ = "orders"
    metadata: ClassVar[MetaData] = Base.metadata

    id: int | None = Field(default=None, primary_key=True)
    user_id: str = Field(sa_column=Column(Text, ForeignKey(User.id, ondelete="CASCADE"), nullable=False))
    user: Account = Relationship(sa_relationship=relationship(Account))
