"""`AsyncMagicLinkRepository`: magic links, awaited."""

from typing import Any

from sqlalchemy import ColumnElement, Row
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.models import MagicLink
from pgauthkit.repositories.aio import AsyncRepository
from pgauthkit.repositories.aio.unit import sync_side
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.magic_links import MagicLinkRepository

__all__ = ["AsyncMagicLinkRepository"]


class AsyncMagicLinkRepository(AsyncRepository[MagicLink]):
    """The twin of `MagicLinkRepository`."""

    def __init__(self, db: AsyncSession | AsyncEngine) -> None:
        super().__init__(db, MagicLink)
        self._links = MagicLinkRepository(sync_side(db))

    @staticmethod
    def is_pending() -> ColumnElement[bool]:
        """Return the condition for pending links; not awaited: see `MagicLinkRepository.is_pending`."""
        return MagicLinkRepository.is_pending()

    async def find_pending(
        self, email: str | None = None, *, take: int | None = None, include: Include = ()
    ) -> list[MagicLink]:
        """Return pending links, newest first: see `MagicLinkRepository.find_pending`."""
        return await in_greenlet(self._links.find_pending, email, take=take, include=include)

    async def count_pending(self, email: str | None = None) -> int:
        """Return how many links are pending: see `MagicLinkRepository.count_pending`."""
        return await in_greenlet(self._links.count_pending, email)

    async def count_pending_by_email(self, *, take: int | None = None) -> list[Row[*tuple[Any, ...]]]:
        """Return who has the most pending links: see `MagicLinkRepository.count_pending_by_email`."""
        return await in_greenlet(self._links.count_pending_by_email, take=take)
