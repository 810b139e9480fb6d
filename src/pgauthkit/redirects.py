"""Where a person may be sent after signing in: paths of the same site, and addresses the host allows by name."""

from collections.abc import Sequence
from typing import Final, TypeGuard
from urllib.parse import SplitResult, unquote, urlsplit

import idna

from pgauthkit.errors import InvalidRedirectError

__all__ = ["checked_redirect", "is_absolute_address"]

LONGEST: Final = 2048
DEFAULT_PORTS: Final = {"http": 80, "https": 443}


def checked_redirect(target: str, allowed: Sequence[str] = ()) -> str:
    """Return the target unchanged when a browser that follows it stays where it should.

    Args:
        target: a path that starts with one slash, or an absolute address.
        allowed: absolute addresses, such as `https://app.example.com/docs`; a target must have the same scheme, host
            and port, and a path at or below. The scheme's own port, and punycode, are no difference.

    Raises:
        InvalidRedirectError: anything else: `//host`, a backslash or a control character (also percent-encoded in the
            path, however often), a blank, `..`, more than 2,048 characters, an address that is not allowed.

    Example:
        >>> checked_redirect("/inbox?unread=1")
        '/inbox?unread=1'
    """
    if not _is_plain(target):
        raise InvalidRedirectError
    path = _decoded(target.partition("?")[0].partition("#")[0])
    if not all(character.isprintable() for character in path) or "\\" in path or ".." in path.split("/"):
        raise InvalidRedirectError
    if not (_is_home(target) and _is_home(path)) and not any(_is_below(target, entry) for entry in allowed):
        raise InvalidRedirectError
    return target


def is_absolute_address(text: str) -> bool:
    """Tell whether a text can stand in the list of allowed addresses: scheme and host, no user, query or fragment."""
    parts = _split(text) if _is_plain(text) else None
    return bool(
        parts and parts.scheme and parts.hostname and "@" not in parts.netloc and not parts.query + parts.fragment
    )


def _is_plain(text: object) -> TypeGuard[str]:
    if not isinstance(text, str) or len(text) > LONGEST:
        return False
    return all(character.isprintable() and not character.isspace() and character != "\\" for character in text)


def _decoded(path: str) -> str:
    while (once := unquote(path)) != path:
        path = once
    return path


def _is_home(path: str) -> bool:
    return path.startswith("/") and not path.startswith("//")


def _is_below(target: str, entry: str) -> bool:
    parts, root = _split(target), _split(entry)
    if not parts or not root or (origin := _origin(parts)) is None or origin != _origin(root):
        return False
    base = root.path.rstrip("/")
    return parts.path == base or parts.path.startswith(base + "/")


def _origin(parts: SplitResult) -> tuple[str, str, int | None] | None:
    """Return scheme, host and port as browsers compare them: a default port and punycode are no other place."""
    if "@" in parts.netloc:
        return None
    host = (parts.hostname or "").lower()
    try:
        if not host.isascii():
            # IDNA 2008 without any mapping: what a browser would first turn into another name is refused.
            host = idna.encode(host, strict=True, std3_rules=True).decode()
        return parts.scheme, host, parts.port or DEFAULT_PORTS.get(parts.scheme)
    except ValueError:
        return None


def _split(text: str) -> SplitResult | None:
    try:
        return urlsplit(text)
    except ValueError:
        return None
