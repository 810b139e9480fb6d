"""`pgauthkit seed`: the function that pyproject.toml names, with the arguments after `--`."""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner, Result

from pgauthkit.cli import main

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

SEED = """
from pgauthkit.models import UserRole
from pgauthkit.seeding import ensure_user

def main(db, *emails):
    for email in emails or ["admin@example.com"]:
        ensure_user(db, email, role=UserRole.ADMIN)
"""


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An application in the working directory, with a seed."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    (tmp_path / "pyproject.toml").write_text('[tool.pgauthkit]\nseed = "blog_seeds:main"\n')
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "blog_seeds.py").write_text(SEED)
    path = sys.path[:]
    yield tmp_path
    sys.path[:] = path
    sys.modules.pop("blog_seeds", None)


def seed(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(main, ["seed", *arguments], env=environment)


def users(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [email for (email,) in connection.execute("SELECT email FROM pgauthkit.users ORDER BY 1")]


def test_runs(pgauthkit_url: str) -> None:
    """The seed is run, and may be run again."""
    for _ in range(2):
        result = seed("--url", pgauthkit_url)

        assert result.exit_code == 0
        assert result.stdout.startswith("Seeded by blog_seeds:main in ")
    assert users(pgauthkit_url) == ["admin@example.com"]


def test_arguments(pgauthkit_url: str) -> None:
    """Arguments after `--` are passed on, also those that look like options."""
    result = seed("--json", "--", "ada@example.com", "--url@example.com", DATABASE_URL=pgauthkit_url)

    values = json.loads(result.stdout)
    assert values.pop("duration") > 0
    assert values == {"function": "blog_seeds:main", "arguments": ["ada@example.com", "--url@example.com"]}
    assert users(pgauthkit_url) == ["--url@example.com", "ada@example.com"]


def test_a_seed_that_prints(project: Path, pgauthkit_url: str) -> None:
    """With `--json`, what a seed prints goes to standard error."""
    (project / "src" / "blog_seeds.py").write_text("def main(db):\n    print('Made nothing.')\n")
    result = seed("--json", "--url", pgauthkit_url)

    assert json.loads(result.stdout)["function"] == "blog_seeds:main"
    assert result.stderr == "Made nothing.\n"


def test_a_mistake(project: Path, pgauthkit_url: str) -> None:
    """A module with a mistake in it is told in a sentence."""
    (project / "src" / "blog_seeds.py").write_text("def main(db:\n")
    result = seed("--url", pgauthkit_url)

    assert result.exit_code == 1
    assert "seed: blog_seeds:main cannot be imported: " in result.stderr


def test_fails(pgauthkit_url: str) -> None:
    """A seed that fails is an error with its line, and nothing is kept: exit code 1."""
    result = seed("--url", pgauthkit_url, "--", "ada@example.com", "nobody")

    assert result.exit_code == 1
    assert result.stderr.startswith("Error: The seed blog_seeds:main failed (blog_seeds.py, line 7): InvalidEmailError")
    assert users(pgauthkit_url) == []


def test_pending(pgauthkit_empty_url: str) -> None:
    """While migrations are pending it is refused."""
    result = seed("--url", pgauthkit_empty_url)

    assert result.exit_code == 1
    assert "Run `pgauthkit migrate deploy` first" in result.stderr


def test_no_seed(project: Path, pgauthkit_url: str) -> None:
    """Without a seed the command was used wrongly: exit code 2."""
    (project / "pyproject.toml").write_text("")

    result = seed("--url", pgauthkit_url)

    assert result.exit_code == 2
    assert '[tool.pgauthkit] seed = "blog.seed:main"' in result.stderr


def test_help() -> None:
    """The help text has an example."""
    assert "Example: " in seed("--help").stdout
