"""Who is there: by the access token, or by a refresh when that is over."""

from functools import partial
from typing import TypedDict

from flask import Response, after_this_request, make_response, redirect, request, url_for

from notes.cookies import ACCESS, REFRESH, clear_tokens, set_tokens
from notes.parts import parts
from pgauthkit.errors import AuthenticationError
from pgauthkit.values import Identity

__all__ = ["Client", "NotSignedInError", "client", "current", "sign_in_first"]


class NotSignedInError(Exception):
    """Nobody is signed in here."""


class Client(TypedDict):
    """What the service keeps about a browser."""

    ip: str | None
    user_agent: str | None


def client() -> Client:
    """Return who asks."""
    return {"ip": request.remote_addr, "user_agent": request.headers.get("User-Agent")}


def current() -> Identity:
    """Return who is signed in; two tabs that come with the same old tokens get the same new ones."""
    try:
        return parts().auth.authenticate(request.cookies.get(ACCESS, ""))
    except AuthenticationError:
        pass
    try:
        tokens = parts().auth.refresh(request.cookies.get(REFRESH, ""), **client())
        identity = parts().auth.authenticate(tokens.access_token.reveal())
    except AuthenticationError:
        raise NotSignedInError from None
    after_this_request(partial(set_tokens, tokens=tokens))
    return identity


def sign_in_first(_error: Exception) -> Response:
    """Lead to the form, and back to this page afterwards."""
    following = request.path if request.method == "GET" else "/"
    return clear_tokens(make_response(redirect(url_for("sign_in.ask", following=following), 303)))
