"""A type of PostgreSQL by its name, for revisions: where a model's own type cannot be written as an expression."""

from typing import Any

from sqlalchemy.types import UserDefinedType

__all__ = ["NamedType"]


class NamedType(UserDefinedType[Any]):
    """A column's type as SQL has it. A revision needs no more of it, as it only makes the column.

    Args:
        sql: such as `geometry(POINT,4326)`.

    Example:
        >>> NamedType("hstore")
        NamedType('hstore')
    """

    cache_ok: bool | None = True

    def __init__(self, sql: str) -> None:
        self.sql = sql

    def get_col_spec(self, **_: object) -> str:
        """Return what stands behind the column's name in SQL."""
        return self.sql
