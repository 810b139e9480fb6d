"""The text form of tokens: `pgak_<kind>_<payload><checksum>`, refused before any SQL when it is not well-formed."""

import hashlib
import re
import secrets
import zlib
from enum import StrEnum
from functools import cache
from typing import Final, Self

import attrs

from pgauthkit.errors import InvalidTokenError
from pgauthkit.secret import Secret

__all__ = ["Kind", "SecretToken", "SessionToken", "kind_of", "pasted"]

SECRET_BYTES: Final = 32  # 256 bits; OWASP ASVS 5.0 6.5.2 asks 112 for a secret that is stored under a fast hash
SELECTOR_BYTES: Final = 16
GENERATION_BYTES: Final = 6  # a refresh each microsecond would need nine years for all of them

_ALPHABET: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
_PAIRS: Final = [left + right for left in _ALPHABET for right in _ALPHABET]
_VALUES: Final = bytes(max(_ALPHABET.find(chr(code)), 0) for code in range(256))
_CHECKSUM_DIGITS: Final = 6
_BEFORE_CHECKSUM: Final = 62**_CHECKSUM_DIGITS
# For values side by side, in so many bits each: what the left one of two is worth, and which bits are the right ones'.
# Enough for 128 digits.
_JOINS: Final = tuple(
    (lane, 62 ** (lane // 8), sum((2**lane - 1) << place for place in range(0, 1024, 2 * lane)))
    for lane in (8, 16, 32, 64, 128, 256, 512)
)
LONGEST_PASTED: Final = 512
# RFC 2045 section 6.7: `=` at the end of a line says that the line goes on, and `=3D` is an equals sign.
_BREAK: Final = re.compile("=?[\\s\u00ad\u200b]+")
_AROUND: Final = r"[^\w\x00-\x1f\x7f]"
_LINK: Final = re.compile(rf"(?:{_AROUND}|3D)*(pgak_[a-z]{{2}}_[0-9A-Za-z]+){_AROUND}*")


def pasted(text: object) -> str:
    """Return the token of a link as it was mailed, from what a mail program made of the text around it.

    Full stops, brackets, quotes, blanks and invisible marks before and after it, and the line breaks of
    quoted-printable within it, are taken off; the checksum still says whether what is left is a token. Anything else
    is nothing.

    Example:
        >>> pasted("<pgak_ml_0a1B>.")
        'pgak_ml_0a1B'
    """
    if not isinstance(text, str) or len(text) > LONGEST_PASTED:
        return ""
    found = _LINK.fullmatch(_BREAK.sub("", text))
    return found[1] if found else ""


class Kind(StrEnum):
    """What a token is for; a token of one kind is never accepted as another."""

    MAGIC_LINK = "ml"
    ACCESS = "at"
    REFRESH = "rt"
    BINDING = "bd"
    EMAIL_CHANGE = "ec"
    HANDOFF = "ho"
    DEVICE = "dv"


@attrs.frozen
class SecretToken:
    """A token that is one secret: of a link, or of a browser (binding, handoff, device)."""

    pepper_id: int
    secret: bytes = attrs.field(repr=False)

    @classmethod
    def new(cls, pepper_id: int) -> Self:
        """Make a token of 32 random bytes that will be hashed with the pepper of that id (0: none)."""
        return cls(pepper_id, secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, kind: Kind, text: str) -> Self:
        """Read a token; `InvalidTokenError` when it is not a well-formed one of that kind."""
        payload = _decode(kind, text, 1 + SECRET_BYTES)
        return cls(payload[0], payload[1:])

    def text(self, kind: Kind) -> Secret:
        """Return the text form."""
        return _encode(kind, bytes([self.pepper_id]) + self.secret)


@attrs.frozen
class SessionToken:
    """A token of a session: a selector that finds the row, and a secret that proves who holds it.

    Its generation says how many pairs of the session came before, so that one that the row does not know yet, after a
    failover or a restore, is not taken for one that was followed long ago.
    """

    pepper_id: int
    selector: bytes = attrs.field(repr=False)
    secret: bytes = attrs.field(repr=False)
    generation: int = attrs.field(default=0, repr=False)

    @classmethod
    def new(cls, pepper_id: int) -> Self:
        """Make the refresh token of a new session."""
        return cls(pepper_id, secrets.token_bytes(SELECTOR_BYTES), secrets.token_bytes(SECRET_BYTES))

    @classmethod
    def parse(cls, kind: Kind, text: str) -> Self:
        """Read a token; `InvalidTokenError` when it is not a well-formed one of that kind."""
        payload = _decode(kind, text, 1 + GENERATION_BYTES + SELECTOR_BYTES + SECRET_BYTES)
        generation, rest = payload[1 : 1 + GENERATION_BYTES], payload[1 + GENERATION_BYTES :]
        return cls(payload[0], rest[:SELECTOR_BYTES], rest[SELECTOR_BYTES:], int.from_bytes(generation))

    def text(self, kind: Kind) -> Secret:
        """Return the text form."""
        generation = self.generation.to_bytes(GENERATION_BYTES)
        return _encode(kind, bytes([self.pepper_id]) + generation + self.selector + self.secret)

    @property
    def proof(self) -> bytes:
        """What is hashed for the row: the secret with its generation, so that an edited one is another hash."""
        return self.generation.to_bytes(GENERATION_BYTES) + self.secret

    @property
    def next_generation(self) -> int:
        """The generation of its successor. After the last comes the first: such a token nobody was given."""
        return (self.generation + 1) % 256**GENERATION_BYTES

    @property
    def access_selector(self) -> bytes:
        """The selector of the access token that goes with this refresh token; it does not tell this one's."""
        return hashlib.sha256(b"at" + self.selector).digest()[:SELECTOR_BYTES]


def kind_of(text: object) -> Kind:
    """Return what a token of a session says that it is, for `SessionToken.parse` to check."""
    is_refresh = isinstance(text, str) and text.startswith(f"pgak_{Kind.REFRESH}_")
    return Kind.REFRESH if is_refresh else Kind.ACCESS


def _encode(kind: Kind, payload: bytes) -> Secret:
    body = "pgak_" + kind + "_" + _base62(int.from_bytes(payload), _digits(len(payload)))
    return Secret(body + _base62(zlib.crc32(body.encode()), _CHECKSUM_DIGITS))


def _decode(kind: Kind, text: object, size: int) -> bytes:
    prefix, length = _form(kind, size)
    if not isinstance(text, str) or len(text) != length or not text.startswith(prefix):
        raise InvalidTokenError
    digits = text[len(prefix) :]
    if not digits.isalnum() or not digits.isascii():
        raise InvalidTokenError
    number, checksum = divmod(_number(digits), _BEFORE_CHECKSUM)
    if checksum != zlib.crc32(text[:-_CHECKSUM_DIGITS].encode()):
        raise InvalidTokenError
    try:
        return number.to_bytes(size)
    except OverflowError:
        raise InvalidTokenError from None


@cache
def _form(kind: Kind, size: int) -> tuple[str, int]:
    """Return how tokens begin, and how long they are."""
    prefix = "pgak_" + kind + "_"
    return prefix, len(prefix) + _digits(size) + _CHECKSUM_DIGITS


def _digits(size: int) -> int:
    return -(-size * 8 * 10000 // 59541)  # log2(62) = 5.9542, rounded down so that every payload fits


def _base62(number: int, digits: int) -> str:
    # Two digits at a time, and joined once: a quarter of the time, of which a sign-in takes three tokens' worth.
    pairs: list[str] = []
    for _ in range(0, digits, 2):
        number, pair = divmod(number, 62 * 62)
        pairs.append(_PAIRS[pair])
    pairs.reverse()
    return "".join(pairs)[-digits:]


def _number(text: str) -> int:
    # All neighbours are joined at once, then all pairs, and so on: seven steps for 80 digits, in a third of the time.
    number, bits = int.from_bytes(text.encode().translate(_VALUES)), 8 * len(text)
    for lane, base, mask in _JOINS:
        if lane >= bits:
            break
        number = (number >> lane & mask) * base + (number & mask)
    return number
