"""Sessions, awaited."""

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import Identity, SessionInfo, SignIn, TokenPair

__all__ = ["AsyncSessions"]


class AsyncSessions(AsyncService):
    """The twin of `pgauthkit.service.sessions.Sessions`."""

    async def authenticate(self, access_token: str) -> Identity:
        """Return who holds an access token: see `AuthService.authenticate`."""
        return await self._service.authenticated(access_token)

    async def refresh(self, refresh_token: str, *, ip: str | None = None, user_agent: str | None = None) -> TokenPair:
        """Exchange a refresh token for the next pair: see `AuthService.refresh`."""
        return await in_greenlet(self._service.refresh, refresh_token, ip=ip, user_agent=user_agent)

    async def open_session(
        self, user_id: str, *, device: str | None = None, ip: str | None = None, user_agent: str | None = None
    ) -> SignIn:
        """Sign a user in whom the host has proved another way: see `AuthService.open_session`."""
        return await in_greenlet(self._service.open_session, user_id, device=device, ip=ip, user_agent=user_agent)

    async def sign_out(self, token: str, /) -> None:
        """End the session of an access or refresh token: see `AuthService.sign_out`."""
        await in_greenlet(self._service.sign_out, token)

    async def list_sessions(self, user_id: str) -> list[SessionInfo]:
        """Return the live sessions of a user: see `AuthService.list_sessions`."""
        return await in_greenlet(self._service.list_sessions, user_id)

    async def revoke_session(self, user_id: str, session_id: str) -> bool:
        """End one session of a user: see `AuthService.revoke_session`."""
        return await in_greenlet(self._service.revoke_session, user_id, session_id)

    async def revoke_sessions(self, user_id: str, *, keep: str | None = None) -> list[str]:
        """End all sessions of a user, or all but one: see `AuthService.revoke_sessions`."""
        return await in_greenlet(self._service.revoke_sessions, user_id, keep=keep)
