"""`pgauthkit migrate`: what it prints, and with which exit code it ends."""

from __future__ import annotations

import io
import json
import os
from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from click.testing import CliRunner, Result

from pgauthkit.cli import main
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.server.connection import engine_for
from pgauthkit.ops.server.lock import migration_lock

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Blog

HEAD = bundled_revisions()[-1]


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with no URL in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def migrate(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["migrate", *arguments], env=environment)


class TestDeploy:
    def test_applies(self, pgauthkit_empty_url: str) -> None:
        """What was applied is told, and the exit code is 0."""
        result = migrate("deploy", "--url", pgauthkit_empty_url)

        assert result.exit_code == 0
        assert result.stdout.startswith(f"Applied {', '.join(bundled_revisions())} in ")
        assert status(pgauthkit_empty_url).in_sync

    def test_nothing_to_do(self, pgauthkit_empty_url: str) -> None:
        """The second time there is nothing to do, and the exit code is 0 as well."""
        deploy(pgauthkit_empty_url)

        result = migrate("deploy", DATABASE_URL=pgauthkit_empty_url)

        assert result.exit_code == 0
        assert f"Nothing to do. The database is at {HEAD}.\n" == result.stdout

    def test_json(self, pgauthkit_empty_url: str) -> None:
        """For programs there is JSON, with the duration in seconds."""
        values = json.loads(migrate("deploy", "--json", DIRECT_URL=pgauthkit_empty_url).stdout)

        assert 0 < values.pop("duration") < 60
        assert {"applied": list(bundled_revisions()), "head": HEAD, "host": [], "edited": [], "backup": None} == values

    def test_backup(self, pgauthkit_empty_url: str) -> None:
        """With `--backup` a backup is made first."""
        result = migrate("deploy", "--backup", "--backup-dir", "kept", "--url", pgauthkit_empty_url)

        assert result.exit_code == 0
        assert result.stdout.startswith("Saved kept/")

    def test_locked(self, pgauthkit_empty_url: str) -> None:
        """Another deployer that is not done in time is an error that says who, and exit code 1."""
        with migration_lock(engine_for(pgauthkit_empty_url)):
            result = migrate("deploy", "--lock-timeout", "0.1", DATABASE_URL=pgauthkit_empty_url)

        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith("Error: Another process is migrating this database: pid ")

    def test_no_url(self) -> None:
        """Without a URL the command was used wrongly: exit code 2."""
        result = migrate("deploy")

        assert result.exit_code == 2
        assert "There is no database URL" in result.stderr


class TestStatus:
    def test_pending(self, pgauthkit_empty_url: str) -> None:
        """On an empty database everything is pending: exit code 1."""
        result = migrate("status", "--url", pgauthkit_empty_url)

        assert result.exit_code == 1
        assert result.stdout.startswith("pgauthkit is at nothing yet.\n  pending 0001: Users, magic links, sessions")

    def test_in_sync(self, pgauthkit_empty_url: str) -> None:
        """After a deployment the database is in sync: exit code 0."""
        deploy(pgauthkit_empty_url)

        result = migrate("status", "--url", pgauthkit_empty_url)

        assert result.exit_code == 0
        assert f"In sync. pgauthkit is at {HEAD}.\n" == result.stdout

    def test_ahead(self, pgauthkit_empty_url: str) -> None:
        """A database that a newer release has migrated is told as such: exit code 1."""
        deploy(pgauthkit_empty_url)
        with engine_for(pgauthkit_empty_url).begin() as connection:
            connection.execute(sa.text("UPDATE pgauthkit.alembic_version SET version_num = '[bold]'"))

        result = migrate("status", "--url", pgauthkit_empty_url)

        assert result.exit_code == 1
        assert f"Ahead. pgauthkit is at [bold], which these files, at {HEAD}, do not know.\n" == result.stdout

    def test_json(self, pgauthkit_empty_url: str) -> None:
        """For programs there is JSON, with the same exit code."""
        result = migrate("status", "--json", "--url", pgauthkit_empty_url)

        values = json.loads(result.stdout)
        (track,) = values.pop("tracks")
        assert {"current": None, "head": HEAD, "pending": list(bundled_revisions()), "in_sync": False} == values
        assert (track["name"], track["ahead"], track["diverged"]) == ("bundled", False, False)
        assert [(one["id"], one["state"], one["duration"]) for one in track["revisions"]] == [
            (revision, "pending", None) for revision in bundled_revisions()
        ]
        assert result.exit_code == 1


