"""Handoffs, awaited."""

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import SignIn

__all__ = ["AsyncHandoffs"]


class AsyncHandoffs(AsyncService):
    """The twin of `pgauthkit.service.handoffs.Handoffs`."""

    async def approve_magic_link(
        self, token: str, match: str, *, ip: str | None = None, user_agent: str | None = None
    ) -> None:
        """Let the browser in that asked for a link: see `AuthService.approve_magic_link`."""
        await in_greenlet(self._service.approve_magic_link, token, match, ip=ip, user_agent=user_agent)

    async def claim_sign_in(
        self, handoff: str, *, device: str | None = None, ip: str | None = None, user_agent: str | None = None
    ) -> SignIn:
        """Sign in the browser that waits: see `AuthService.claim_sign_in`."""
        return await in_greenlet(self._service.claim_sign_in, handoff, device=device, ip=ip, user_agent=user_agent)
