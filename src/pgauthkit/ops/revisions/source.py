"""What the file of a revision says, read without running it: its checksum, its mode, and the names in it."""

import ast
import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final, cast

from pgauthkit.errors import MigrationError

__all__ = ["checksum", "is_autocommit", "words"]

_WORD: Final = re.compile(r"\w+")
_DOCUMENTED: Final = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def checksum(path: Path) -> str:
    """Return a hash of what the file means: comments, docstrings, layout and quotes do not count.

    It is the same under every version of Python, so a new interpreter raises no alarm.

    Raises:
        MigrationError: the file is no Python.

    Example:
        >>> checksum(Path("versions/0001_users.py"))  # doctest: +SKIP
        '5f2c…'
    """
    return hashlib.sha256("\n".join(_meaning(_parsed(path))).encode()).hexdigest()


def is_autocommit(path: Path, function: str) -> bool:
    """Tell whether `upgrade` or `downgrade` of a file runs outside a transaction, in one `autocommit_block()`.

    Raises:
        MigrationError: it does both: an autocommit block commits what went before it, so a failure would leave half of
            the revision; or the file is no Python.

    Example:
        >>> is_autocommit(Path("versions/0002_index.py"), "upgrade")  # doctest: +SKIP
        True
    """
    functions = [node for node in _parsed(path).body if isinstance(node, ast.FunctionDef) and node.name == function]
    body = [statement for found in functions for statement in _without_docstring(found.body)]
    inner = [node for statement in body for node in ast.walk(statement)]
    if "autocommit_block" not in {node.attr for node in inner if isinstance(node, ast.Attribute)}:
        return False
    if len(body) == 1 and isinstance(body[0], ast.With):
        return True
    raise MigrationError(
        f"{path.name}: {function}() has statements beside its autocommit_block(). A revision runs either in one"
        " transaction or in one autocommit block, never both: make two revisions of it."
    )


def words(path: Path) -> frozenset[str]:
    """Return every word in the texts of a file: among them are the names of what it makes.

    Raises:
        MigrationError: the file is no Python.

    Example:
        >>> "ix_posts_title" in words(Path("versions/0002_index.py"))  # doctest: +SKIP
        True
    """
    texts = (node.value for node in ast.walk(_parsed(path)) if isinstance(node, ast.Constant))
    return frozenset(word for text in texts if isinstance(text, str) for word in _WORD.findall(text))


def _parsed(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_bytes())
    except (SyntaxError, ValueError):
        raise MigrationError(f"{path.name} is no Python.") from None


def _without_docstring(body: list[ast.stmt]) -> list[ast.stmt]:
    first = body[0] if body else None
    value = first.value if isinstance(first, ast.Expr) else None
    return body[1:] if isinstance(value, ast.Constant) and isinstance(value.value, str) else body


def _meaning(node: ast.AST) -> Iterator[str]:
    # Not ast.dump(): what it leaves out differs from one Python to the next. Nothing empty counts here, so a field
    # that a later Python adds does not count until it is used.
    yield type(node).__name__
    if isinstance(node, _DOCUMENTED):
        node.body = _without_docstring(node.body)
    for name, value in ast.iter_fields(node):
        items = cast("list[object]", value if isinstance(value, list) else [value])
        for item in items:
            if isinstance(item, ast.AST) and not isinstance(item, ast.expr_context):
                yield f".{name}"
                yield from _meaning(item)
            elif item is not None and not isinstance(item, ast.AST):
                yield f".{name}={item!r}"
    yield "/"
