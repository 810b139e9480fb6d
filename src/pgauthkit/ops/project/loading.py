"""Code of the application that raises while it is loaded or run: reported with file and line, without its secrets."""

import re
import sysconfig
import traceback
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import psycopg
from alembic.util import CommandError
from sqlalchemy.exc import ArgumentError, DBAPIError, InvalidRequestError, SQLAlchemyError

from pgauthkit.errors import MigrationError, PgAuthKitError

__all__ = ["explained_loading", "explained_running", "reason"]

# A frame in these is not the application's: Python, what is installed, and pgauthkit itself.
_LIBRARIES: Final = (
    *{sysconfig.get_path(name) for name in ("stdlib", "purelib", "platlib")},
    str(Path(__file__).parents[2]),
)
# pydantic quotes the settings that it refuses, a URL its password.
_SECRETS: Final = (
    (re.compile(r", input_value=.*?, input_type=\w+\]"), "]"),
    (re.compile(r"For further information visit \S+"), ""),
    (re.compile(r"://[^/@\s]*@"), "://***@"),
)


@contextmanager
def explained_loading(what: str, *, cure: str = "", until: Callable[[], bool] = lambda: False) -> Generator[None]:
    """Raise our error where code of the application raises while it is loaded, whatever it raises.

    Args:
        what: the file, the beginning of a sentence, such as `The env.py`.
        cure: what helps where it cannot reach a database, a sentence.
        until: whether it has been loaded by now; then its errors are left as they are.

    Raises:
        MigrationError: says what, why and where; the error is the cause.

    Example:
        >>> with explained_loading("The env.py"):  # doctest: +SKIP
        ...     script.run_env()
    """
    try:
        yield
    except (PgAuthKitError, CommandError):
        raise
    # The application may raise anything, and end the process.
    except (Exception, SystemExit) as error:
        if until():
            raise
        hint = f" {cure}" if cure and isinstance(error, DBAPIError) else ""
        raise MigrationError(f"{what} cannot be loaded: {reason(error)}.{hint}") from error


@contextmanager
def explained_running(what: str) -> Generator[None]:
    """Raise our error where code of the application raises while it works on a database.

    What the database refuses, Alembic and SQLAlchemy is left to `pgauthkit.ops.server.failure.explained`.

    Args:
        what: the beginning of a sentence, such as `A revision`.

    Raises:
        MigrationError: says what, why and where; the error is the cause.

    Example:
        >>> with explained_running("A revision"):  # doctest: +SKIP
        ...     revision.module.upgrade()
    """
    try:
        yield
    except (PgAuthKitError, CommandError, DBAPIError, ArgumentError, InvalidRequestError, psycopg.OperationalError):
        raise
    except (Exception, SystemExit) as error:
        hint = " Write the import of its module into the file." if isinstance(error, NameError) else ""
        raise MigrationError(f"{what} failed: {reason(error)}.{hint}") from error


def reason(error: BaseException, *, brief: bool = False) -> str:
    """Return the kind and the message of an error, and where the application raised it; no value, no password.

    Args:
        error: what was raised.
        brief: whether to leave out the kind where the message has several words.

    Example:
        >>> reason(KeyError("SECRET_KEY"))
        "KeyError: 'SECRET_KEY'"
        >>> reason(ModuleNotFoundError("No module named 'blog'"), brief=True)
        "No module named 'blog'"
    """
    message = _message(error)
    parts = [message] if brief and " " in message else [type(error).__name__, message]
    return ": ".join(filter(None, parts)) + _place(error)


def _message(error: BaseException) -> str:
    # The first argument of SQLAlchemy's errors is without the statement and its parameters; the server's own sentence
    # is without the DETAIL, which may have a row's values.
    diagnosis = getattr(getattr(error, "orig", error), "diag", None)
    text = str(getattr(diagnosis, "message_primary", None) or "")
    if not text and isinstance(error, SyntaxError):
        text = error.msg
    if not text:
        text = str(error.args[0]) if isinstance(error, SQLAlchemyError) and error.args else str(error)
    for secret, shown in _SECRETS:
        text = secret.sub(shown, text)
    return " ".join(text.split()).rstrip(".")


def _place(error: BaseException) -> str:
    """Say where in the application it was raised, if it was raised there and not by the import itself."""
    frames = [(frame.filename, frame.lineno) for frame in traceback.extract_tb(error.__traceback__)]
    if isinstance(error, SyntaxError) and error.filename:
        frames.append((error.filename, error.lineno))
    theirs = [(name, line) for name, line in frames if not name.startswith(("<", *_LIBRARIES))]
    if not theirs:
        return ""
    name, line = theirs[-1]
    path = Path(name)
    return f" ({path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}, line {line})"
