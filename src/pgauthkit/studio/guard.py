"""`Guard`: lets in the browser that opened the printed address, under this machine's names, and no write by mistake."""

import secrets
from collections.abc import Mapping
from re import compile as pattern
from typing import Final
from urllib.parse import parse_qs

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["Guard"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
# An export is a form that is posted, and changes nothing.
_EXPORT: Final = pattern(r"/_api/[^/]+/action")


class Guard:
    """Middleware before everything else but the check of the host.

    - The token of the printed address is exchanged once for a cookie, and is void from then on: any account of this
      machine can open a port of the loopback, and must not get in by that.
    - A request that may write must come from a page of the studio itself: `Sec-Fetch-Site` and `Origin` are judged
      here, and the form's own token afterwards.
    - Without `write` nothing is let through that could write, whatever the page offers.

    Args:
        app: what is guarded.
        token: the one-time token.
        write: whether writing was asked for.
    """

    def __init__(self, app: ASGIApp, *, token: str, write: bool) -> None:
        self._app = app
        self._token: str | None = token
        self._write = write
        # A name of its own, because cookies do not tell ports apart.
        self._cookie = f"pgauthkit_studio_{secrets.token_hex(4)}"
        self._session = secrets.token_urlsafe(32)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or hand it on."""
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
        elif scope["type"] == "http":
            answer = self._judge(scope) or self._app
            await answer(scope, receive, send)

    def _judge(self, scope: Scope) -> Response | None:
        headers, query = Headers(scope=scope), parse_qs(scope["query_string"].decode("latin-1"))
        is_start = scope["method"] == "GET" and scope["path"] == "/" and "token" in query
        if is_start and self._exchanges(query["token"]):
            answer = _home()
            answer.set_cookie(self._cookie, self._session, httponly=True, samesite="strict")
            return answer
        if not self._is_known(headers):
            return _refusal("Open the address that was printed: it is good once. Start the studio again for another.")
        if scope["method"] not in _SAFE:
            return self._judge_write(scope, headers, query)
        return _home() if is_start else None

    def _judge_write(self, scope: Scope, headers: Headers, query: Mapping[str, list[str]]) -> Response | None:
        if not _is_own(headers, scope["scheme"]):
            return _refusal("The request does not come from a page of the studio.")
        if not (self._write or _is_export(scope["path"], query)):
            return _refusal("The studio is read only. Start it with --write to change rows.")
        return None

    def _exchanges(self, given: list[str]) -> bool:
        known, self._token = self._token, self._token
        if known is None or len(given) != 1 or not secrets.compare_digest(given[0].encode(), known.encode()):
            return False
        self._token = None
        return True

    def _is_known(self, headers: Headers) -> bool:
        # By hand: the library's parser gives up on all cookies where another program has set one that it does not like.
        cookies = (part.strip().partition("=") for part in headers.get("cookie", "").split(";"))
        given = next((value for name, _, value in cookies if name == self._cookie), "")
        return secrets.compare_digest(given.encode(), self._session.encode())


def _is_own(headers: Headers, scheme: str) -> bool:
    # https://developer.mozilla.org/docs/Web/HTTP/Headers/Sec-Fetch-Site: browsers of before 2023 send Origin alone.
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site not in {None, "same-origin"}:
        return False
    return site is not None if origin is None else origin == f"{scheme}://{headers.get('host')}"


def _is_export(path: str, query: Mapping[str, list[str]]) -> bool:
    return _EXPORT.fullmatch(path) is not None and query.get("name") == ["export"]


def _home() -> Response:
    return RedirectResponse("/", status_code=303)


def _refusal(sentence: str) -> Response:
    return PlainTextResponse(f"{sentence}\n", status_code=403)
