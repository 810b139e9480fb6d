"""What the driver's connection must be like: a host may have set it up for statements of its own alone."""

from typing import Any, Final

import psycopg
from psycopg.raw_cursor import RawCursorMixin
from psycopg.rows import tuple_row

__all__ = ["UnsuitableError", "check_encoding", "check_suitability"]


_UTF8: Final = (b"UTF8", b"UNICODE")


class UnsuitableError(psycopg.NotSupportedError):
    """The connection is set up in a way in which SQLAlchemy, or we, cannot work."""


def check_suitability(driver: Any) -> None:  # noqa: ANN401 - psycopg's, of either kind
    """Make sure of what would otherwise fail in SQLAlchemy's hands, and far from its cause.

    Raises:
        UnsuitableError: rows are no tuples, or cursors take no parameters by name, or not every text can be sent.
    """
    if driver.row_factory is not tuple_row:
        raise UnsuitableError("its row_factory must be psycopg's own: leave it out of connect_args.")
    if issubclass(driver.cursor_factory, RawCursorMixin):
        raise UnsuitableError("its cursor_factory takes no parameters by name: leave it out of connect_args.")
    check_encoding(driver)


def check_encoding(driver: "psycopg.BaseConnection[Any]") -> None:
    """Make sure that every text can be sent. What libpq knows is asked, and not the server.

    Raises:
        UnsuitableError: it cannot, and psycopg would raise what nobody expects, or return bytes for texts.
    """
    encoding = driver.pgconn.parameter_status(b"client_encoding") or b"unknown"
    # The server answers with its own name for it, PgBouncer with what was asked for, such as utf8.
    if encoding.upper().replace(b"-", b"") not in _UTF8:
        raise UnsuitableError(
            f"its client_encoding must be UTF8, not {encoding.decode()}: set it to utf8 in the URL "
            "or in connect_args, or take create_engine of pgauthkit.database, which asks for it."
        )
