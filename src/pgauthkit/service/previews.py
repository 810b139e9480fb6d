"""A link as a page may show it before it is used."""

from pgauthkit.browser import browser_of
from pgauthkit.errors import InvalidTokenError
from pgauthkit.service.base import Service, refusal
from pgauthkit.service.presented import hash_of
from pgauthkit.statements.magic_links import PEEK_MAGIC_LINK, PEEK_MAGIC_LINK_ON_REPLICA
from pgauthkit.tokens import Kind, pasted
from pgauthkit.values import MagicLinkPreview

__all__ = ["Previews"]


class Previews(Service):
    """What `AuthService` shows of links."""

    def peek_magic_link(self, token: str) -> MagicLinkPreview:
        """Look at a link without using it: for the page that a mail scanner opens as well. One read, no binding asked.

        It takes links of every purpose: `purpose` says by which method this one is used.

        Raises:
            InvalidTokenError: malformed or unknown.
            TokenAlreadyUsedError: it has been used.
            TokenExpiredError: it has expired, or another link of the address was used.

        Example:
            >>> auth.peek_magic_link(token).email  # doctest: +SKIP
            'ada@example.com'
        """
        mailed = pasted(token)
        kind = Kind.EMAIL_CHANGE if mailed.startswith(f"pgak_{Kind.EMAIL_CHANGE}_") else Kind.MAGIC_LINK
        rows = self._read(
            PEEK_MAGIC_LINK,
            PEEK_MAGIC_LINK_ON_REPLICA,
            token_hash=hash_of(self._hasher, kind, mailed),
            magic_link_ttl=self._config.magic_link_ttl,
        )
        if not rows:
            raise InvalidTokenError
        verdict, email, redirect_to, expires_at, purpose, asked_at, asked_ip, user_agent, handoff = rows[0]
        if verdict != "ok":
            raise refusal(verdict)
        return MagicLinkPreview(
            email=email,
            redirect_to=redirect_to,
            expires_at=expires_at,
            purpose=purpose,
            asked_at=asked_at,
            asked_ip=asked_ip,
            asked_browser=browser_of(user_agent),
            handoff=handoff,
        )
