"""An application's whole life beside ours: its tables refer to ours, and neither ever touches the other's."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import create_engine, orm

from pgauthkit import AuthConfig, AuthService
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.migrate.reset import reset
from pgauthkit.ops.migrate.rollback import rollback
from pgauthkit.ops.server.presence import database_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.migrate.conftest import Project


@pytest.fixture(params=["project", "alembic_project", "async_project"])
def any_project(request: pytest.FixtureRequest) -> Project:
    """Each of the kinds of application, which looks at every schema of the database."""
    found: Project = request.getfixturevalue(request.param)
    env = next(found.path.glob("*/env.py"))
    for call in ("target_metadata=target_metadata", "run_migrations(Base.metadata"):
        env.write_text(env.read_text().replace(call, f"{call}, include_schemas=True"))
    return found


def written(project: Project, url: str, message: str) -> Path:
    sys.modules.pop("blog_models", None)
    path = new_revision(url, project.track, message)
    assert path is not None
    return path


def steps(path: Path) -> list[str]:
    return [line.strip().partition("(")[0] for line in path.read_text().splitlines() if line.strip().startswith("op.")]


def write_a_post(url: str) -> str:
    """Sign in, and write a post as that user."""
    engine = create_engine(url)
    auth = AuthService(engine, AuthConfig())
    user_id = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal()).user.user_id
    models = sys.modules["blog_models"]
    with orm.Session(engine) as db, db.begin():
        db.add(models.Post(id=1, title="Hello", author_id=user_id))
    engine.dispose()
    return user_id


def rows(url: str, table: str) -> int:
    with psycopg.connect(url) as connection:
        query = sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier(*table.split(".")))
        row = connection.execute(query).fetchone()
        assert row is not None
        return int(row[0])


def test_from_beginning_to_end(any_project: Project, pgauthkit_empty_url: str) -> None:
    """A foreign key to User, up, a second revision with nothing of ours in it, down, and a reset: ours stay whole."""
    url, track = pgauthkit_empty_url, any_project.track
    deploy(url)
    assert steps(written(any_project, url, "Add posts")) == ["op.create_table", "op.drop_table"]
    deploy(url, host=track)
    write_a_post(url)

    models = any_project.path / "blog_models.py"
    models.write_text(f"{models.read_text()}    subtitle: Mapped[str | None]\n")
    assert steps(written(any_project, url, "Add a subtitle")) == ["op.add_column", "op.drop_column"]
    deploy(url, host=track)
    assert find_drift(url, host=track) == ()

    rollback(url, "-1", host=track)
    assert (rows(url, "posts"), rows(url, "pgauthkit.users")) == (1, 1)
    rollback(url, "base", host=track)
    assert rows(url, "pgauthkit.users") == 1
    deploy(url, host=track)

    reset(url, name=database_name(url), host=track, force=True)
    assert (rows(url, "posts"), rows(url, "pgauthkit.users")) == (0, 0)
    assert status(url, host=track).in_sync


def test_cascade(project: Project, pgauthkit_url: str) -> None:
    """A user who is deleted takes along what refers to them, as the application said."""
    written(project, pgauthkit_url, "Add posts")
    deploy(pgauthkit_url, host=project.track)
    user_id = write_a_post(pgauthkit_url)

    with psycopg.connect(pgauthkit_url) as connection:
        connection.execute("DELETE FROM pgauthkit.users WHERE id = %s", [user_id])

    assert rows(pgauthkit_url, "posts") == 0
