"""Users, as far as their sessions and links hang on them, awaited."""

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import UserInfo

__all__ = ["AsyncUsers"]


class AsyncUsers(AsyncService):
    """The twin of `pgauthkit.service.users.Users`."""

    async def find_user(self, email: str) -> UserInfo | None:
        """Return the user with an address, or None: see `AuthService.find_user`."""
        return await in_greenlet(self._service.find_user, email)

    async def deactivate_user(self, user_id: str) -> list[str]:
        """Keep a user out: see `AuthService.deactivate_user`."""
        return await in_greenlet(self._service.deactivate_user, user_id)

    async def activate_user(self, user_id: str) -> list[str]:
        """Let a user in again: see `AuthService.activate_user`."""
        return await in_greenlet(self._service.activate_user, user_id)

    async def change_email(self, user_id: str, email: str, *, keep_session: str | None = None) -> list[str]:
        """Move a user to another address: see `AuthService.change_email`."""
        return await in_greenlet(self._service.change_email, user_id, email, keep_session=keep_session)
