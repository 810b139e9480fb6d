"""The two tokens of a session: made for a new one, derived from a presented one, hashed for the row."""

import hmac
import secrets
from collections.abc import Mapping
from datetime import datetime
from typing import Final, Self

import attrs

from pgauthkit.hashing import FOUND_BY_BYTES, Hasher, Purpose, selector_hash, successor
from pgauthkit.tokens import SECRET_BYTES, SELECTOR_BYTES, Kind, SecretToken, SessionToken
from pgauthkit.values import TokenPair

__all__ = ["FirstPair", "Pair", "new_nonce"]

NONCE_BYTES: Final = 16


def new_nonce(pepper_id: int) -> bytes:
    """Return a nonce for a rotation; its first byte names the pepper of the pair that comes of it."""
    return bytes([pepper_id]) + secrets.token_bytes(NONCE_BYTES)


@attrs.frozen
class Pair:
    """An access and a refresh token of one session."""

    access: SessionToken
    refresh: SessionToken

    @classmethod
    def after(cls, presented: SessionToken, nonce: bytes) -> Self:
        """Derive the pair that follows a refresh token; the same for everybody who presents the same."""
        access, refresh = (successor(kind, presented.secret, nonce) for kind in (Kind.ACCESS, Kind.REFRESH))
        generation = presented.next_generation
        return cls(
            SessionToken(nonce[0], presented.access_selector, access, generation),
            SessionToken(nonce[0], presented.selector, refresh, generation),
        )

    def hashes(self, hasher: Hasher) -> Mapping[str, bytes]:
        """Return what the row of a new session keeps."""
        access = hasher.digest(Purpose.ACCESS, self.access.proof, self.access.pepper_id)
        refresh = hasher.digest(Purpose.REFRESH, self.refresh.proof, self.refresh.pepper_id)
        return {
            "selector_hash": hasher.kept(selector_hash(self.access.selector), FOUND_BY_BYTES),
            "access_token_hash": hasher.kept(access),
            "refresh_token_hash": hasher.kept(refresh),
        }

    def value(self, session_id: str, access_expires_at: datetime, refresh_expires_at: datetime) -> TokenPair:
        """Return the pair as the host gets it."""
        return TokenPair(
            session_id=session_id,
            access_token=self.access.text(Kind.ACCESS),
            refresh_token=self.refresh.text(Kind.REFRESH),
            access_expires_at=access_expires_at,
            refresh_expires_at=refresh_expires_at,
        )


@attrs.frozen
class FirstPair(Pair):
    """The first pair of a session, and the token of a device for a sign-in that finds none of its user."""

    device: SecretToken

    @classmethod
    def new(cls, pepper_id: int) -> Self:
        """Make the first pair of a session."""
        refresh = SessionToken.new(pepper_id)
        access = SessionToken(pepper_id, refresh.access_selector, secrets.token_bytes(SECRET_BYTES))
        return cls(access, refresh, SecretToken.new(pepper_id))

    @classmethod
    def derived(cls, key: bytes, nonce: bytes, proof: bytes = b"") -> Self:
        """Derive the first pair of a session; the same for everybody who has the key and the proof.

        The nonce is in the tables, and nothing of the pair can be told from it.
        """
        selector, access, refresh, device = (
            hmac.digest(key, kind.encode() + b"\0" + nonce + b"\0" + proof, "sha256")
            for kind in ("selector", Kind.ACCESS, Kind.REFRESH, Kind.DEVICE)
        )
        token = SessionToken(nonce[0], selector[:SELECTOR_BYTES], refresh)
        access_token = SessionToken(nonce[0], token.access_selector, access)
        return cls(access_token, token, SecretToken(nonce[0], device))
