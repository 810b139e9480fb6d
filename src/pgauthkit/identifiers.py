"""Row identifiers in the shape of Prisma's `cuid()`: sorted by time, not to be guessed."""

import os
import time
from functools import lru_cache
from typing import Final, TypeGuard

__all__ = ["is_storable", "new_id", "new_ids"]

_DIGITS: Final = b"0123456789abcdefghijklmnopqrstuvwxyz"
_RANDOM: Final = 16
# A byte is a digit; the last four of 256 are dropped, as 36 does not divide them, and so every digit is as likely.
_EVEN: Final = 256 - 256 % len(_DIGITS)
_AS_DIGITS: Final = bytes(_DIGITS[byte % len(_DIGITS)] for byte in range(256))
_LEFT_OVER: Final = bytes(range(_EVEN, 256))


def new_id() -> str:
    """Return a new identifier: `c`, 8 characters of time, 16 of randomness, all of `0-9a-z`.

    The time is in milliseconds since 1970, in base 36, so that identifiers sort by when they were made (until 2059).
    The rest is 82 bits from the operating system's generator: among a million identifiers of the *same* millisecond two
    are equal with a chance of 1 in 10^13.

    Example:
        >>> new_id()  # doctest: +SKIP
        'cmi8g4k0v2l9w0x1qk3f7a9zt'
    """
    return _head() + _digits(_RANDOM)


def new_ids(count: int) -> list[str]:
    """Return so many new identifiers of one millisecond, in a fifth of the time.

    Example:
        >>> len(set(new_ids(1000)))
        1000
    """
    head, digits = _head(), _digits(_RANDOM * count)
    return [head + digits[start : start + _RANDOM] for start in range(0, len(digits), _RANDOM)]


def is_storable(text: object) -> TypeGuard[str]:
    r"""Tell whether PostgreSQL can hold it as text: a `str` without NUL and lone surrogates.

    Example:
        >>> is_storable("a\0b")
        False
    """
    try:
        return isinstance(text, str) and b"\0" not in text.encode()
    except UnicodeEncodeError:
        return False


def _head() -> str:
    return "c" + _time(time.time_ns() // 1_000_000)


@lru_cache(maxsize=1)
def _time(milliseconds: int) -> str:
    digits, left = bytearray(8), milliseconds
    for place in reversed(range(8)):
        left, digit = divmod(left, len(_DIGITS))
        digits[place] = _DIGITS[digit]
    return digits.decode()


def _digits(count: int) -> str:
    digits = b""
    while len(digits) < count:  # a second time once in 10^10: a 64th of the bytes is dropped, and there are more
        digits += os.urandom(count + count // 16 + 8).translate(_AS_DIGITS, _LEFT_OVER)
    return digits[:count].decode()
