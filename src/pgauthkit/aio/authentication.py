"""Authentication, awaited: the one call that is on the way of every request has a way of its own."""

from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.service import AuthService
from pgauthkit.values import Identity

__all__ = ["AwaitedService"]


class AwaitedService(AuthService):
    """The synchronous service that the async one stands on."""

    async def authenticated(self, access_token: str) -> Identity:
        """Return who holds an access token: see `AuthService.authenticate`."""
        if recalled := self._recall(access_token):  # needs no waiting, and so no greenlet
            return recalled
        return await in_greenlet(self.authenticate, access_token)
