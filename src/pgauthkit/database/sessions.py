"""The session behind what frameworks give out: `scoped_session` is another one in each thread."""

from typing import Any, cast

from sqlalchemy import orm
from sqlalchemy.ext.asyncio import async_scoped_session

__all__ = ["session_of"]


def session_of(db: Any) -> Any:  # noqa: ANN401 - each caller knows what it was given
    """Return the session that a `scoped_session` stands for here and now, and anything else as it is.

    Example:
        >>> session_of(orm.scoped_session(orm.sessionmaker())).__class__.__name__
        'Session'
    """
    is_scoped = isinstance(db, orm.scoped_session | async_scoped_session)
    return cast("Any", db)() if is_scoped else db
