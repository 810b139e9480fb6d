"""`AsyncUnit`: what every async part stands on: the synchronous repository, which does the work."""

from typing import Generic, TypeVar

from sqlalchemy.ext.asyncio import AsyncSession

from pgauthkit.repositories.generic import Repository

__all__ = ["AsyncUnit"]

M = TypeVar("M")


class AsyncUnit(Generic[M]):
    """The base of the parts that `AsyncRepository` is put together from."""

    def __init__(self, db: AsyncSession, model: type[M]) -> None:
        self._repository = Repository(db.sync_session, model)
