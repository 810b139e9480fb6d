"""The application's logging, kept as it is while an env.py runs."""

import logging
from collections.abc import Callable, Generator
from contextlib import contextmanager

__all__ = ["logging_kept"]


@contextmanager
def logging_kept() -> Generator[Callable[[], None]]:
    """Keep the application's logging as it is while an env.py runs.

    The env.py of Alembic's template calls `fileConfig()`, which silences every logger that exists, takes away the
    handlers of the application, and lets Alembic report each step among what we print.

    Yields:
        What puts the logging back at once.

    Example:
        >>> with logging_kept() as put_back:
        ...     put_back()
    """
    logging.getLogger("alembic")  # Else it may be made by the env.py, and we would not know how it was.
    root = logging.getLogger()
    known = [root, *(found for found in root.manager.loggerDict.values() if isinstance(found, logging.Logger))]
    before = [(logger, logger.level, logger.handlers[:], logger.propagate, logger.disabled) for logger in known]

    def put_back() -> None:
        for logger, level, handlers, propagate, disabled in before:
            logger.setLevel(level)
            logger.handlers[:] = handlers
            logger.propagate, logger.disabled = propagate, disabled

    try:
        yield put_back
    finally:
        put_back()
