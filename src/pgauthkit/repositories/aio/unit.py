"""`AsyncUnit`: what every async part stands on: the synchronous repository, which does the work."""

from typing import Any, Generic, TypeVar

from sqlalchemy import Engine, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgauthkit.database.sessions import session_of
from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.aio.together import together
from pgauthkit.repositories.generic import Repository
from pgauthkit.repositories.generic.description import describe

__all__ = ["AsyncUnit", "sync_side"]

M = TypeVar("M")


class AsyncUnit(Generic[M]):
    """The base of the parts that `AsyncRepository` is put together from."""

    def __init__(self, db: AsyncSession | AsyncEngine, model: type[M]) -> None:
        on = sync_side(db)
        self._repository = Repository(on, model)
        self._of = describe(model)
        self._together = together(on, self._repository, self._of) if isinstance(on, Engine) else None


def sync_side(db: AsyncSession | AsyncEngine) -> orm.Session | Engine:
    """Return the session or the engine that does the work of an async one.

    Raises:
        RepositoryError: it is no async one.
    """
    own: Any = session_of(db)
    if isinstance(own, AsyncEngine):
        return own.sync_engine
    if isinstance(own, AsyncSession):
        return own.sync_session
    if isinstance(own, Engine | orm.Session):
        raise RepositoryError(f"{type(db).__name__} is for Repository, and not for AsyncRepository.")
    raise RepositoryError(
        f"{type(db).__name__} is neither an AsyncSession nor an AsyncEngine, which a repository needs."
    )
