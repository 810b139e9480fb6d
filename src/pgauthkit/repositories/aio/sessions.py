"""`AsyncSessionRepository`: sessions, awaited."""

from typing import Any

from sqlalchemy import ColumnElement, Row
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.models import Session
from pgauthkit.repositories.aio import AsyncRepository
from pgauthkit.repositories.aio.unit import sync_side
from pgauthkit.repositories.generic.includes import Include
from pgauthkit.repositories.sessions import SessionRepository

__all__ = ["AsyncSessionRepository"]


class AsyncSessionRepository(AsyncRepository[Session]):
    """The twin of `SessionRepository`."""

    def __init__(self, db: AsyncSession | AsyncEngine) -> None:
        super().__init__(db, Session)
        self._sessions = SessionRepository(sync_side(db))

    @staticmethod
    def is_live() -> ColumnElement[bool]:
        """Return the condition for live sessions; not awaited: see `SessionRepository.is_live`."""
        return SessionRepository.is_live()

    async def find_live(
        self, user_id: str | None = None, *, take: int | None = None, include: Include = ()
    ) -> list[Session]:
        """Return live sessions, newest first: see `SessionRepository.find_live`."""
        return await in_greenlet(self._sessions.find_live, user_id, take=take, include=include)

    async def count_live(self, user_id: str | None = None) -> int:
        """Return how many sessions are live: see `SessionRepository.count_live`."""
        return await in_greenlet(self._sessions.count_live, user_id)

    async def count_live_by_user(self, *, take: int | None = None) -> list[Row[*tuple[Any, ...]]]:
        """Return who has the most live sessions: see `SessionRepository.count_live_by_user`."""
        return await in_greenlet(self._sessions.count_live_by_user, take=take)
