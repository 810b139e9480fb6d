"""What the driver's connection must be like: a host may have set it up for statements of its own alone."""

from typing import Any, Final

import psycopg
from psycopg.raw_cursor import RawCursorMixin
from psycopg.rows import tuple_row

__all__ = ["UnsuitableError", "check_encoding", "check_suitability", "speaks_utf8"]


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
    if not speaks_utf8(driver):
        raise UnsuitableError(
            f"its client_encoding must be UTF8, not {_encoding(driver).decode()}: set it to utf8 in the URL "
            "or in connect_args, or take create_engine of pgauthkit.database, which asks for it."
        )


def speaks_utf8(driver: "psycopg.BaseConnection[Any]") -> bool:
    """Tell whether a connection speaks UTF-8.

    The server answers with its own name for it, PgBouncer with what was asked for, such as utf8.
    """
    return _encoding(driver).upper().replace(b"-", b"") in _UTF8


def _encoding(driver: "psycopg.BaseConnection[Any]") -> bytes:
    return driver.pgconn.parameter_status(b"client_encoding") or b"unknown"
