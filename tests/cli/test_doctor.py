"""`pgauthkit doctor`, as a person and as a program use it."""

import json
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from tests.cli.conftest import Blog

from pgauthkit.cli import main


@pytest.fixture(autouse=True)
def empty_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project with nothing in it, and no direct URL."""
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)


def doctor(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["doctor", *arguments], env=environment)


def test_a_line_for_each_check(pgauthkit_url: str) -> None:
    """Every check has its line, with its level first; a warning is no failure."""
    result = doctor(DATABASE_URL=pgauthkit_url)
    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.output
    assert lines[1] == "ok       version    The server is PostgreSQL 16.14."
    levels = [line.split()[0] for line in lines]
    assert levels == ["ok"] * 8 + ["warning"] + ["ok"] * 7


def test_what_is_wrong_fails(pgauthkit_empty_url: str) -> None:
    """Where something is wrong the line says what to do, and the exit code is 1."""
    result = doctor("--url", pgauthkit_empty_url)
    assert result.exit_code == 1
    pending = "0001 (pending), 0002 (pending), 0003 (pending), 0004 (pending), 0005 (pending)"
    expected = f"wrong    revisions  Not in sync, of pgauthkit: {pending}. Run pgauthkit migrate deploy."
    assert expected in result.stdout.splitlines()


def test_the_direct_url_is_looked_at_as_well(pgauthkit_url: str) -> None:
    """DIRECT_URL counts beside DATABASE_URL, and not beside an option."""
    nowhere = "postgresql://app@127.0.0.1:1/app"
    assert doctor(DATABASE_URL=pgauthkit_url, DIRECT_URL=nowhere).exit_code == 1
    assert doctor("--url", pgauthkit_url, DIRECT_URL=nowhere).exit_code == 0


def test_json_is_for_programs(pgauthkit_url: str, tmp_path: Path) -> None:
    """All findings in one object, with those of the options."""
    options = ("--pool-size", "500", "--processes", "3", "--backups", str(tmp_path))
    result = doctor(*options, "--json", DATABASE_URL=pgauthkit_url)
    report = json.loads(result.stdout)
    assert result.exit_code == 1
    assert report["fine"] is False
    wrong = [finding for finding in report["findings"] if finding["level"] == "wrong"]
    assert [finding["check"] for finding in wrong] == ["pool", "backups"]
    assert set(wrong[0]) == {"check", "level", "message", "advice"}


def test_help_has_an_example() -> None:
    """The help shows how it is called."""
    assert "Example: pgauthkit doctor" in doctor("--help").stdout


@pytest.mark.parametrize("command", [["doctor"], ["migrate", "drift"]])
def test_models_without_revisions(pgauthkit_url: str, command: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """Without revisions of the application's, its models say what is theirs: they are imported, or it is an error."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    name = f"shop_of_{command[0]}"  # of its own, since what is imported stays
    Path("pyproject.toml").write_text(f'[tool.pgauthkit]\nmodels = "{name}:Base"\n')
    without = CliRunner().invoke(main, command, env={"DATABASE_URL": pgauthkit_url})
    Path(f"{name}.py").write_text("from pgauthkit.models import Base\n\n__all__ = ['Base']\n")
    there = CliRunner().invoke(main, command, env={"DATABASE_URL": pgauthkit_url})
    assert name in without.output
    assert (without.exit_code, there.exit_code) == (1, 0), there.output


def test_revisions_say_what_is_theirs(blog: Blog) -> None:
    """With a folder of revisions, that says what is the application's; it has none, and there is no drift."""
    assert blog.migrate("init").exit_code == 0
    result = doctor(DATABASE_URL=blog.url)
    assert result.exit_code == 0, result.output
    assert [line for line in result.stdout.splitlines() if line.startswith("ok       drift")]
