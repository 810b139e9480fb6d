"""`BrowserText`: the type of a column that keeps what a browser calls itself in short."""

from typing import TYPE_CHECKING, Any

from sqlalchemy import Text, TypeDecorator
from sqlalchemy.types import TypeEngine

from pgauthkit.user_agents import packed, unpacked

if TYPE_CHECKING:
    from sqlalchemy import Dialect

__all__ = ["BrowserText"]


class BrowserText(TypeDecorator[str]):
    """Text that is packed in the database, and whole in Python.

    Compare it with `==` and `IN`; what `LIKE` would look for may not be in the column.

    Example:
        >>> BrowserText().process_result_value("~{142}", dialect)[-34:]  # doctest: +SKIP
        ' Chrome/142.0.0.0 Safari/537.36'
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def process_bind_param(self, value: str | None, dialect: "Dialect") -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what the column keeps."""
        return packed(value)

    def process_result_value(self, value: str | None, dialect: "Dialect") -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what it is kept of."""
        return unpacked(value)
