"""The application's track beside ours: deployed after it, and told of, whichever way its Alembic was set up."""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic import command

from pgauthkit.errors import ConfigError, EditedMigrationError, MigrationError, MigrationLockedError
from pgauthkit.ops.migrate import deploy, new_revision, status
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.revisions.ledger import read_ledger
from pgauthkit.ops.revisions.tracks import BUNDLED, Track, host_track
from pgauthkit.ops.server.lock import one_in_this_process

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.migrate.conftest import Project

    from pgauthkit.ops.revisions.diagnosis import RevisionStatus, TrackStatus


@pytest.fixture(params=["project", "alembic_project", "async_project"])
def any_project(request: pytest.FixtureRequest) -> Project:
    """Each of the kinds of application."""
    found: Project = request.getfixturevalue(request.param)
    return found


def host_status(url: str, track: Track) -> TrackStatus:
    found = status(url, host=track).host
    assert found is not None
    return found


def only(found: TrackStatus, revision: str) -> RevisionStatus:
    return next(one for one in found.revisions if one.id == revision)


class TestDeploy:
    def test_ours_first(self, any_project: Project, pgauthkit_empty_url: str) -> None:
        """A deployment applies our revisions, then the application's; the second time there is nothing to do."""
        any_project.posts()
        any_project.index()

        done = deploy(pgauthkit_empty_url, host=any_project.track)

        assert bundled_revisions() == done.applied
        assert done.host == ("posts1", "index2")
        assert status(pgauthkit_empty_url, host=any_project.track).in_sync
        assert deploy(pgauthkit_empty_url, host=any_project.track).host == ()

    def test_alone(self, alembic_project: Project, pgauthkit_url: str) -> None:
        """What plain Alembic has applied is found, and recorded by the next deployment that has something to do."""
        alembic_project.posts()
        engine = sa.create_engine(pgauthkit_url)
        with engine.connect() as connection:
            command.upgrade(alembic_project.track.config(connection), "head")
        engine.dispose()
        before = host_status(pgauthkit_url, alembic_project.track)
        alembic_project.index()
        deploy(pgauthkit_url, host=alembic_project.track)
        after = host_status(pgauthkit_url, alembic_project.track)

        assert [one.how for one in before.revisions] == [None]
        assert [one.how for one in after.revisions] == ["found", "run"]

    def test_undone_by_plain_alembic(self, project: Project, pgauthkit_url: str) -> None:
        """What plain Alembic has undone is pending, whatever the ledger says, and goes up again."""
        project.posts()
        deploy(pgauthkit_url, host=project.track)
        engine = sa.create_engine(pgauthkit_url)
        with engine.connect() as connection:
            command.downgrade(project.track.config(connection), "base")
        engine.dispose()

        assert host_status(pgauthkit_url, project.track).pending == ("posts1",)
        assert deploy(pgauthkit_url, host=project.track).host == ("posts1",)

    def test_refused(self, any_project: Project, pgauthkit_url: str) -> None:
        """A revision that the server refuses is named, and leaves nothing behind."""
        any_project.write("bad", None, "CREATE TABLE public.half (); SELECT 1/0")

        with pytest.raises(MigrationError, match=r"Revision bad failed: division by zero \(SQLSTATE 22012\)"):
            deploy(pgauthkit_url, host=any_project.track)

        engine = sa.create_engine(pgauthkit_url)
        assert not sa.inspect(engine).has_table("half")
        engine.dispose()
        assert host_status(pgauthkit_url, any_project.track).in_state("pending") == ("bad",)

    @pytest.mark.parametrize("autocommit", [False, True])
    def test_extension_that_is_not_there(self, project: Project, pgauthkit_url: str, *, autocommit: bool) -> None:
        """Where the server lacks an extension, the ways to one that has it are said."""
        project.write("a1", None, 'CREATE EXTENSION "uuid-ossp"', autocommit=autocommit)

        with pytest.raises(MigrationError, match=r"is not available.*PGAUTHKIT_PG_BIN.*container"):
            deploy(pgauthkit_url, host=project.track)

    def test_branches(self, project: Project, pgauthkit_url: str) -> None:
        """Two heads and their merge are deployed in an order in which each follows its parents."""
        project.posts()
        project.write("left", "posts1", "ALTER TABLE public.posts ADD COLUMN a int")
        project.write("right", "posts1", "ALTER TABLE public.posts ADD COLUMN b int")
        deploy(pgauthkit_url, host=project.track)
        assert host_status(pgauthkit_url, project.track).heads == ("left", "right")

        project.write("merge", None, "pass")
        path = project.versions / "merge.py"
        path.write_text(path.read_text().replace("down_revision = None", "down_revision = ('left', 'right')"))

        assert deploy(pgauthkit_url, host=project.track).host == ("merge",)
        assert host_status(pgauthkit_url, project.track).current == ("merge",)

    def test_logging(self, alembic_project: Project, pgauthkit_url: str) -> None:
        """The application's logging survives the template's `fileConfig`, which silences every logger."""
        alembic_project.posts()
        logger = logging.getLogger("blog.views")
        level, handlers = logging.root.level, logging.root.handlers[:]

        deploy(pgauthkit_url, host=alembic_project.track)

        assert not logger.disabled
        assert (level, handlers) == (logging.root.level, logging.root.handlers)

    def test_settings_of_its_own_connection(self, alembic_project: Project, pgauthkit_url: str) -> None:
        """An env.py that connects on its own gets our name and timeouts on that connection."""
        alembic_project.write(
            "seen", None, "CREATE TABLE public.seen AS SELECT name, setting FROM pg_settings WHERE name ~ '^lock_time'"
        )

        deploy(pgauthkit_url, host=alembic_project.track)

        engine = sa.create_engine(pgauthkit_url)
        with engine.connect() as connection:
            assert connection.execute(sa.text("SELECT * FROM public.seen")).one() == ("lock_timeout", "5000")
        engine.dispose()

    def test_thread(self) -> None:
        """While another thread uses Alembic, whoever asks waits for it, and not for ever."""
        with one_in_this_process(), pytest.raises(MigrationLockedError) as caught:
            one_in_this_process(timeout=timedelta(0)).__enter__()

        assert caught.value.holder == "another thread of this process"


