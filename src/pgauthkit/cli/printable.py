"""Text for a terminal, which no name in a file or a database may steer."""

__all__ = ["printable"]


def printable(text: str) -> str:
    r"""Return text with every character that a terminal would obey, and not show, written out.

    Example:
        >>> print(printable("public.\x1b[2Jposts"))
        public.\x1b[2Jposts
    """
    return "".join(one if one.isprintable() or one == "\n" else repr(one)[1:-1] for one in text)
