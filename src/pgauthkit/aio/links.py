"""Magic links, and the codes beside them, awaited."""

from typing import Any

from pgauthkit.aio.base import AsyncService
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.values import IssuedMagicLink, MagicLinkPreview, SignIn

__all__ = ["AsyncLinks"]


class AsyncLinks(AsyncService):
    """The twin of `pgauthkit.service.links.Links`."""

    async def request_magic_link(
        self,
        email: str,
        *,
        redirect_to: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
        bind: bool | str = False,
        handoff: bool | str = False,
        device: str | None = None,
    ) -> IssuedMagicLink:
        """Make a link for an address: see `AuthService.request_magic_link`."""
        request = self._service.request_magic_link
        asked: dict[str, Any] = {"redirect_to": redirect_to, "ip": ip, "user_agent": user_agent}
        return await in_greenlet(request, email, **asked, bind=bind, handoff=handoff, device=device)

    async def peek_magic_link(self, token: str) -> MagicLinkPreview:
        """Look at a link without using it: see `AuthService.peek_magic_link`."""
        return await in_greenlet(self._service.peek_magic_link, token)

    async def verify_magic_link(
        self,
        token: str,
        *,
        binding: str | None = None,
        device: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
    ) -> SignIn:
        """Use a link, once: see `AuthService.verify_magic_link`."""
        verify = self._service.verify_magic_link
        return await in_greenlet(verify, token, binding=binding, device=device, ip=ip, user_agent=user_agent)

    async def verify_code(
        self,
        link_id: str,
        code: str,
        *,
        binding: str | None = None,
        device: str | None = None,
        ip: str | None = None,
        user_agent: str | None = None,
    ) -> SignIn:
        """Use the short code of a link: see `AuthService.verify_code`. It is hashed in a worker thread."""
        verify = self._service.verify_code
        return await in_greenlet(verify, link_id, code, binding=binding, device=device, ip=ip, user_agent=user_agent)