class TestApplication:
    def test_both_tracks(self, new_blog: Blog) -> None:
        """An application's revisions are deployed after ours, and told beside them."""
        new_blog.migrate("deploy")
        new_blog.migrate("new", "-m", "Add posts")
        (path,) = (new_blog.path / "migrations" / "versions").glob("*.py")
        id_ = path.name.split("_")[1]

        before, done, after = new_blog.migrate("status"), new_blog.migrate("deploy"), new_blog.migrate("status")
        again = new_blog.migrate("deploy")

        assert before.stdout.endswith(f"The application is at nothing yet.\n  pending {id_}: Add posts.\n")
        assert done.stdout.startswith(f"Applied {id_} in ")
        assert done.stdout.endswith(f"The database is at {id_}.\n")
        assert again.stdout.endswith(f"The database is at {HEAD}, and has every migration of the application.\n")
        assert after.stdout == f"In sync. pgauthkit is at {HEAD}.\nIn sync. The application is at {id_}.\n"

    def test_several_heads(self, new_blog: Blog) -> None:
        """Where two branches have added a revision each, the database is at both."""
        new_blog.migrate("dev", "-m", "Add posts")
        (path,) = (new_blog.path / "migrations" / "versions").glob("*.py")
        id_ = path.name.split("_")[1]
        head = f'revision = "NAME"\ndown_revision = "{id_}"\n\ndef upgrade() -> None:\n    pass\n'
        for name in ("left", "right"):
            path.with_name(f"{name}.py").write_text(f'"""One branch."""\n{head}'.replace("NAME", name))

        assert new_blog.migrate("deploy").stdout.endswith("The database is at left, right.\n")

    def test_every_state(self, new_blog: Blog) -> None:
        """Diverged, missing, edited, failed, interrupted and pending are each told with what it means."""
        new_blog.migrate("dev", "-m", "Add posts")
        (path,) = (new_blog.path / "migrations" / "versions").glob("*.py")
        id_ = path.name.split("_")[1]
        for name in ("aaa", "bbb", "ccc"):
            path.with_name(f"{name}.py").write_text(path.read_text().replace(id_, name).replace("None", repr(id_), 1))
        path.write_text(path.read_text().replace("'title'", "'heading'"))
        entry = "INSERT INTO pgauthkit.migration_ledger (track, revision, checksum, how, started_at, sqlstate) VALUES"
        with engine_for(new_blog.url).begin() as connection:
            connection.execute(sa.text(f"{entry} ('host', 'aaa', '', 'run', now(), '23505')"))
            connection.execute(sa.text(f"{entry} ('host', 'bbb', '', 'run', now(), NULL)"))
            connection.execute(sa.text("INSERT INTO alembic_version VALUES ('gone')"))

        result = new_blog.migrate("status")

        assert "Diverged. The application is at " in result.stdout
        for line in (
            f"edited {id_}: its file was changed",
            "failed aaa: the server refused it (SQLSTATE 23505)",
            "interrupted bbb: its deployer was ended in the middle",
            "pending ccc: Add posts.",
            "missing gone: it was applied, and has no file",
        ):
            assert f"  {line}" in result.stdout

    def test_edited(self, new_blog: Blog, caplog: pytest.LogCaptureFixture) -> None:
        """An edited revision is one warning of a deployment, and an error of a strict one."""
        new_blog.migrate("dev", "-m", "Add posts")
        (path,) = (new_blog.path / "migrations" / "versions").glob("*.py")
        path.write_text(path.read_text().replace("'title'", "'heading'"))

        lenient, strict = new_blog.migrate("deploy"), new_blog.migrate("deploy", "--strict")

        assert caplog.text.count("was changed after it had been applied") == 1
        assert "was changed after it had been applied" not in lenient.output
        assert (lenient.exit_code, strict.exit_code) == (0, 1)

    def test_existing_alembic(self, new_blog: Blog) -> None:
        """An `alembic.ini` in the working directory is used as it is, below the pyproject.toml of a whole."""
        part = new_blog.path / "backend"
        part.mkdir()
        os.chdir(part)
        (new_blog.path / "pyproject.toml").write_text("")
        command.init(Config(part / "alembic.ini", stdout=io.StringIO()), str(part / "alembic"))

        result = new_blog.migrate("status")

        assert result.stdout.endswith("In sync. The application is at nothing yet.\n")


COMMANDS = ["deploy", "status", "init", "new", "dev", "sql", "rollback", "resolve", "drift", "reset", "adopt-prisma"]


@pytest.mark.parametrize("command", [[], *([name] for name in COMMANDS)])
def test_help(command: list[str]) -> None:
    """Every help text has an example."""
    result = migrate(*command, "--help")

    assert result.exit_code == 0
    assert "Example: " in result.stdout
