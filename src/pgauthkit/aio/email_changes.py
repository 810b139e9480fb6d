"""Changes of address, awaited."""

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import EmailChange, IssuedMagicLink

__all__ = ["AsyncEmailChanges"]


class AsyncEmailChanges(AsyncService):
    """The twin of `pgauthkit.service.email_changes.EmailChanges`."""

    async def request_email_change(
        self, user_id: str, email: str, *, ip: str | None = None, user_agent: str | None = None
    ) -> IssuedMagicLink:
        """Make a link that moves a user to a new address: see `AuthService.request_email_change`."""
        return await in_greenlet(self._service.request_email_change, user_id, email, ip=ip, user_agent=user_agent)

    async def confirm_email_change(
        self, token: str, *, user_id: str | None = None, keep_session: str | None = None
    ) -> EmailChange:
        """Use the link of a change: see `AuthService.confirm_email_change`."""
        confirm = self._service.confirm_email_change
        return await in_greenlet(confirm, token, user_id=user_id, keep_session=keep_session)
