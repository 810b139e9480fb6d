"""The declarative base, with names for every constraint and index by convention."""

from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar, Final

from sqlalchemy import DateTime, MetaData, Text
from sqlalchemy.orm import DeclarativeBase

__all__ = ["KEEPS_PAGES", "SCHEMA", "Base"]

SCHEMA: Final = "pgauthkit"
# PostgreSQL reads a table of few pages as a whole, and a prepared statement goes on to do so while the table grows. So
# a table that was emptied keeps its pages.
# https://www.postgresql.org/docs/16/sql-createtable.html#RELOPTION-VACUUM-TRUNCATE
KEEPS_PAGES: Final = MappingProxyType({"vacuum_truncate": "off"})

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
