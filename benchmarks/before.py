"""The build of another commit: its source and an environment of its own, so that it takes part beside today's."""

import io
import subprocess
import sys
import tarfile
from importlib.metadata import version
from pathlib import Path
from typing import Final

import attrs

__all__ = ["Before", "built"]

ROOT: Final = Path(__file__).parent.parent
# The same drivers for both: what is compared is ours.
_GIVEN: Final = ("psycopg", "psycopg-binary", "SQLAlchemy", "greenlet", "attrs", "argon2-cffi", "alembic")


@attrs.frozen(kw_only=True)
class Before:
    """A commit that was built.

    Attributes:
        commit: its number, in short.
        source: its files.
        python: the interpreter of its environment.
    """

    commit: str
    source: Path
    python: Path


def built(commit: str) -> Before:
    """Build a commit in `build/`, or take what was built there before.

    Args:
        commit: whatever git knows it by.

    Raises:
        subprocess.CalledProcessError: there is no such commit, or it cannot be installed.
    """
    number = _said("git", "rev-parse", "--short", f"{commit}^{{commit}}").decode().strip()
    folder = ROOT / "build" / f"before-{number}"
    source, environment, ready = folder / "source", folder / "venv", folder / "ready"
    python = environment / "bin" / "python"
    if not ready.exists():
        with tarfile.open(fileobj=io.BytesIO(_said("git", "archive", number))) as archive:
            archive.extractall(source, filter="data")
        same = [f"{name}=={version(name)}" for name in _GIVEN]
        _said(sys.executable, "-m", "venv", "--clear", str(environment))
        _said(str(python), "-m", "pip", "install", "--quiet", f"{source}[binary]", *same)
        ready.touch()
    return Before(commit=number, source=source, python=python)


def _said(*command: str) -> bytes:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, cwd=ROOT).stdout  # noqa: S603 - known programs
