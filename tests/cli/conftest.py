"""An application in the working directory, for the commands that look there."""

import sys
import textwrap
from collections.abc import Callable, Iterator
from io import TextIOWrapper
from pathlib import Path

import attrs
import pytest
from click.testing import CliRunner, Result

from pgauthkit.cli import main
from pgauthkit.ops.revisions.logs import logging_kept

BLOG = """
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from pgauthkit.models import User

class Base(DeclarativeBase):
    pass

class Post(Base):
    __tablename__ = "posts"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    author_id: Mapped[str] = mapped_column(ForeignKey(User.id, ondelete="CASCADE"))
"""
SETTINGS = '[tool.pgauthkit]\nmodels = "blog.models:Base"\nmigrations = "migrations"\n'


@attrs.frozen
class Blog:
    """An application with models, settings, a database, and no migrations yet."""

    path: Path
    url: str

    def migrate(self, *arguments: str, answer: str | None = None, **environment: str) -> Result:
        """Run `pgauthkit migrate …` on its database."""
        forget_blog()
        variables = {"DATABASE_URL": self.url, **environment}
        return CliRunner().invoke(main, ["migrate", *arguments], env=variables, input=answer)

    def add(self, lines: str) -> None:
        """Add to its models."""
        with (self.path / "blog" / "models.py").open("a") as file:
            file.write(textwrap.indent(lines, "    ") + "\n")


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the runner's standard input pass for a terminal."""
    kind = "click.testing._NamedTextIOWrapper"
    monkeypatch.setattr(f"{kind}.isatty", _is_input, raising=False)


def _is_input(stream: TextIOWrapper) -> bool:
    return stream is sys.stdin


def forget_blog() -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == "blog"]:
        del sys.modules[name]


@pytest.fixture
def make_blog(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Blog]]:
    """Makes an application in the working directory, for a database."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    path = sys.path[:]
    # Nothing is cached: a module that is written twice in a second would be taken for the first.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def make(url: str) -> Blog:
        (tmp_path / "pyproject.toml").write_text(SETTINGS)
        (tmp_path / "blog").mkdir()
        (tmp_path / "blog" / "models.py").write_text(BLOG)
        return Blog(tmp_path, url)

    with logging_kept():
        yield make
    sys.path[:] = path
    forget_blog()


@pytest.fixture
def blog(make_blog: Callable[[str], Blog], pgauthkit_url: str) -> Blog:
    """An application with a database that has our tables."""
    return make_blog(pgauthkit_url)


@pytest.fixture
def new_blog(make_blog: Callable[[str], Blog], pgauthkit_empty_url: str) -> Blog:
    """An application with an empty database."""
    return make_blog(pgauthkit_empty_url)
