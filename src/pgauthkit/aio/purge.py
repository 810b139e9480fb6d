"""Purge, awaited."""

from collections.abc import Callable
from datetime import timedelta

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import PurgeReport

__all__ = ["AsyncPurge"]


class AsyncPurge(AsyncService):
    """The twin of `pgauthkit.service.purge.Purge`."""

    async def purge(
        self,
        *,
        keep: timedelta = timedelta(days=1),
        batch_size: int = 1000,
        on_progress: Callable[[PurgeReport], object] | None = None,
    ) -> PurgeReport:
        """Delete what ended longer than `keep` ago: see `AuthService.purge`."""
        return await in_greenlet(self._service.purge, keep=keep, batch_size=batch_size, on_progress=on_progress)
