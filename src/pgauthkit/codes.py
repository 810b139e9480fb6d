"""Short codes, for typing what cannot be clicked."""

import secrets
from typing import Final

__all__ = ["new_code", "normal_code"]

# RFC 8628 section 6.1: 20 consonants, which spell no words and are not mistaken for digits; 4.3 bits each.
ALPHABET: Final = "BCDFGHJKLMNPQRSTVWXZ"


def new_code(length: int) -> str:
    """Return a random code.

    Example:
        >>> new_code(8)  # doctest: +SKIP
        'WDJBMJHT'
    """
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def normal_code(text: object) -> str:
    """Return a typed code as it was made: case, blanks and dashes do not count.

    Example:
        >>> normal_code("wdjb-mjht")
        'WDJBMJHT'
    """
    return str(text).upper().replace("-", "").replace(" ", "")
