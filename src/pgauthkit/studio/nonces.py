"""`NonceLoader`: starlette-admin's templates, with the nonce of the response on what stands inside the page."""

import re
from collections.abc import Callable
from typing import Final

from jinja2 import BaseLoader, Environment, PackageLoader

__all__ = ["NonceLoader", "with_nonce"]

_INLINE: Final = re.compile(r"<(script|style)(?![^>]*\bsrc=)")
_NONCE: Final = r'<\1 nonce="{{ request.state.nonce }}"'
# No nonce lets a handler through that stands in an attribute; studio.js has these two. And the way home is no "Admin".
_REPLACED: Final = {
    'onclick="applyColumnVisibility()"': 'data-studio="columns"',
    'onchange="window.location = this.value"': 'data-studio="go"',
    '{{ _("Admin") }}': "Tables",
}


class NonceLoader(BaseLoader):
    """A loader of Jinja for the templates that starlette-admin brings."""

    def __init__(self) -> None:
        self._inner = PackageLoader("starlette_admin", "templates")

    def get_source(self, environment: Environment, template: str) -> tuple[str, str | None, Callable[[], bool] | None]:
        """Return a template's text, its path, and how to tell whether it is still that."""
        text, path, is_current = self._inner.get_source(environment, template)
        return with_nonce(text), path, is_current

    def list_templates(self) -> list[str]:
        """Return the names of the templates."""
        return self._inner.list_templates()


def with_nonce(text: str) -> str:
    """Return a template whose inline scripts and styles carry the nonce, and which has no handlers in attributes.

    Example:
        >>> with_nonce("<script>go()</script>")
        '<script nonce="{{ request.state.nonce }}">go()</script>'
    """
    for theirs, ours in _REPLACED.items():
        text = text.replace(theirs, ours)
    return _INLINE.sub(_NONCE, text)
