"""Short codes, for typing what cannot be clicked."""

import secrets
import unicodedata
from typing import Final

__all__ = ["new_code", "normal_code"]

# RFC 8628 section 6.1: 20 consonants, which spell no words and are not mistaken for digits; 4.3 bits each.
ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"
LONGEST: Final = 256


def new_code(length: int) -> str:
    """Return a random code.

    Example:
        >>> new_code(8)  # doctest: +SKIP
        'WDJBMJHT'
    """
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def normal_code(text: object) -> str:
    """Return a typed or pasted code as it was made: only letters and digits count, in whatever case and width.

    Blanks, line ends, dashes of every kind, marks that are not seen, and the full stop of the sentence around it come
    along when a code is copied; none of them can be part of one.

    Example:
        >>> normal_code(" wdjb-mjht.")
        'WDJBMJHT'
    """
    wide = unicodedata.normalize("NFKC", str(text)[:LONGEST]).upper()
    return "".join(character for character in wide if character.isalnum())
