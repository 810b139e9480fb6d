"""Rolling back: what it would cost, first in words, and the way down and up again."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest

from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.migrate.rehearsal import rehearse_rollback
from pgauthkit.ops.migrate.rollback import Loss, plan_rollback, rollback
from pgauthkit.ops.restore import restore
from pgauthkit.ops.revisions.bundled import bundled_revisions

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.migrate.conftest import Project


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


@pytest.fixture
def deployed(project: Project, pgauthkit_url: str) -> Project:
    """Three revisions: a table, a column, an index."""
    project.posts()
    add, drop = "ALTER TABLE public.posts ADD COLUMN note text", "ALTER TABLE public.posts DROP COLUMN note"
    project.write("note2", "posts1", add, drop)
    project.write("gone3", "note2", "pass", "DROP TABLE IF EXISTS public.never_there")
    deploy(pgauthkit_url, host=project.track)
    run(
        pgauthkit_url,
        "INSERT INTO public.posts SELECT n, 'x', CASE WHEN n < 3 THEN 'y' END FROM generate_series(1, 5) n",
    )
    return project


def test_last(deployed: Project, pgauthkit_url: str) -> None:
    """By default the application's last revision is undone, which is then pending again."""
    done = rollback(pgauthkit_url, host=deployed.track)

    assert (done.track, done.undone) == ("host", ("gone3",))
    found = status(pgauthkit_url, host=deployed.track).host
    assert found is not None
    assert found.pending == ("gone3",)
    assert deploy(pgauthkit_url, host=deployed.track).host == ("gone3",)


@pytest.mark.parametrize(
    ("to", "undone"),
    [("-2", ("gone3", "note2")), ("posts1", ("gone3", "note2")), ("base", ("gone3", "note2", "posts1"))],
)
def test_how_far(deployed: Project, pgauthkit_url: str, to: str, undone: tuple[str, ...]) -> None:
    """It goes down by a number, to a revision, or to nothing; the plan says the same."""
    assert undone == plan_rollback(pgauthkit_url, to, host=deployed.track).revisions
    assert undone == rollback(pgauthkit_url, to, host=deployed.track).undone


def test_losses(deployed: Project, pgauthkit_url: str) -> None:
    """The plan counts the rows of dropped tables, and the values of dropped columns."""
    plan = plan_rollback(pgauthkit_url, "base", host=deployed.track)

    assert plan.losses == (Loss(what="public.posts", rows=5), Loss(what="public.posts.note", rows=2))
    assert plan.sql.index("DROP COLUMN note") < plan.sql.index("DROP TABLE public.posts")


def test_data_kept(deployed: Project, pgauthkit_url: str) -> None:
    """What a revision did not make survives its way down and up."""
    rollback(pgauthkit_url, "-2", host=deployed.track)
    deploy(pgauthkit_url, host=deployed.track)

    with psycopg.connect(pgauthkit_url) as connection:
        assert connection.execute("SELECT count(*), count(note) FROM public.posts").fetchone() == (5, 0)


def test_ours(pgauthkit_url: str) -> None:
    """Without an application ours go down, with a count of the users that are lost, and up again."""
    run(pgauthkit_url, "INSERT INTO pgauthkit.users (id, email) VALUES ('a', 'a@example.com')")
    plan = plan_rollback(pgauthkit_url, "base")

    done = rollback(pgauthkit_url, "base")

    assert {*plan.losses} == {Loss(what=f"pgauthkit.users{of}", rows=1) for of in ("", ".pgauthkit_kind")}
    assert (done.track, done.undone) == ("bundled", plan.revisions)
    with psycopg.connect(pgauthkit_url) as connection:
        assert connection.execute("SELECT count(*) FROM pgauthkit.migration_ledger").fetchone() == (0,)
    assert deploy(pgauthkit_url).applied


def test_host_in_the_way(project: Project, pgauthkit_url: str) -> None:
    """Ours do not go down while a foreign key of the application points at them."""
    run(pgauthkit_url, "CREATE TABLE public.posts (author text REFERENCES pgauthkit.users)")

    with pytest.raises(MigrationError, match="other objects depend on it"):
        rollback(pgauthkit_url, "base", host=project.track)


def test_needs_a_database(project: Project, pgauthkit_url: str) -> None:
    """A way down that asks the database cannot be shown, and can be gone."""
    path = project.write("asks", None, "pass", "SELECT 1")
    path.write_text(
        path.read_text().replace("op.execute('SELECT 1')", "op.get_bind().execute(sa.text('SELECT 1')).scalar_one()")
    )
    deploy(pgauthkit_url, host=project.track)

    plan = plan_rollback(pgauthkit_url, host=project.track)

    assert (plan.revisions, plan.sql, plan.losses) == (("asks",), "", ())
    assert rollback(pgauthkit_url, host=project.track).undone == ("asks",)


