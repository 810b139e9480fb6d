"""What language a connection speaks: only in UTF-8 can every text be sent."""

from typing import Any

import psycopg

__all__ = ["EncodingError", "check_encoding"]


class EncodingError(psycopg.NotSupportedError):
    """The connection speaks another encoding than UTF8."""


def check_encoding(driver: "psycopg.BaseConnection[Any]") -> None:
    """Make sure that every text can be sent. What libpq knows is asked, and not the server.

    Raises:
        EncodingError: it cannot, and psycopg would raise what nobody expects, or return bytes for texts.
    """
    encoding = driver.pgconn.parameter_status(b"client_encoding")
    if encoding != b"UTF8":
        raise EncodingError(
            f"its client_encoding must be UTF8, not {(encoding or b'unknown').decode()}: set it to utf8 in the URL "
            "or in connect_args, or take create_engine of pgauthkit.database, which asks for it."
        )
