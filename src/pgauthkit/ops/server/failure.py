"""Why a migration failed, as one of our errors."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

import psycopg
from alembic.util import CommandError
from sqlalchemy import URL
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError

from pgauthkit.database.unavailable import translated
from pgauthkit.errors import MigrationError, PgAuthKitError

__all__ = [
    "advice",
    "explained",
    "explained_offline",
    "is_about_the_connection",
    "is_in_the_way",
    "server_message",
    "sqlstate",
]

# https://www.postgresql.org/docs/16/errcodes-appendix.html: connection lost or refused, wrong password, no such
# database, shut down, too many connections, read-only.
_ABOUT_THE_CONNECTION: Final = ("08", "28", "3D", "57P", "53300", "25006")
# lock_not_available, deadlock_detected, serialization_failure: gone when the other transaction is.
_IN_THE_WAY: Final = frozenset({"55P03", "40P01", "40001"})

# The server's function that looks for an extension: src/backend/commands/extension.c
_OF_EXTENSIONS: Final = "parse_extension_control_file"
_EXTENSIONS: Final = (
    " The server lacks it. One of the extra `embedded` has plpgsql and vector alone: name the programs of a PostgreSQL"
    " that has it in PGAUTHKIT_PG_BIN (or --binaries), test in a container (--pgauthkit-backend container), or install"
    " the package of contrib extensions on a server of your own."
)
_EMPTY: Final = (
    " Rows that are there have no value for it. Give the column a server_default, or make it nullable; or add it as"
    " nullable, fill it with op.execute(…), and make it NOT NULL after that."
)
# The server's function that changes a column's type: src/backend/commands/tablecmds.c
_OF_TYPES: Final = "ATPrepAlterColumnType"
_UNCAST: Final = ' Say how each value becomes one of the new type: op.alter_column(…, postgresql_using="…").'


@contextmanager
def explained(what: str, url: URL, kind: type[PgAuthKitError] = MigrationError) -> Generator[None]:
    """Raise our errors in place of the driver's and Alembic's.

    Args:
        what: what failed if something does, the beginning of a sentence, such as `Revision 0001`.
        url: the database, to be named without its password.
        kind: the error for what the server refuses.

    Raises:
        DatabaseUnavailableError: the database cannot be reached, or was lost.
        MigrationError: the server refused, or SQLAlchemy a model; says `what`, the SQLSTATE and the server's own
            message. The error of the driver is the cause. Or the error that `kind` says.
    """
    with translated(url):
        try:
            yield
        except CommandError as error:
            raise kind(f"{what} failed: {error}") from error
        except (ArgumentError, InvalidRequestError) as error:  # A model that cannot be mapped.
            raise kind(f"{what} failed: {error.args[0]}") from error
        except DBAPIError as error:
            state = sqlstate(error)
            if is_about_the_connection(state):
                raise
            raise kind(f"{what} failed: {server_message(error)} (SQLSTATE {state}).{advice(error)}") from error


@contextmanager
def explained_offline() -> Generator[None]:
    """Raise our error where revisions cannot be written out as SQL, which needs no database.

    Raises:
        MigrationError: says why; the error of the revision is the cause.
    """
    try:
        yield
    except PgAuthKitError:
        raise
    except CommandError as error:
        raise MigrationError(f"The SQL cannot be written: {error}") from error
    except Exception as error:  # The host's own code, which may ask a database that is not there.
        raise MigrationError(
            f"The SQL cannot be written, as the revision needs a database to say it ({type(error).__name__}: {error})."
        ) from error


def is_in_the_way(error: DBAPIError) -> bool:
    """Return whether it conflicted with another transaction, so that the revision may be tried again."""
    return sqlstate(error) in _IN_THE_WAY


def is_about_the_connection(state: str | None) -> bool:
    """Tell whether it is not the statement that the server refused, if the server had a say at all."""
    return not state or state.startswith(_ABOUT_THE_CONNECTION)


def sqlstate(error: DBAPIError) -> str | None:
    """Return the server's code for an error; None where the server had no say."""
    return error.orig.sqlstate if isinstance(error.orig, psycopg.Error) else None


def server_message(error: DBAPIError) -> str | None:
    """Return the server's own sentence, without the DETAIL, which may have a row's values."""
    return error.orig.diag.message_primary if isinstance(error.orig, psycopg.Error) else None


def advice(error: DBAPIError) -> str:
    """Return what to do, sentences with a space before them; empty where the server has said all."""
    found = error.orig.diag.source_function if isinstance(error.orig, psycopg.Error) else None
    match error.orig:
        case psycopg.errors.FeatureNotSupported() if found == _OF_EXTENSIONS:
            return _EXTENSIONS
        case psycopg.errors.DatatypeMismatch() if found == _OF_TYPES:
            return _UNCAST
        # Of a table that is changed the server's scan of its rows tells; of an UPDATE the executor would.
        case psycopg.errors.NotNullViolation() if found == "ATRewriteTable":
            return _EMPTY
        case _:
            return ""