class TestBackup:
    def test_made_first(self, deployed: Project, pgauthkit_url: str, pgauthkit_empty_url: str) -> None:
        """Before anything is undone a backup is made, from which all that was lost comes back."""
        done = rollback(pgauthkit_url, "base", host=deployed.track, backup_to=deployed.path / "backups")

        assert done.backup is not None
        restored = restore(done.backup, pgauthkit_empty_url, host=deployed.track)
        assert (restored.discrepancies, restored.after["public.posts"]) == ((), 5)
        assert status(pgauthkit_empty_url, host=deployed.track).in_sync

    def test_not_for_nothing(self, pgauthkit_empty_url: str, tmp_path: Path) -> None:
        """Where there is nothing to undo no backup is made."""
        with pytest.raises(MigrationError, match="nothing to undo"):
            rollback(pgauthkit_empty_url, backup_to=tmp_path / "backups")

        assert not (tmp_path / "backups").exists()


class TestRehearsal:
    def test_down_and_up(self, deployed: Project, somebodys_url: str) -> None:
        """On a copy, with all rows, the revisions go down and up; the database stays, and the copy does not."""
        done = rehearse_rollback(somebodys_url, "base", host=deployed.track)

        assert (done.down.undone, done.up.host) == (("gone3", "note2", "posts1"), ("posts1", "note2", "gone3"))
        in_the_ledger, in_the_version_tables = 3 + len(bundled_revisions()), 2
        assert done.rows == 5 + in_the_ledger + in_the_version_tables
        assert status(somebodys_url, host=deployed.track).in_sync

    def test_way_down_that_fails(self, project: Project, pgauthkit_url: str, somebodys_url: str) -> None:
        """A way down that fails is found out on the copy, which is dropped all the same."""
        project.write("bad", None, "pass", "SELECT 1/0")
        deploy(pgauthkit_url, host=project.track)

        with pytest.raises(MigrationError, match=r"On a copy .*Undoing revision bad failed.*22012.*was not touched"):
            rehearse_rollback(somebodys_url, host=project.track)

        assert status(pgauthkit_url, host=project.track).in_sync


def test_several_at_once(deployed: Project, pgauthkit_url: str) -> None:
    """All tables and columns of a statement are counted, and what is not there is no loss."""
    down = "DROP TABLE public.posts, IF EXISTS public.never_there; ALTER TABLE public.posts DROP COLUMN id, DROP note"
    deployed.write("many4", "gone3", "pass", down.replace(", DROP note", ', DROP COLUMN IF EXISTS "note"'))
    deploy(pgauthkit_url, host=deployed.track)

    assert plan_rollback(pgauthkit_url, host=deployed.track).losses == (
        Loss(what="public.posts", rows=5),
        Loss(what="public.posts.id", rows=5),
        Loss(what='public.posts."note"', rows=2),
    )


class TestRefused:
    def test_nothing(self, pgauthkit_empty_url: str) -> None:
        """Where nothing is applied there is nothing to undo."""
        with pytest.raises(MigrationError, match="nothing to undo"):
            rollback(pgauthkit_empty_url)

    @pytest.mark.parametrize("to", ["nowhere", "-0", "--help"])
    def test_unknown(self, pgauthkit_url: str, to: str) -> None:
        """A revision that is not applied is no way back."""
        with pytest.raises(MigrationError, match="is not applied"):
            rollback(pgauthkit_url, to)

    @pytest.mark.parametrize(("kept", "sentence"), [("gone3", "Only 3 are applied"), ("posts1", "Only 1 is applied")])
    def test_more_than_there_are(self, kept: str, sentence: str, deployed: Project, pgauthkit_url: str) -> None:
        """More revisions than are applied are not taken for all of them; the plan says the same."""
        if kept != "gone3":
            rollback(pgauthkit_url, kept, host=deployed.track)

        for ask in (plan_rollback, rollback):
            with pytest.raises(MigrationError, match=sentence):
                ask(pgauthkit_url, "-5", host=deployed.track)
        assert plan_rollback(pgauthkit_url, host=deployed.track).revisions == (kept,)

    def test_pending(self, deployed: Project, pgauthkit_url: str) -> None:
        """A revision that exists, and is not applied, is no way back either."""
        deployed.write("pending4", "gone3", "pass")

        with pytest.raises(MigrationError, match="pending4 is not applied"):
            rollback(pgauthkit_url, "pending4", host=deployed.track)

    def test_no_file(self, project: Project, pgauthkit_url: str) -> None:
        """What has no file cannot be undone."""
        project.posts().rename(project.path / "kept")
        path = project.posts()
        deploy(pgauthkit_url, host=project.track)
        path.unlink()

        with pytest.raises(MigrationError, match="posts1 has no file here"):
            rollback(pgauthkit_url, host=project.track)
