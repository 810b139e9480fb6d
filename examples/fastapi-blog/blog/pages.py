"""Turning values into pages."""

from pathlib import Path

from fastapi import Request, Response
from fastapi.responses import RedirectResponse
from fastapi.templating import Jinja2Templates

__all__ = ["page", "see_other"]

_templates = Jinja2Templates(directory=Path(__file__).with_name("templates"))


def page(request: Request, name: str, status: int = 200, **values: object) -> Response:
    """Return a page; `identity` in the values decides what its head shows."""
    return _templates.TemplateResponse(request, f"{name}.html", values, status_code=status)


def see_other(path: str) -> RedirectResponse:
    """Send the browser on, with GET."""
    return RedirectResponse(path, status_code=303)
