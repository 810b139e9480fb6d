"""What a browser calls itself, as a session's row keeps it: in a few characters, from which all of it comes back."""

import re
from typing import Final

__all__ = ["packed", "unpacked"]

# Most of such a text is the same in everybody's. These are for ever: rows were written with them. A new one takes a
# character that has none yet, so that a text of before, with that character in it, is still read as it was meant.
_PHRASES: Final = {
    "{": "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
    "}": ".0.0.0 Safari/537.36",
    "[": "Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
    "]": ".0.0.0 Mobile Safari/537.36",
    "<": "Mozilla/5.0 (iPhone; CPU iPhone OS ",
    "|": " like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/",
    ">": " Mobile/15E148 Safari/604.1",
    "^": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
    "@": "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/",
    "$": " Safari/605.1.15",
    "&": "Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:",
    "*": ".0) Gecko/20100101 Firefox/",
    "%": "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/",
    "#": " Edg/",
    "!": ".0.0.0",
    "?": ") AppleWebKit/537.36 (KHTML, like Gecko) ",
    "'": " like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) ",
    "`": "Mozilla/5.0 (Linux; Android ",
    "=": "Mozilla/5.0 (",
}
_MARK: Final = "~"
_ESCAPE: Final = "\\"
_CHARACTERS: Final = {phrase: character for character, phrase in _PHRASES.items()}
_PACKING: Final = re.compile(
    "|".join(re.escape(piece) for piece in (*sorted(_CHARACTERS, key=len, reverse=True), *_PHRASES, _ESCAPE))
)
_UNPACKING: Final = re.compile(rf"{re.escape(_ESCAPE)}(.)|([{re.escape(''.join(_PHRASES))}])", re.DOTALL)


def packed(text: str | None) -> str | None:
    r"""Return what the row keeps of a browser's text: that text, where it would not be shorter.

    What was packed begins with `~`. The phrases that most browsers have are one character each, and `\` stands before
    a character that is meant.

    Example:
        >>> packed(
        ...     "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) "
        ...     "Chrome/142.0.0.0 Safari/537.36"
        ... )
        '~{142}'
    """
    if text is None:
        return None
    short = _MARK + _PACKING.sub(lambda found: _CHARACTERS.get(found[0], _ESCAPE + found[0]), text)
    return short if len(short) < len(text) or text.startswith(_MARK) else text


def unpacked(kept: str | None) -> str | None:
    """Return a browser's text from what a row keeps, which may be the text itself.

    Example:
        >>> unpacked("~<18_6|18.6>")[:44]
        'Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like'
    """
    if kept is None or not kept.startswith(_MARK):
        return kept
    return _UNPACKING.sub(lambda found: found[1] or _PHRASES[found[2]], kept.removeprefix(_MARK))
