"""Reading a revision's file: a checksum of what it means, and whether it runs outside a transaction."""

from pathlib import Path

import pytest

from pgauthkit.errors import MigrationError
from pgauthkit.ops.revisions.source import checksum, is_autocommit, words

FILE = '''
"""Add posts."""
from alembic import op

def upgrade() -> None:
    op.execute("CREATE TABLE posts (id int)", {"a": [1, None]})
'''


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "0001_posts.py"
    path.write_text(FILE)
    return path


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('"""Add posts."""', '"""Add the posts, after all."""'),
        ("def upgrade", "# why\ndef upgrade"),
        ('"CREATE TABLE posts (id int)"', "'CREATE TABLE posts (id int)'"),
        ("op.execute(", "op.execute(\n        "),
        ("\n", "\r\n"),
        ("    op.execute", '    """Go up."""\n    op.execute'),
    ],
)
def test_layout(path: Path, old: str, new: str) -> None:
    """Comments, docstrings, quotes, lines and line ends do not change the checksum."""
    before = checksum(path)

    path.write_bytes(path.read_text().replace(old, new).encode())

    assert before == checksum(path)


@pytest.mark.parametrize(("old", "new"), [("id int", "id bigint"), ("[1, None]", "[1]"), ("upgrade", "downgrade")])
def test_meaning(path: Path, old: str, new: str) -> None:
    """A change of what the file does changes the checksum."""
    before = checksum(path)

    path.write_text(path.read_text().replace(old, new))

    assert before != checksum(path)


def test_stable(path: Path) -> None:
    """The checksum is what it was when the first ledger was written."""
    assert checksum(path) == "f42e02d144c16e24f797250ac9c26094f7cc2530b89701152685a0645056b966"


@pytest.mark.parametrize("content", [b"def", b"\0"])
def test_no_python(path: Path, content: bytes) -> None:
    """A file that is no Python is an error with its name."""
    path.write_bytes(content)

    with pytest.raises(MigrationError, match=r"0001_posts.py is no Python"):
        checksum(path)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("pass", False),
        ("with op.get_context().autocommit_block():\n        pass", True),
        ('"""Why."""\n    with op.get_context().autocommit_block():\n        pass', True),
    ],
)
def test_autocommit(path: Path, *, body: str, expected: bool) -> None:
    """A function whose whole body is an autocommit block runs outside a transaction."""
    path.write_text(f"def upgrade() -> None:\n    {body}\n")

    assert is_autocommit(path, "upgrade") is expected
    assert not is_autocommit(path, "downgrade")


def test_both(path: Path) -> None:
    """A function with statements beside its autocommit block is refused."""
    path.write_text("def upgrade() -> None:\n    op.x()\n    with op.get_context().autocommit_block():\n        pass\n")

    with pytest.raises(MigrationError, match="make two revisions of it"):
        is_autocommit(path, "upgrade")


def test_words(path: Path) -> None:
    """The names of what a file makes are among its words."""
    assert {"posts", "id", "CREATE"} <= words(path)
