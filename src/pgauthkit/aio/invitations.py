"""Invitations, awaited."""

from datetime import timedelta

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.service.invitations import WEEK
from pgauthkit.values import InvitationInfo, IssuedMagicLink, UserRole

__all__ = ["AsyncInvitations"]


class AsyncInvitations(AsyncService):
    """The twin of `pgauthkit.service.invitations.Invitations`."""

    async def invite(
        self, email: str, *, role: UserRole = UserRole.USER, redirect_to: str | None = None, ttl: timedelta = WEEK
    ) -> IssuedMagicLink:
        """Make a link for a person who did not ask for one: see `AuthService.invite`."""
        return await in_greenlet(self._service.invite, email, role=role, redirect_to=redirect_to, ttl=ttl)

    async def list_invitations(self) -> list[InvitationInfo]:
        """Return the invitations that are still good: see `AuthService.list_invitations`."""
        return await in_greenlet(self._service.list_invitations)

    async def withdraw_invitation(self, link_id: str) -> bool:
        """End a pending invitation: see `AuthService.withdraw_invitation`."""
        return await in_greenlet(self._service.withdraw_invitation, link_id)
