"""What a browser keeps in cookies: out of reach of scripts, of other sites' forms, and of plain HTTP."""

from datetime import UTC, datetime, timedelta
from typing import Final, Literal, TypedDict

from fastapi import Response

from pgauthkit.values import IssuedMagicLink, SignIn, TokenPair

__all__ = [
    "ACCESS",
    "BINDING",
    "DEVICE",
    "REFRESH",
    "WAITING",
    "clear_tokens",
    "set_asked",
    "set_signed_in",
    "set_tokens",
]

# The prefix makes the browser insist on Secure, on this very host, and on the path / (RFC 6265bis 4.1.3).
ACCESS: Final = "__Host-access"
REFRESH: Final = "__Host-refresh"
BINDING: Final = "__Host-binding"  # this browser asked for a link, which works in no other
WAITING: Final = "__Host-waiting"  # it waits for the link to be approved on another device
DEVICE: Final = "__Host-device"  # its user has signed in on it before; it outlives sign-outs

A_DAY: Final = timedelta(days=1)
A_YEAR: Final = timedelta(days=365)


class _Flags(TypedDict):
    secure: bool
    httponly: bool
    # Not "strict": a link in a mail would then arrive without cookies. Forms of other sites get none with "lax".
    samesite: Literal["lax"]


_FLAGS: Final[_Flags] = {"secure": True, "httponly": True, "samesite": "lax"}


def set_asked(response: Response, link: IssuedMagicLink) -> None:
    """Let the browser that asked for a link use it, and wait for it."""
    if link.binding and link.handoff:
        response.set_cookie(BINDING, link.binding.reveal(), max_age=_seconds(A_DAY), **_FLAGS)
        response.set_cookie(WAITING, link.handoff.reveal(), max_age=_seconds(A_DAY), **_FLAGS)


def set_signed_in(response: Response, signed_in: SignIn) -> None:
    """Give the browser its tokens; from now it is a known device, and waits no longer."""
    set_tokens(response, signed_in.tokens)
    response.set_cookie(DEVICE, signed_in.device.reveal(), max_age=_seconds(A_YEAR), **_FLAGS)
    response.delete_cookie(WAITING, **_FLAGS)


def set_tokens(response: Response, tokens: TokenPair) -> None:
    """Give the browser a pair of tokens, each for as long as it is good."""
    for name, token, expires_at in (
        (ACCESS, tokens.access_token, tokens.access_expires_at),
        (REFRESH, tokens.refresh_token, tokens.refresh_expires_at),
    ):
        response.set_cookie(name, token.reveal(), max_age=_seconds(expires_at - datetime.now(UTC)), **_FLAGS)


def clear_tokens(response: Response, *names: str) -> None:
    """Take the tokens away, or the cookies that are named."""
    for name in names or (ACCESS, REFRESH):
        response.delete_cookie(name, **_FLAGS)


def _seconds(time: timedelta) -> int:
    return int(time.total_seconds())
