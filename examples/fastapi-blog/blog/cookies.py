"""The two tokens in cookies: out of reach of scripts, of other sites' forms, and of plain HTTP."""

from datetime import UTC, datetime
from typing import Final, Literal, TypedDict

from fastapi import Response

from pgauthkit.values import TokenPair

__all__ = ["ACCESS", "REFRESH", "clear_tokens", "set_tokens"]

# The prefix makes the browser insist on Secure, on this very host, and on the path / (RFC 6265bis 4.1.3).
ACCESS: Final = "__Host-access"
REFRESH: Final = "__Host-refresh"


class _Flags(TypedDict):
    secure: bool
    httponly: bool
    # Not "strict": a link in a mail would then arrive without cookies. Forms of other sites get none with "lax".
    samesite: Literal["lax"]


_FLAGS: Final[_Flags] = {"secure": True, "httponly": True, "samesite": "lax"}


def set_tokens(response: Response, tokens: TokenPair) -> None:
    """Give the browser a pair of tokens, each for as long as it is good."""
    for name, token, expires_at in (
        (ACCESS, tokens.access_token, tokens.access_expires_at),
        (REFRESH, tokens.refresh_token, tokens.refresh_expires_at),
    ):
        seconds = int((expires_at - datetime.now(UTC)).total_seconds())
        response.set_cookie(name, token.reveal(), max_age=seconds, **_FLAGS)


def clear_tokens(response: Response) -> None:
    """Take them away."""
    for name in (ACCESS, REFRESH):
        response.delete_cookie(name, **_FLAGS)
