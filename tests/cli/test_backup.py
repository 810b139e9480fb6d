"""`pgauthkit backup`: what it writes, prints and schedules, and with which exit code it ends."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner, Result
from rich.console import Console

from pgauthkit.cli import main, meter
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.revisions.bundled import bundled_revisions

if TYPE_CHECKING:
    from collections.abc import Sequence


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with no URL in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)


def backup(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["backup", *arguments], env=environment)


def written() -> Sequence[Path]:
    return sorted(Path("backups").glob("*.dump"))


def test_writes(pgauthkit_url: str) -> None:
    """The file, its size and its rows are told; it is in `backups`."""
    result = backup("--url", pgauthkit_url)

    (file,) = written()
    assert result.exit_code == 0
    rows = 1 + len(bundled_revisions())  # which revision it is at, and when each was applied
    assert result.stdout.startswith(f"Backed up {file}: {file.stat().st_size:,} bytes, {rows} rows, ")


def test_keeps(pgauthkit_url: str) -> None:
    """What need not be kept any longer is deleted, and told."""
    backup(DATABASE_URL=pgauthkit_url)
    (first,) = written()

    result = backup("--keep", "1", "--keep-days", "0", DATABASE_URL=pgauthkit_url)

    assert f"Deleted {first}.\n" in result.stdout
    assert len(written()) == 1


def test_json(pgauthkit_url: str) -> None:
    """For programs there is one object: the file, its manifest, what was deleted, and seconds."""
    result = backup("--json", "--schema-only", "--format", "plain", "--dir", "here", DIRECT_URL=pgauthkit_url)

    values = json.loads(result.stdout)
    said = Manifest.read(Path(values["file"]))
    assert said is not None
    assert (values["manifest"]["sha256"], values["deleted"]) == (said.sha256, [])
    assert (said.format, said.schema_only, Path(values["file"]).parent) == ("plain", True, Path("here"))
    assert values["duration"] > 0
    assert not result.stderr


def test_schema_only(pgauthkit_url: str) -> None:
    """That a dump has no rows is told."""
    assert " schema only, " in backup("--schema-only", "--url", pgauthkit_url).stdout


def test_terminal_gets_a_bar(pgauthkit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal a bar counts bytes, and is gone at the end."""
    monkeypatch.setattr(meter, "Console", lambda **options: Console(**{**options, "force_terminal": True}))

    result = backup("--url", pgauthkit_url)

    assert "Backing up" in result.stderr
    with meter.byte_meter("Reading", quiet=False, total=10) as show:
        assert show is not None
        show(5)


def test_no_url() -> None:
    """Without a URL the command was used wrongly: exit code 2."""
    assert backup().exit_code == 2


def test_failure(tmp_path: Path) -> None:
    """What is not fine is an error on standard error, and exit code 1."""
    result = backup("--url", "postgresql://postgres:s3cret@127.0.0.1:9/blog")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: Cannot reach the database")
    assert "s3cret" not in result.output
    assert list((tmp_path / "backups").iterdir()) == []


class TestSchedule:
    def test_line(self, tmp_path: Path) -> None:
        """The line does what was typed, in this directory, every night; no password is in it."""
        url = "postgresql://app:s3cret@db.example/blog?password=s3cret"
        result = backup("--schedule", "--keep", "7", "--schema-only", "--dir", "my backups", "--url", url)

        command = f"{sys.executable} -m pgauthkit backup --dir 'my backups' --keep 7 --schema-only"
        assert result.stdout == (
            f"0 3 * * * cd {tmp_path} && {command} --url postgresql://app@db.example/blog > /dev/null\n"
        )
        assert "cron knows nothing of your environment" in result.stderr
        assert not Path("my backups").exists()

    def test_json(self) -> None:
        """For programs there is JSON."""
        values = json.loads(backup("--schedule", "--json").stdout)

        assert values["crontab"].endswith("-m pgauthkit backup > /dev/null")


class TestVerify:
    def test_fine(self, pgauthkit_url: str) -> None:
        """A dump that can be restored and is what its manifest says: exit code 0."""
        backup("--url", pgauthkit_url)

        result = backup("verify", str(written()[0]))

        assert result.exit_code == 0
        assert result.stdout.startswith("Rehearsed. It can be restored.\n")
        assert "  pgauthkit.users: 0 rows\n" in result.stdout
        assert result.stdout.endswith("Rows and revisions are those of the manifest.\n")

    def test_not_as_it_says(self, pgauthkit_url: str) -> None:
        """A dump that is not what its manifest says: exit code 1, also as JSON."""
        backup("--url", pgauthkit_url)
        path = Manifest.path(written()[0])
        values = json.loads(path.read_text())
        path.write_text(json.dumps({**values, "rows": {**values["rows"], "pgauthkit.users": 9}}))

        result = backup("verify", "--json", str(written()[0]))

        assert result.exit_code == 1
        expected = [{"what": "rows of pgauthkit.users", "backup": "9", "database": "0"}]
        assert json.loads(result.stdout)["discrepancies"] == expected

    def test_names_do_not_steer_the_terminal(self, pgauthkit_url: str) -> None:
        """What a manifest names is printed with every control character written out, in results and in errors."""
        backup("--url", pgauthkit_url)
        path = Manifest.path(written()[0])
        values = json.loads(path.read_text())
        rows = {**values["rows"], 'public."\x1b[2J[red]\u202e"': 9}
        revisions = {"pgauthkit.alembic_version": ["\x1b]0;gone\x07"]}
        path.write_text(json.dumps({**values, "rows": rows, "revisions": revisions}))

        result = backup("verify", str(written()[0]))

        assert result.exit_code == 1
        assert 'rows of public."\\x1b[2J[red]\\u202e": 9 there, no such table here.' in result.stdout
        assert "alembic_version: \\x1b]0;gone\\x07 there" in result.stdout
        assert not set(result.output) & set("\x1b\x07\u202e")

    def test_an_error_does_not_either(self, tmp_path: Path) -> None:
        """The name of a file neither."""
        result = backup("verify", str(tmp_path / "\x1b[2J.dump"))

        assert (result.exit_code, "\\x1b[2J.dump cannot be read" in result.stderr) == (1, True)


@pytest.mark.parametrize("command", [[], ["verify"]])
def test_help(command: list[str]) -> None:
    """Every help text has an example."""
    assert "Example: " in backup(*command, "--help").stdout


def test_the_password_of_the_environment_is_not_shown(pgauthkit_url: str) -> None:
    """A role that may not sign in is told, without its password."""
    parts = psycopg.conninfo.conninfo_to_dict(pgauthkit_url)
    url = f"postgresql://nobody_here:s3cret@/{parts['dbname']}?host={parts['host']}&port={parts['port']}"

    result = backup(DIRECT_URL=url)

    assert result.exit_code == 1
    assert "s3cret" not in result.output
