"""Turning values into pages, and what every answer tells the browser."""

from pathlib import Path
from typing import Final

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

from pgauthkit.browser import browser_of

__all__ = ["HEADERS", "STATIC", "page", "see_other"]

STATIC: Final = Path(__file__).with_name("static")
# A page is for one person, and the address of a link has its token in it, which no other site and no cache shall get.
# Nothing comes from elsewhere, no script stands in a page, and no site may put a page into a frame.
HEADERS: Final = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:;"
        " form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    ),
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}

_templates = Jinja2Templates(directory=Path(__file__).with_name("templates"))
_templates.env.filters["browser"] = lambda text: browser_of(text) or "Unknown browser"
_templates.env.filters["time"] = lambda moment: f"{moment:%Y-%m-%d %H:%M} UTC"


def page(request: Request, name: str, status: int = 200, **values: object) -> Response:
    """Return a page; `identity` in the values decides what its head shows."""
    return _templates.TemplateResponse(request, f"{name}.html", values, status_code=status)


def see_other(path: str) -> RedirectResponse:
    """Send the browser on, with GET."""
    return RedirectResponse(path, status_code=303)
