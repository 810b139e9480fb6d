"""What is stored instead of a secret: SHA-256, HMAC-SHA-256 under a pepper, and argon2id for codes."""

import hashlib
import hmac
import secrets
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING, Final

from argon2 import PasswordHasher
from argon2.exceptions import VerifyMismatchError

from pgauthkit.errors import InvalidTokenError

if TYPE_CHECKING:
    from pgauthkit.config import AuthConfig

__all__ = ["FOUND_BY_BYTES", "KEPT_BYTES", "Hasher", "Purpose", "selector_hash", "successor"]

UNPEPPERED: Final = 0
# What a session's row keeps of a hash. To be let in, one needs another secret with the hash of *this* row, a second
# preimage, which takes 2^128 trials; that two of one's own secrets collide after 2^64 opens nothing.
KEPT_BYTES: Final = 16
# A selector proves nothing. 15 bytes and one of length fit an index entry of 24, where 16 would take 32.
FOUND_BY_BYTES: Final = 15


class Purpose(StrEnum):
    """What a hash is of, so that one that serves here is worth nothing there."""

    MAGIC_LINK = "magic-link"
    BINDING = "binding"
    ACCESS = "access"
    REFRESH = "refresh"
    EMAIL_CHANGE = "email-change"
    HANDOFF = "handoff"
    MATCH = "match"
    DEVICE = "device"
    CODE = "code"
    EMAIL = "email"
    LIMIT = "limit"


class Hasher:
    """Hashes secrets with the pepper that a token names."""

    def __init__(self, config: "AuthConfig") -> None:
        self._peppers = {pepper.id: pepper.secret.reveal().encode() for pepper in config.peppers}
        is_lenient = config.accept_unpeppered or not self._peppers
        self.accepted: frozenset[int] = frozenset({*self._peppers, *([UNPEPPERED] if is_lenient else [])})
        self._is_long = config.long_hashes
        self._argon2 = PasswordHasher.from_parameters(config.argon2)
        self.current: int = next(iter(self._peppers), UNPEPPERED)

    def accept(self, pepper_id: int) -> None:
        """Refuse, with `InvalidTokenError`, a token made with a pepper that is not known here (any more)."""
        if pepper_id not in self.accepted:
            raise InvalidTokenError

    def digest(self, purpose: Purpose, secret: bytes, pepper_id: int) -> bytes:
        """Return 32 bytes: HMAC-SHA-256 under the pepper, SHA-256 for id 0; labelled by purpose."""
        labelled = purpose.encode() + b"\0" + secret
        if pepper_id == UNPEPPERED:
            return hashlib.sha256(labelled).digest()
        return hmac.digest(self._peppers[pepper_id], labelled, "sha256")

    def kept(self, digest: bytes, size: int = KEPT_BYTES) -> bytes:
        """Return what a session's row keeps of a digest: its beginning, or all of it for the release before."""
        return digest if self._is_long else digest[:size]

    def key(self, purpose: Purpose, text: str) -> bytes:
        """Return the digest of a text under the current pepper."""
        return self.digest(purpose, text.encode("utf-8", "surrogatepass"), self.current)

    def hash_code(self, link_id: str, code: str) -> str:
        """Return how a code is stored: the pepper's id, and argon2id over the peppered digest. Slow on purpose."""
        return f"{self.current}{self._argon2.hash(self._code_digest(link_id, code, self.current))}"

    def matches_code(self, link_id: str, code: str, stored: str | None) -> bool:
        """Tell whether a code is the stored one. As slow where there is none."""
        pepper_id, _, encoded = (stored or self._decoy).partition("$")
        if int(pepper_id) not in self.accepted:
            return False
        try:
            return self._argon2.verify(f"${encoded}", self._code_digest(link_id, code, int(pepper_id)))
        except VerifyMismatchError:
            return False

    @cached_property
    def _decoy(self) -> str:
        return self.hash_code("", secrets.token_hex())

    def _code_digest(self, link_id: str, code: str, pepper_id: int) -> bytes:
        return self.digest(Purpose.CODE, f"{link_id}\0{code}".encode("utf-8", "surrogatepass"), pepper_id)


def selector_hash(selector: bytes) -> bytes:
    """Return how a session's selector is stored.

    Never peppered: a selector proves nothing, and so a row is found by one key whichever pepper its secrets are under,
    also while hosts are at different peppers.
    """
    return hashlib.sha256(b"selector\0" + selector).digest()


def successor(kind: str, secret: bytes, nonce: bytes) -> bytes:
    """Return the secret that follows a refresh token's: refreshing with the same one gives the same."""
    return hmac.digest(secret, kind.encode() + b"\0" + nonce, "sha256")
