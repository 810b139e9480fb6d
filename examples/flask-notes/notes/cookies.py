"""The two tokens in cookies: out of reach of scripts, of other sites' forms, and of plain HTTP."""

from datetime import UTC, datetime
from typing import Any, Final

from flask import Response

from pgauthkit.values import TokenPair

__all__ = ["ACCESS", "REFRESH", "clear_tokens", "set_tokens"]

# The prefix makes the browser insist on Secure, on this very host, and on the path / (RFC 6265bis 4.1.3).
ACCESS: Final = "__Host-access"
REFRESH: Final = "__Host-refresh"
# Not "Strict": a link in a mail would then arrive without cookies. Forms of other sites get none with "Lax".
_FLAGS: Final[dict[str, Any]] = {"secure": True, "httponly": True, "samesite": "Lax", "path": "/"}


def set_tokens(response: Response, tokens: TokenPair) -> Response:
    """Give the browser a pair of tokens, both for as long as the session can be refreshed."""
    # The access token ends before its cookie does; the service says so, and `identity` refreshes.
    seconds = int((tokens.refresh_expires_at - datetime.now(UTC)).total_seconds())
    for name, token in ((ACCESS, tokens.access_token), (REFRESH, tokens.refresh_token)):
        response.set_cookie(name, token.reveal(), max_age=seconds, **_FLAGS)
    return response


def clear_tokens(response: Response) -> Response:
    """Take them away."""
    for name in (ACCESS, REFRESH):
        response.delete_cookie(name, **_FLAGS)
    return response
