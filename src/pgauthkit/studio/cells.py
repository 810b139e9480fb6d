"""How much of a value a page shows: a list has one line of each, and a row its beginning."""

from typing import Final

import attrs

__all__ = ["EDITED", "LISTED", "SHOWN", "Untouched", "cut", "one_line"]

# Characters. A list of 25 rows of 20 columns stays under 1 MB, with the markup around each cell.
LISTED: Final = 200
SHOWN: Final = 20_000
EDITED: Final = 100_000


@attrs.frozen
class Untouched:
    """What a form shows of a value and does not send, because it is too long: the row keeps it.

    Attributes:
        shown: the beginning.
    """

    shown: str = ""
    is_untouched: bool = True


def cut(text: str, limit: int) -> str:
    """Return the beginning of a text, and how long it is.

    Args:
        text: of any length.
        limit: characters.

    Example:
        >>> cut("abcdef", 4)
        'abcd… (6 characters)'
    """
    return text if len(text) <= limit else f"{text[:limit]}… ({len(text):,} characters)"


def one_line(text: str) -> str:
    r"""Return the beginning of a text as one line, for a list or a link.

    Example:
        >>> one_line("one\n two")
        'one two'
    """
    return " ".join(cut(text, LISTED).split())
