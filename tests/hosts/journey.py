"""What every host goes through: its own Alembic beside ours, up, down, compared, saved and carried elsewhere.

A host's tests take these by `from journey import *`; what is its own they add.
"""

import shutil
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from pgauthkit.ops import backup, doctor, migrate, restore
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.revisions.tracks import Track, host_track

__all__ = [
    "alembic",
    "project",
    "test_a_rollback_is_rehearsed_and_done",
    "test_a_saved_database_is_the_same_elsewhere",
    "test_nothing_differs",
    "test_the_host_was_there_before",
    "test_the_plugin_s_database_has_both_tracks",
    "track",
]

Alembic = Callable[..., None]


@pytest.fixture
def project(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    """A copy of the host's project, to write revisions into."""
    left_out = shutil.ignore_patterns("__pycache__")
    return Path(shutil.copytree(request.path.parent, tmp_path / "project", ignore=left_out))


@pytest.fixture
def track(request: pytest.FixtureRequest) -> Track:
    return track_of(request.path.parent)


def track_of(project: Path) -> Track:
    found = host_track(project)
    assert found is not None
    return found


@pytest.fixture
def alembic() -> Alembic:
    """Alembic's own commands, such as `check`, as the host runs them without us."""

    def run(track: Track, url: str, name: str, *arguments: object) -> None:
        config = track.config(None)
        driven = sa.make_url(url).set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
        config.set_main_option("sqlalchemy.url", driven.replace("%", "%%"))
        getattr(command, name)(config, *arguments)

    return run


def test_the_host_was_there_before(project: Path, alembic: Alembic, pgauthkit_empty_url: str) -> None:
    """A host's tables were there; ours come beside them, and then its own autogenerate writes what leads to users."""
    (project / "migrations" / "versions" / "two.py").unlink()  # with which its users become ours
    track = track_of(project)
    alembic(track, pgauthkit_empty_url, "upgrade", "head")
    with pytest.raises(Exception, match="author_id"):
        alembic(track, pgauthkit_empty_url, "check")
    assert migrate.deploy(pgauthkit_empty_url, host=track).applied == bundled_revisions()
    made = new_revision(pgauthkit_empty_url, track, "Two")
    assert made is not None
    text = made.read_text()
    assert "op.add_column('users', sa.Column('nickname'" in text
    assert "author_id" in text
    assert "pgauthkit_kind" not in text
    assert "magic_links" not in text
    migrate.deploy(pgauthkit_empty_url, host=track)
    assert new_revision(pgauthkit_empty_url, track, "Nothing") is None
    alembic(track, pgauthkit_empty_url, "check")
    assert find_drift(pgauthkit_empty_url, host=track) == ()
    alembic(track, pgauthkit_empty_url, "revision", "Theirs", True)
    (theirs,) = (project / "migrations" / "versions").glob("*_theirs.py")
    assert "op." not in theirs.read_text().partition("def upgrade")[2]


def test_the_plugin_s_database_has_both_tracks(track: Track, pgauthkit_url: str) -> None:
    """The fixtures' database has our revisions and the host's, which are all that there are."""
    found = migrate.status(pgauthkit_url, host=track)
    assert found.in_sync
    assert found.host is not None
    assert [found.host.heads] == [tuple(ScriptDirectory.from_config(track.config(None)).get_heads())]


def test_nothing_differs(track: Track, alembic: Alembic, pgauthkit_url: str) -> None:
    """The host's own `alembic check`, our drift and the doctor find nothing; of a lost column, check and drift tell."""
    alembic(track, pgauthkit_url, "check")
    assert find_drift(pgauthkit_url, host=track) == ()
    levels = {one.check: one.level for one in doctor.examine(doctor.SetUp(url=pgauthkit_url, host=track)).findings}
    assert {levels[name] for name in ("revisions", "drift", "columns")} == {"ok"}
    tell(pgauthkit_url, "ALTER TABLE pgauthkit.users DROP nickname")
    with pytest.raises(Exception, match="nickname"):
        alembic(track, pgauthkit_url, "check")
    assert [one.name for one in find_drift(pgauthkit_url, host=track)] == ["pgauthkit.users.nickname"]


def test_a_rollback_is_rehearsed_and_done(track: Track, pgauthkit_url: str) -> None:
    """The host's revisions go down and up again on a copy, and then here; ours stay where they are."""
    rehearsed = migrate.rehearse_rollback(pgauthkit_url, host=track)
    assert (rehearsed.down.undone, rehearsed.up.host) == (("two",), ("two",))
    assert migrate.rollback(pgauthkit_url, "base", host=track).undone == ("two", "one")
    done = migrate.deploy(pgauthkit_url, host=track)
    assert (done.applied, done.host) == ((), ("one", "two"))


def test_a_saved_database_is_the_same_elsewhere(
    track: Track, pgauthkit_url: str, pgauthkit_empty_url: str, tmp_path: Path
) -> None:
    """A backup has the rows of users with the host's columns; restored elsewhere, nothing differs."""
    tell(pgauthkit_url, "INSERT INTO pgauthkit.users (id, email, nickname) VALUES ('c1', 'ada@example.com', 'Ada')")
    saved = backup.backup(pgauthkit_url, directory=tmp_path, host=track)
    restore.restore(saved.file, pgauthkit_empty_url, host=track)
    assert tell(pgauthkit_empty_url, "SELECT nickname FROM pgauthkit.users") == [("Ada",)]
    assert find_drift(pgauthkit_empty_url, host=track) == ()


def tell(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement, and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