class TestStates:
    def test_ledger(self, project: Project, pgauthkit_url: str) -> None:
        """The ledger knows when a revision was applied, by whom, and how long it took."""
        project.write("nap", None, "SELECT pg_sleep(0.01)")
        deploy(pgauthkit_url, host=project.track)

        found = only(host_status(pgauthkit_url, project.track), "nap")

        assert (found.state, found.how, found.title) == ("applied", "run", "Revision nap.")
        assert found.applied_by == sa.make_url(pgauthkit_url).username
        assert found.applied_at is not None
        assert found.duration is not None
        assert found.duration.total_seconds() >= 0.01

    def test_edited(self, project: Project, pgauthkit_url: str, caplog: pytest.LogCaptureFixture) -> None:
        """A file whose meaning was changed after it had been applied is told: a warning, or an error if wanted."""
        path = project.posts()
        deploy(pgauthkit_url, host=project.track)
        path.write_text(
            f"# a comment\n{path.read_text()}".replace("'", '"').replace("op.execute(", "op.execute(\n    ")
        )
        assert status(pgauthkit_url, host=project.track).in_sync
        path.write_text(path.read_text().replace("title text", "title varchar"))

        done = deploy(pgauthkit_url, host=project.track)

        assert not status(pgauthkit_url, host=project.track).in_sync
        assert done.edited == ("posts1",)
        project.write("after", "posts1", "pass")
        deploy(pgauthkit_url, host=project.track)
        assert caplog.text.count("posts1 was changed after it had been applied") == 2  # once for each deployment
        with pytest.raises(EditedMigrationError, match="resolve --applied posts1"):
            deploy(pgauthkit_url, host=project.track, strict=True)

    def test_missing(self, project: Project, pgauthkit_url: str) -> None:
        """A revision whose file is gone is missing; deployments go on where the later ones do not need it."""
        project.posts()
        deploy(pgauthkit_url, host=project.track)
        (project.versions / "posts1.py").unlink()

        found = host_status(pgauthkit_url, project.track)

        assert found.in_state("missing") == ("posts1",)
        assert found.is_ahead
        with pytest.raises(MigrationError, match="posts1, which is not among the application's files"):
            deploy(pgauthkit_url, host=project.track)

    def test_diverged(self, project: Project, pgauthkit_url: str) -> None:
        """A database with another history than the files is diverged, and what it lacks is known from the ledger."""
        project.posts()
        project.write("theirs", "posts1", "pass")
        deploy(pgauthkit_url, host=project.track)
        (project.versions / "theirs.py").unlink()
        project.write("mine", "posts1", "pass")

        found = host_status(pgauthkit_url, project.track)

        assert found.is_diverged
        assert not found.is_ahead
        assert (found.in_state("missing"), found.pending) == (("theirs",), ("mine",))

    def test_merged_history(self, project: Project, pgauthkit_url: str) -> None:
        """Where old revisions were made into one, the ledger's old ones are missing, and nothing is in the way."""
        project.posts()
        project.write("later", "posts1", "pass")
        deploy(pgauthkit_url, host=project.track)
        (project.versions / "posts1.py").unlink()
        project.write("later", None, "pass")

        found = host_status(pgauthkit_url, project.track)

        assert found.unknown == ()
        assert (found.in_state("missing"), found.in_state("edited")) == (("posts1",), ("later",))


