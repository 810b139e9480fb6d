"""What hosts give for a database: the session behind a `scoped_session`, and whether something is an engine at all."""

from typing import Any, Final, cast

from sqlalchemy import Engine, orm
from sqlalchemy.ext.asyncio import AsyncEngine, async_scoped_session

from pgauthkit.errors import ConfigError

__all__ = ["check_engine", "session_of"]

_ENGINES: Final = "Take one of create_engine() or create_async_engine()"


def check_engine(given: object, instead: str = "", *, name: str = "engine") -> None:
    """Refuse what is no engine, where nobody has checked the types.

    Args:
        given: what should be one.
        instead: what else there is to do, the end of a sentence.
        name: of the argument.

    Raises:
        ConfigError: it is none, such as a URL or a sessionmaker.

    Example:
        >>> check_engine(create_engine("postgresql://db.example/app"))  # doctest: +SKIP
    """
    if not isinstance(given, Engine | AsyncEngine):
        raise ConfigError([f"{name}: {type(given).__name__} is no engine. {_ENGINES}{instead}."])


def session_of(db: Any) -> Any:  # noqa: ANN401 - each caller knows what it was given
    """Return the session that a `scoped_session` stands for here and now, and anything else as it is.

    Example:
        >>> session_of(orm.scoped_session(orm.sessionmaker())).__class__.__name__
        'Session'
    """
    is_scoped = isinstance(db, orm.scoped_session | async_scoped_session)
    return cast("Any", db)() if is_scoped else db
