"""A token of one secret, as a caller presents it: checked, and hashed for the row."""

from typing import Final

from pgauthkit.errors import InvalidTokenError
from pgauthkit.hashing import Hasher, Purpose
from pgauthkit.tokens import Kind, SecretToken

__all__ = ["accepted", "accepted_or_none", "digest", "hash_of", "kept_or_new"]

_PURPOSES: Final = {
    Kind.MAGIC_LINK: Purpose.MAGIC_LINK,
    Kind.EMAIL_CHANGE: Purpose.EMAIL_CHANGE,
    Kind.BINDING: Purpose.BINDING,
    Kind.HANDOFF: Purpose.HANDOFF,
    Kind.DEVICE: Purpose.DEVICE,
}


def accepted(hasher: Hasher, kind: Kind, text: str) -> SecretToken:
    """Read a token; `InvalidTokenError` when it is not of that kind, or made with a pepper that is not known here."""
    token = SecretToken.parse(kind, text)
    hasher.accept(token.pepper_id)
    return token


def digest(hasher: Hasher, kind: Kind, token: SecretToken) -> bytes:
    """Return what the row has for a token: under a label of its kind, so that no other kind has the same."""
    return hasher.digest(_PURPOSES[kind], token.secret, token.pepper_id)


def hash_of(hasher: Hasher, kind: Kind, text: str) -> bytes:
    """Read a token, and return what the row has for it."""
    return digest(hasher, kind, accepted(hasher, kind, text))


def accepted_or_none(hasher: Hasher, kind: Kind, text: str | None) -> SecretToken | None:
    """Read a token that a browser may have, and that refuses nobody who has none."""
    if not text:
        return None
    try:
        return accepted(hasher, kind, text)
    except InvalidTokenError:
        return None


def kept_or_new(hasher: Hasher, kind: Kind, presented: bool | str) -> SecretToken:  # noqa: FBT001 - or a token
    """Return the token that a browser presents, or a new one where it has none that is well-formed."""
    text = None if isinstance(presented, bool) else presented
    return accepted_or_none(hasher, kind, text) or SecretToken.new(hasher.current)
