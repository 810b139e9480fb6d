"""The shield: a host's autogenerate, with an untouched env.py, leaves our tables alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import sqlalchemy as sa
from alembic import command

from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.migrate.authoring import new_revision

if TYPE_CHECKING:
    from tests.ops.migrate.conftest import Project


def include_schemas(project: Project) -> None:
    env = project.path / "alembic" / "env.py"
    found = "target_metadata=target_metadata"
    env.write_text(env.read_text().replace(f"{found}\n", f"{found}, include_schemas=True\n"))
    assert "include_schemas=True" in env.read_text()


def test_plain_alembic(alembic_project: Project, pgauthkit_url: str) -> None:
    """Plain Alembic, looking at all schemas, generates the application's own table and nothing of ours."""
    include_schemas(alembic_project)
    engine = sa.create_engine(pgauthkit_url)
    with engine.connect() as connection:
        command.revision(alembic_project.track.config(connection), "Add posts", autogenerate=True)
    engine.dispose()
    (path,) = alembic_project.versions.glob("*.py")
    text = path.read_text()

    assert text.count("op.create_table") == 1
    assert text.count("op.drop_table('posts')") == 1
    assert "drop_table('users'" not in text
    assert "migration_ledger" not in text


def test_nothing_more(alembic_project: Project, pgauthkit_url: str) -> None:
    """Once its own table is there, the application's autogenerate finds nothing to do."""
    include_schemas(alembic_project)
    new_revision(pgauthkit_url, alembic_project.track, "Add posts")
    deploy(pgauthkit_url, host=alembic_project.track)

    assert new_revision(pgauthkit_url, alembic_project.track, "Nothing") is None
