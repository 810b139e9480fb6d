"""`pgauthkit erd`, called as from a shell."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from pgauthkit.cli import main


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory."""
    monkeypatch.chdir(tmp_path)


def erd(*arguments: str) -> Result:
    return CliRunner().invoke(main, ["erd", *arguments])


def test_printed() -> None:
    """The diagram is printed as it is, for a program to draw."""
    result = erd()

    assert result.exit_code == 0
    assert result.stdout.startswith("erDiagram\n")
    assert '"pgauthkit.users" ||..o{ "pgauthkit.sessions" : "user_id"\n' in result.stdout


@pytest.mark.parametrize(("name", "begin"), [("schema.mmd", "erDiagram\n"), ("schema.md", "```mermaid\nerDiagram\n")])
def test_written(tmp_path: Path, name: str, begin: str) -> None:
    """It is written to a file, as a block of Markdown where the name says so."""
    result = erd("--output", name)
    text = (tmp_path / name).read_text(encoding="utf-8")

    assert result.stdout == f"Wrote {name}.\n"
    assert text.startswith(begin)
    assert erd().stdout in text


def test_models_that_are_not_there(tmp_path: Path) -> None:
    """A base that cannot be imported is told in a sentence."""
    (tmp_path / "pyproject.toml").write_text('[tool.pgauthkit]\nmodels = "no_such_blog.models:Base"\n')
    result = erd()

    assert result.exit_code == 1
    assert "models: no_such_blog.models:Base cannot be imported" in result.stderr


@pytest.mark.parametrize("mistake", ["class", "x: Nope"])
def test_models_with_a_mistake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, mistake: str) -> None:
    """A module with a mistake is told in a sentence."""
    (tmp_path / "pyproject.toml").write_text('[tool.pgauthkit]\nmodels = "mistaken_blog:Base"\n')
    (tmp_path / "mistaken_blog.py").write_text(mistake)
    monkeypatch.syspath_prepend(tmp_path)
    result = erd()

    assert result.exit_code == 1
    assert "models: mistaken_blog:Base cannot be imported: " in result.stderr


def test_a_place_that_is_not_there() -> None:
    """A file that cannot be written is told in a sentence."""
    result = erd("--output", "nowhere/schema.mmd")

    assert result.exit_code == 1
    assert "nowhere/schema.mmd" in result.stderr
    assert "No such file or directory" in result.stderr


def test_help() -> None:
    """The help has an example."""
    assert "Example: pgauthkit erd" in erd("--help").stdout
