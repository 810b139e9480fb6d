"""The end of everybody's sessions, awaited."""

from collections.abc import Callable

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet

__all__ = ["AsyncRevocation"]


class AsyncRevocation(AsyncService):
    """The twin of `pgauthkit.service.revocation.Revocation`."""

    async def revoke_all_sessions(
        self, *, batch_size: int = 1000, on_progress: Callable[[int], object] | None = None
    ) -> int:
        """End the sessions of everybody: see `AuthService.revoke_all_sessions`."""
        return await in_greenlet(self._service.revoke_all_sessions, batch_size=batch_size, on_progress=on_progress)
