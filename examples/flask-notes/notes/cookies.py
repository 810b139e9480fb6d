"""What a browser keeps in cookies: out of reach of scripts, of other sites' forms, and of plain HTTP."""

from datetime import UTC, datetime
from typing import Any, Final

from flask import Response

from pgauthkit.values import IssuedMagicLink, SignIn, TokenPair

__all__ = ["ACCESS", "BINDING", "DEVICE", "REFRESH", "clear_tokens", "set_asked", "set_signed_in", "set_tokens"]

# The prefix makes the browser insist on Secure, on this very host, and on the path / (RFC 6265bis 4.1.3).
ACCESS: Final = "__Host-access"
REFRESH: Final = "__Host-refresh"
BINDING: Final = "__Host-binding"  # this browser asked for a link, which works in no other
DEVICE: Final = "__Host-device"  # its user has signed in on it before; it outlives sign-outs
# Not "Strict": a link in a mail would then arrive without cookies. Forms of other sites get none with "Lax".
_FLAGS: Final[dict[str, Any]] = {"secure": True, "httponly": True, "samesite": "Lax", "path": "/"}

A_DAY: Final = 24 * 60 * 60
A_YEAR: Final = 365 * A_DAY


def set_asked(response: Response, link: IssuedMagicLink) -> Response:
    """Let the browser that asked for a link use it."""
    if link.binding:
        response.set_cookie(BINDING, link.binding.reveal(), max_age=A_DAY, **_FLAGS)
    return response


def set_signed_in(response: Response, signed_in: SignIn) -> Response:
    """Give the browser its tokens, and make it one that is known."""
    response.set_cookie(DEVICE, signed_in.device.reveal(), max_age=A_YEAR, **_FLAGS)
    return set_tokens(response, signed_in.tokens)


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
