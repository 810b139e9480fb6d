"""The declarative base, with names for every constraint and index by convention."""

from datetime import datetime
from typing import Any, ClassVar, Final

from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

__all__ = ["SCHEMA", "Base"]

SCHEMA: Final = "pgauthkit"

_NAMES: Final = {
    "pk": "pk_%(table_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
}


class Base(DeclarativeBase):
    """The base of our models, and of the host's if it likes.

    Our tables name their schema, `pgauthkit`, each; a host's table goes where the host says. `datetime` becomes
    `timestamptz`, `str` becomes `text`.

    Example:
        >>> from pgauthkit.models import Base, CuidPrimaryKey, Timestamps
        >>> class Post(CuidPrimaryKey, Timestamps, Base):
        ...     __tablename__ = "posts"
    """

    metadata: ClassVar[MetaData] = MetaData(naming_convention=_NAMES)
    type_annotation_map: ClassVar[dict[Any, Any]] = {str: Text, datetime: DateTime(timezone=True)}
