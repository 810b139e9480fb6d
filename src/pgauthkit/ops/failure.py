"""Why a migration failed, told in our own errors."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import DBAPIError

from pgauthkit.database.unavailable import translated
from pgauthkit.errors import MigrationError

__all__ = ["explained", "is_in_the_way", "sqlstate"]

# https://www.postgresql.org/docs/16/errcodes-appendix.html: connection lost or refused, wrong password, no such
# database, shut down, too many connections, read-only.
_ABOUT_THE_CONNECTION: Final = ("08", "28", "3D", "57P", "53300", "25006")
# lock_not_available, deadlock_detected, serialization_failure: gone when the other transaction is.
_IN_THE_WAY: Final = frozenset({"55P03", "40P01", "40001"})


@contextmanager
def explained(what: str, url: URL) -> Generator[None]:
    """Raise our errors in place of the driver's and Alembic's.

    Args:
        what: what failed if something does, the beginning of a sentence, such as `Revision 0001`.
        url: the database, to be named without its password.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or was lost.
        MigrationError: the server refused; says `what`, the SQLSTATE and the server's own message. The error of the
            driver is the cause.
    """
    with translated(url):
        try:
            yield
        except CommandError as error:
            raise MigrationError(f"{what} failed: {error}") from error
        except DBAPIError as error:
            state = sqlstate(error)
            if not state or state.startswith(_ABOUT_THE_CONNECTION):
                raise
            raise MigrationError(f"{what} failed: {_message(error)} (SQLSTATE {state}).") from error


def is_in_the_way(error: DBAPIError) -> bool:
    """Tell whether another transaction was in the way, so that the revision may be tried again."""
    return sqlstate(error) in _IN_THE_WAY


def sqlstate(error: DBAPIError) -> str | None:
    """Return the server's code for an error; None where the server had no say."""
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def _message(error: DBAPIError) -> str | None:
    return error.orig.diag.message_primary if isinstance(error.orig, psycopg.Error) else None