class TestTrack:
    def test_none(self, tmp_path: Path) -> None:
        """A directory without migrations has no track."""
        assert host_track(tmp_path) is None

    def test_no_folder(self, tmp_path: Path) -> None:
        """A folder that was never made is an error that says how to make it."""
        with pytest.raises(ConfigError, match="migrate init"):
            host_track(tmp_path, "migrations")

    @pytest.mark.parametrize("wrong", ["import nothing_there", "def"])
    def test_files_that_cannot_be_loaded(self, project: Project, pgauthkit_url: str, wrong: str) -> None:
        """An env.py or a revision that cannot be loaded is an error that says why."""
        path = project.posts()
        before = path.read_text()
        path.write_text(f"{before}\n{wrong}\n")
        with pytest.raises(MigrationError, match=r"A revision cannot be loaded: (ModuleNotFound|Syntax)Error"):
            status(pgauthkit_url, host=project.track)
        path.write_text(before)
        (project.path / "migrations" / "env.py").write_text(wrong)

        with pytest.raises(MigrationError, match=r"env.py of the application cannot be loaded: \w+Error"):
            status(pgauthkit_url, host=project.track)

    def test_files_that_do_not_fit_together(self, project: Project, pgauthkit_url: str) -> None:
        """Two files of one revision, and one that follows a file that is not there, are errors that name it."""
        path = project.posts()
        twin = path.with_name("twin.py")
        twin.write_text(path.read_text())
        with pytest.raises(MigrationError, match=r"Two files have the revision posts1: give one of them another\."):
            status(pgauthkit_url, host=project.track)
        twin.unlink()
        project.write("after", "gone", "pass")

        with pytest.raises(MigrationError, match="No file has the revision gone, which another follows"):
            status(pgauthkit_url, host=project.track)

    def test_two_ends(self, project: Project, pgauthkit_url: str) -> None:
        """Where two branches have added a migration each, a third one is refused, with what to do."""
        project.posts()
        project.write("one", "posts1", "pass")
        project.write("two", "posts1", "pass")
        deploy(pgauthkit_url, host=project.track)

        with pytest.raises(MigrationError, match=r"several ends, one and two, .* Nothing was written\."):
            new_revision(pgauthkit_url, project.track, "Three", empty=True)

    def test_dependencies(self, project: Project) -> None:
        """A revision that depends on another has it among its parents."""
        project.posts()
        path = project.write("other", None, "pass")
        path.write_text(f"{path.read_text()}\ndepends_on = 'posts1'\nbranch_labels = ('other_branch',)\n")

        assert project.track.applied(["other"]) == {"other", "posts1"}

    def test_no_ledger(self, pgauthkit_empty_url: str) -> None:
        """A database without our schema has an empty ledger."""
        engine = sa.create_engine(pgauthkit_empty_url)
        with engine.connect() as connection:
            assert read_ledger(connection, BUNDLED.name) == {}
        engine.dispose()
