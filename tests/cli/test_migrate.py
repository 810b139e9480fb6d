"""`pgauthkit migrate`: what it prints, and with which exit code it ends."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa
from click.testing import CliRunner, Result

from pgauthkit.cli import main
from pgauthkit.ops.connection import engine_for
from pgauthkit.ops.lock import migration_lock
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.revisions import bundled_revisions

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
        assert {"applied": list(bundled_revisions()), "head": HEAD} == values

    def test_locked(self, pgauthkit_empty_url: str) -> None:
        """Another deployer that is not done in time is an error that says who, and exit code 1."""
        with migration_lock(engine_for(pgauthkit_empty_url)):
            result = migrate("deploy", "--lock-timeout", "0.1", DATABASE_URL=pgauthkit_empty_url)

        assert result.exit_code == 1
        assert result.stdout == ""
        assert result.stderr.startswith("error: Another process is migrating this database: pid ")

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
        assert f"Pending: {', '.join(bundled_revisions())}. The database is at nothing yet.\n" == result.stdout

    def test_in_sync(self, pgauthkit_empty_url: str) -> None:
        """After a deployment the database is in sync: exit code 0."""
        deploy(pgauthkit_empty_url)

        result = migrate("status", "--url", pgauthkit_empty_url)

        assert result.exit_code == 0
        assert f"In sync. The database is at {HEAD}.\n" == result.stdout

    def test_ahead(self, pgauthkit_empty_url: str) -> None:
        """A database that a newer release has migrated is told as such: exit code 1."""
        deploy(pgauthkit_empty_url)
        with engine_for(pgauthkit_empty_url).begin() as connection:
            connection.execute(sa.text("UPDATE pgauthkit.alembic_version SET version_num = '[bold]'"))

        result = migrate("status", "--url", pgauthkit_empty_url)

        assert result.exit_code == 1
        assert f"Ahead. The database is at [bold], which this release, at {HEAD}, does not know.\n" == result.stdout

    def test_json(self, pgauthkit_empty_url: str) -> None:
        """For programs there is JSON, with the same exit code."""
        result = migrate("status", "--json", "--url", pgauthkit_empty_url)

        expected = {"current": None, "head": HEAD, "pending": list(bundled_revisions()), "in_sync": False}
        assert expected == json.loads(result.stdout)
        assert result.exit_code == 1


@pytest.mark.parametrize("command", [[], ["deploy"], ["status"]])
def test_help(command: list[str]) -> None:
    """Every help text has an example."""
    result = migrate(*command, "--help")

    assert result.exit_code == 0
    assert "Example: " in result.stdout
