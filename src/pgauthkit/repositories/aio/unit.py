"""`AsyncUnit`: what every async part stands on: the synchronous repository, which does the work."""

from typing import Generic, TypeVar, cast

from sqlalchemy import Engine, orm
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

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
    if isinstance(db, AsyncEngine):
        return db.sync_engine
    if isinstance(cast("object", db), Engine | orm.Session):
        raise RepositoryError(f"{type(db).__name__} is for Repository, and not for AsyncRepository.")
    return db.sync_session
