"""The models of a host on Flask-SQLAlchemy, and its class of users."""

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import ForeignKey, Text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from pgauthkit.models import User

__all__ = ["Account", "Item", "db"]


class Model(DeclarativeBase):
    """What `db.Model` is made from."""


db = SQLAlchemy(model_class=Model)


class Account(User):
    nickname: Mapped[str | None]

    items: Mapped[list["Item"]] = relationship(lambda: Item, back_populates="author", lazy="raise")


class Item(db.Model):  # type: ignore[name-defined, misc]  # made at run time
    __tablename__ = "items"

    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str] = mapped_column(Text)
    author_id: Mapped[str | None] = mapped_column(ForeignKey(User.id, name="items_author_id_fkey", ondelete="CASCADE"))

    author: Mapped[Account | None] = relationship(Account, back_populates="items")
