"""Recording what was done by hand: a baseline, an accepted edit, a forgotten revision."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit.errors import BaselineError, MigrationError
from pgauthkit.models import SCHEMA, Base
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.migrate.resolution import resolve_applied, resolve_rolled_back
from pgauthkit.ops.migrate.rollback import rollback
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.revisions.tracks import BUNDLED

if TYPE_CHECKING:
    from tests.ops.migrate.conftest import Project

HEAD = bundled_revisions()[-1]


def test_baseline(pgauthkit_empty_url: str) -> None:
    """Tables that `create_all` has made are taken over as they are, every revision stamped."""
    engine = sa.create_engine(pgauthkit_empty_url)
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SCHEMA pgauthkit"))
        Base.metadata.create_all(
            connection, tables=[table for table in Base.metadata.sorted_tables if table.schema == SCHEMA]
        )
    engine.dispose()

    done = resolve_applied(pgauthkit_empty_url, HEAD)

    found = status(pgauthkit_empty_url)
    assert (done.track, done.was) == ("bundled", "pending")
    assert found.in_sync
    assert [one.how for one in found.bundled.revisions] == ["stamped"] * len(bundled_revisions())
    assert [one.duration for one in found.bundled.revisions] == [None] * len(bundled_revisions())
    assert find_drift(pgauthkit_empty_url) == ()


def test_baseline_of_nothing(pgauthkit_empty_url: str) -> None:
    """Our tables are not recorded where they are not."""
    with pytest.raises(BaselineError, match="migrate deploy"):
        resolve_applied(pgauthkit_empty_url, HEAD)


def test_over_several(project: Project, pgauthkit_url: str) -> None:
    """A stamp over several revisions records each of them."""
    project.posts()
    project.index()

    resolve_applied(pgauthkit_url, "index2", host=project.track)

    found = status(pgauthkit_url, host=project.track).host
    assert found is not None
    assert [(one.id, one.how) for one in found.revisions] == [("posts1", "stamped"), ("index2", "stamped")]


def test_by_the_file(project: Project, pgauthkit_url: str) -> None:
    """The name of a revision's file does as well, with or without its folder and ending, ours and the application's."""
    path = project.posts()
    named = path.rename(path.with_name("posts1_add_posts.py"))
    deploy(pgauthkit_url, host=project.track)

    for name in (str(named), named.name, named.stem):
        assert resolve_applied(pgauthkit_url, name, host=project.track).revision == "posts1"
    ours = BUNDLED.revisions()[0]
    assert resolve_applied(pgauthkit_url, ours.path.name, host=project.track).revision == ours.id
    assert resolve_applied(pgauthkit_url, ours.path.stem).track == "bundled"


def test_applied_already(project: Project, pgauthkit_url: str) -> None:
    """What is applied stays so, as it was."""
    project.posts()
    deploy(pgauthkit_url, host=project.track)

    assert resolve_applied(pgauthkit_url, "posts1", host=project.track).was == "applied"

    found = status(pgauthkit_url, host=project.track).host
    assert found is not None
    assert [one.how for one in found.revisions] == ["run"]


def test_accepted(project: Project, pgauthkit_url: str) -> None:
    """An edited file is accepted."""
    path = project.posts()
    deploy(pgauthkit_url, host=project.track)
    path.write_text(path.read_text().replace("title text", "title varchar"))

    assert resolve_applied(pgauthkit_url, "posts1", host=project.track).was == "edited"
    assert status(pgauthkit_url, host=project.track).in_sync


def test_forgotten(project: Project, pgauthkit_url: str) -> None:
    """A revision that was made part of another is forgotten, and only so the database is in sync."""
    project.posts()
    project.write("later", "posts1", "pass")
    deploy(pgauthkit_url, host=project.track)
    (project.versions / "posts1.py").unlink()
    project.write("later", None, "pass")
    resolve_applied(pgauthkit_url, "later", host=project.track)
    with pytest.raises(MigrationError, match="has no file"):
        resolve_applied(pgauthkit_url, "posts1", host=project.track)

    assert resolve_rolled_back(pgauthkit_url, "posts1", host=project.track).was == "missing"
    assert status(pgauthkit_url, host=project.track).in_sync


def test_refused(pgauthkit_url: str) -> None:
    """What is applied is not recorded as rolled back, and what does not exist not at all."""
    with pytest.raises(MigrationError, match="migrate rollback"):
        resolve_rolled_back(pgauthkit_url, HEAD)
    with pytest.raises(MigrationError, match="There is no revision nowhere"):
        resolve_applied(pgauthkit_url, "nowhere")


def test_undone_by_hand(project: Project, pgauthkit_url: str) -> None:
    """What somebody took out of the version table is forgotten with the next record."""
    project.posts()
    project.index()
    deploy(pgauthkit_url, host=project.track)
    with psycopg.connect(pgauthkit_url) as connection:
        connection.execute("UPDATE alembic_version SET version_num = 'posts1'")
    resolve_applied(pgauthkit_url, "posts1", host=project.track)

    with psycopg.connect(pgauthkit_url) as connection:
        rows = connection.execute("SELECT revision FROM pgauthkit.migration_ledger WHERE track = 'host'").fetchall()
    assert rows == [("posts1",)]


def test_same_name(project: Project, pgauthkit_url: str) -> None:
    """Where both tracks have a revision of one name, it is the application's; ours goes by its full name."""
    project.write(HEAD, None, "pass")
    project.write("after", HEAD, "pass")

    assert resolve_applied(pgauthkit_url, HEAD, host=project.track).track == "host"
    assert resolve_applied(pgauthkit_url, f"bundled:{HEAD}", host=project.track).track == "bundled"
    assert deploy(pgauthkit_url, host=project.track).host == ("after",)
    assert rollback(pgauthkit_url, HEAD, host=project.track).undone == ("after",)
    with pytest.raises(MigrationError, match="nothing to undo"):
        rollback(pgauthkit_url, f"bundled:{HEAD}", host=project.track)
