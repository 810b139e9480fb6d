"""`Policy`: the headers that keep a page to this machine, and its scripts to those that we serve."""

import secrets
from typing import Final

from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["Policy"]

# https://www.w3.org/TR/CSP3/. Style attributes are allowed, as they set widths and load nothing; style elements and
# scripts must be ours, or carry the nonce of the response. `data:` is for the small images inside the style sheet, and
# the hash for the style that the editor of JSON adds to the page.
_CONTENT: Final = (
    "default-src 'self'; script-src 'self' 'nonce-{nonce}';"
    " style-src 'self' 'nonce-{nonce}' 'sha256-ITHmamcImsZ/Je1xrdtDLZVvRSpj1Zokb6uHXORB824=';"
    " style-src-attr 'unsafe-inline'; img-src 'self' data:; object-src 'none'; base-uri 'none'; form-action 'self';"
    " frame-ancestors 'none'"
)
_HEADERS: Final = {
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with it a form would be posted with `Origin: null`, and be refused.
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}


class Policy:
    """Middleware that gives each response a nonce, at `request.state.nonce`, and the headers.

    Args:
        app: what answers.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand a request on, and add the headers to the answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        nonce = secrets.token_urlsafe(16)
        scope.setdefault("state", {})["nonce"] = nonce

        async def answer(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update({**_HEADERS, "Content-Security-Policy": _CONTENT.format(nonce=nonce)})
                if not scope["path"].startswith("/static/"):
                    headers["Cache-Control"] = "no-store"
            await send(message)

        await self._app(scope, receive, answer)
