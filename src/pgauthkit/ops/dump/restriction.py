"""Keeping psql from obeying a dump: it is restricted with a key of our own, and pg_dump's own lines are left out."""

import re
import secrets
from collections.abc import Iterator
from itertools import chain
from typing import Final

__all__ = ["restriction", "without_restrictions"]

# What stands before it is comments and nothing else, so that it is no line of a row or of a text.
_HEAD: Final = re.compile(rb"\A((?:--[^\n]*\n|\r?\n)*)\\restrict ([A-Za-z0-9]+)\r?\n")
_TAIL: Final = 1024  # bytes, in which the line that ends it stands


def restriction() -> bytes:
    r"""Return the line after which psql obeys no backslash command, until it reads the key, which nobody can guess.

    See https://www.postgresql.org/docs/16/app-psql.html#APP-PSQL-META-COMMAND-RESTRICT.

    Example:
        >>> restriction()  # doctest: +SKIP
        b'\\restrict 5c4f…\n'
    """
    return f"\\restrict {secrets.token_hex(32)}\n".encode()


def without_restrictions(chunks: Iterator[bytes]) -> Iterator[bytes]:
    r"""Yield SQL of pg_dump's or pg_restore's without the two lines by which they restrict psql themselves.

    Nothing else is left out: whatever a dump has beside them, psql refuses.

    Example:
        >>> b"".join(without_restrictions(iter([b"--\n\\restrict a\nSELECT 1;\n\\unrestrict a\n"])))
        b'--\nSELECT 1;\n'
    """
    head = next(chunks, b"")
    found = _HEAD.match(head)
    if found is None:
        yield from chain([head], chunks)
        return
    yield found[1]
    held = b""
    for chunk in chain([head[found.end() :]], chunks):
        held += chunk
        yield held[:-_TAIL]
        held = held[-_TAIL:]
    yield re.sub(rb"^\\unrestrict " + found[2] + rb"\r?\n", b"", held, flags=re.MULTILINE)
