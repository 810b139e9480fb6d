"""An application with migrations of its own, in a temporary directory, in both ways that there are."""

import io
import secrets
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import attrs
import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.revisions.logs import logging_kept
from pgauthkit.ops.revisions.tracks import Track, host_track

MODELS = """
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
REVISION = '''
"""{title}."""
from alembic import op
import sqlalchemy as sa
revision = {id!r}
down_revision = {parent!r}

def upgrade() -> None:
{upgrade}

def downgrade() -> None:
{downgrade}
'''
POSTS = "CREATE TABLE public.posts (id int CONSTRAINT pk_posts PRIMARY KEY, title text NOT NULL)"
INDEX = "CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_posts_title ON public.posts (title)"


@attrs.frozen
class Project:
    """An application's directory and its track."""

    path: Path
    track: Track
    versions: Path

    def write(self, id_: str, parent: str | None, up: str, down: str = "pass", *, autocommit: bool = False) -> Path:
        """Write a revision whose two ways are each one SQL statement, or nothing."""
        path = self.versions / f"{id_}.py"
        text = REVISION.format(
            title=f"Revision {id_}",
            id=id_,
            parent=parent,
            upgrade=body(up, autocommit=autocommit),
            downgrade=body(down, autocommit=autocommit),
        )
        path.write_text(text.lstrip())
        return path

    def posts(self) -> Path:
        """Write a first revision, which makes a table."""
        return self.write("posts1", None, POSTS, "DROP TABLE public.posts")

    def index(self, up: str = INDEX) -> Path:
        """Write a second one, which makes an index outside a transaction."""
        return self.write("index2", "posts1", up, "DROP INDEX CONCURRENTLY public.ix_posts_title", autocommit=True)


def body(sql: str, *, autocommit: bool) -> str:
    statement = sql if sql == "pass" else f"op.execute({sql!r})"
    block = f"with op.get_context().autocommit_block():\n    {statement}" if autocommit else statement
    return textwrap.indent(block, "    ")


@pytest.fixture(autouse=True)
def clean_process(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Forget what a test has imported from its own directory, and the logging that plain Alembic set up for it."""
    # Nothing is cached: models that are written twice in a second, at the same length, would be taken for the first.
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    path = sys.path[:]
    with logging_kept():
        yield
    sys.path[:] = path
    for name in ("blog_models", "blog_seed", "blog_types"):
        sys.modules.pop(name, None)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An application whose folder was made by `migrate init`."""
    (tmp_path / "blog_models.py").write_text(MODELS)
    sys.path.insert(0, str(tmp_path))
    scaffold(tmp_path, models="blog_models:Base")
    track = host_track(tmp_path, "migrations")
    assert track is not None
    return Project(tmp_path, track, tmp_path / "migrations" / "versions")


@pytest.fixture
def alembic_project(tmp_path: Path) -> Project:
    """An application with Alembic's own template, of which only `target_metadata` was filled in."""
    return with_alembic(tmp_path, "generic")


@pytest.fixture
def async_project(tmp_path: Path) -> Project:
    """The same with Alembic's template for an async engine."""
    return with_alembic(tmp_path, "async")


def with_alembic(tmp_path: Path, template: str) -> Project:
    (tmp_path / "blog_models.py").write_text(MODELS)
    sys.path.insert(0, str(tmp_path))
    config = Config(tmp_path / "alembic.ini", stdout=io.StringIO())
    command.init(config, str(tmp_path / "alembic"), template=template)
    env = tmp_path / "alembic" / "env.py"
    env.write_text(
        env.read_text().replace(
            "target_metadata = None", "from blog_models import Base\ntarget_metadata = Base.metadata"
        )
    )
    track = host_track(tmp_path)
    assert track is not None
    return Project(tmp_path, track, tmp_path / "alembic" / "versions")


@pytest.fixture
def somebodys_url(pgauthkit_url: str) -> Iterator[str]:
    """A migrated database by a role of its own, which may do all, and in the end must own nothing."""
    role = f"somebody_{secrets.token_hex(6)}"
    with psycopg.connect(pgauthkit_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} SUPERUSER LOGIN".encode())
        yield sa.make_url(pgauthkit_url).set(username=role).render_as_string(hide_password=False)
        owned = "SELECT datname FROM pg_database WHERE datdba = %s::regrole"
        assert admin.execute(owned, [role]).fetchall() == []
        admin.execute(f"DROP ROLE {role}".encode())
