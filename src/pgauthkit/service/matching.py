"""The number that a waiting browser shows, and that is typed where the mail is opened."""

import hmac
from typing import Final

from pgauthkit.hashing import Hasher, Purpose
from pgauthkit.tokens import SecretToken

__all__ = ["MATCH_ATTEMPTS", "match_hash", "match_of", "normal_match"]

# One of 90 numbers, three tries: 3.3 % for a person who types whatever comes to mind (docs: the threat model).
SMALLEST: Final = 10
NUMBERS: Final = 90
MATCH_ATTEMPTS: Final = 3


def match_of(handoff: SecretToken) -> str:
    """Return the number of a handoff, 10 to 99: the same for each mail that is sent again."""
    return str(SMALLEST + int.from_bytes(hmac.digest(handoff.secret, b"match", "sha256")) % NUMBERS)


def normal_match(typed: object) -> str:
    """Return what was typed without blanks; nothing where it cannot be a number that is shown.

    Example:
        >>> normal_match(" 4 7"), normal_match("forty-seven")
        ('47', '')
    """
    digits = "".join(str(typed)[:64].split())
    return digits if len(digits) == len(str(SMALLEST)) and digits.isascii() and digits.isdigit() else ""


def match_hash(hasher: Hasher, link: SecretToken, match: str) -> bytes:
    """Return how a number is stored: with the secret of its link, without which 90 hashes would give it away."""
    return hasher.digest(Purpose.MATCH, link.secret + match.encode(), link.pepper_id)
