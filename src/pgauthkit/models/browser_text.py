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
        >>> BrowserText().result_processor(dialect, None)("~{142}")[-34:]  # doctest: +SKIP
        ' Chrome/142.0.0.0 Safari/537.36'
    """

    impl: TypeEngine[Any] | type[TypeEngine[Any]] = Text
    cache_ok: bool | None = True

    def process_bind_param(self, value: str | None, dialect: "Dialect") -> str | None:  # noqa: ARG002 - SQLAlchemy's
        """Return what the column keeps."""
        return packed(value)

    def result_processor(self, dialect: "Dialect", coltype: object) -> Any:  # noqa: ANN401, ARG002 - SQLAlchemy's
        """Return what makes it whole, called for each row: `process_result_value` would be two calls more."""
        return unpacked
