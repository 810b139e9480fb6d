"""Columns and indexes that many tables share, ours and the host's."""

from datetime import datetime
from typing import Any, Final, cast

from sqlalchemy import DateTime, Index, Table, Text, event, func, text
from sqlalchemy.orm import Mapped, Mapper, mapped_column

from pgauthkit.identifiers import new_id

__all__ = ["CuidPrimaryKey", "SoftDelete", "Timestamps", "unique_unless_deleted"]

_UNLESS_DELETED: Final = "pgauthkit_unless_deleted"


class CuidPrimaryKey:
    """`id`: a text primary key that sorts by time (see `pgauthkit.identifiers`).

    Example:
        >>> class Post(CuidPrimaryKey, Base):  # doctest: +SKIP
        ...     __tablename__ = "posts"
        ...     title: Mapped[str]
    """

    id: Mapped[str] = mapped_column(Text, primary_key=True, default=new_id, sort_order=-1)


class Timestamps:
    """`created_at`, set by the database, and `updated_at`, moved with each update; both `timestamptz`.

    Example:
        >>> class Post(CuidPrimaryKey, Timestamps, Base):  # doctest: +SKIP
        ...     __tablename__ = "posts"
        ...     title: Mapped[str]
    """

    created_at: Mapped[datetime] = mapped_column(DateTime(timezone=True), server_default=func.now(), sort_order=1)
    updated_at: Mapped[datetime] = mapped_column(
        DateTime(timezone=True), server_default=func.now(), onupdate=func.now(), sort_order=2
    )


class SoftDelete:
    """`deleted_at`: when the row was deleted, `timestamptz`, indexed; repositories hide such rows.

    A unique constraint counts deleted rows as well; `unique_unless_deleted` does not.

    Example:
        >>> class Post(CuidPrimaryKey, SoftDelete, Base):  # doctest: +SKIP
        ...     __tablename__ = "posts"
        >>> Repository(db, Post).restore({"id": post.id})  # doctest: +SKIP
    """

    deleted_at: Mapped[datetime | None] = mapped_column(DateTime(timezone=True), index=True, sort_order=3)


def unique_unless_deleted(*columns: str, name: str | None = None) -> Index:
    """Return a unique index over the rows that are not deleted, so that a deleted one's e-mail or slug is free again.

    For `__table_args__` of a `SoftDelete` model; a repository takes its columns for a unique key. Where the attribute
    `deleted_at` is a column of another name, the index is over that.

    Args:
        *columns: names of columns of the table.
        name: of the index; by the naming convention when not given.

    Example:
        >>> class Page(CuidPrimaryKey, SoftDelete, Base):  # doctest: +SKIP
        ...     __tablename__ = "pages"
        ...     __table_args__ = (unique_unless_deleted("slug"),)
        ...     slug: Mapped[str]
    """
    where = text("deleted_at IS NULL")
    return Index(name, *columns, unique=True, postgresql_where=where, info={_UNLESS_DELETED: True})


@event.listens_for(SoftDelete, "after_mapper_constructed", propagate=True)
def _name_the_column(mapper: Mapper[Any], _: type[Any]) -> None:
    """Write the name of the column into the index, which was made before anything was mapped."""
    name, table = mapper.columns["deleted_at"].name, cast("Table", mapper.local_table)
    if name == "deleted_at":
        return
    quoted = name.replace('"', '""')
    for index in table.indexes:
        if _UNLESS_DELETED in index.info:
            index.dialect_options["postgresql"]["where"] = text(f'"{quoted}" IS NULL')
