"""Settings: option before environment before pyproject.toml, and a clear word where there is none."""

from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from pgauthkit.cli import main
from pgauthkit.cli.settings import Settings, read_settings, resolve_url
from pgauthkit.errors import ConfigError


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty directory, with no URL in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)
    return tmp_path


def write(directory: Path, text: str) -> None:
    (directory / "pyproject.toml").write_text(text, encoding="utf-8")


class TestUrl:
    @pytest.mark.parametrize(
        ("option", "direct", "expected"),
        [
            ("postgresql://option", True, "postgresql://option"),
            ("postgresql://option", False, "postgresql://option"),
            (None, True, "postgresql://direct"),
            (None, False, "postgresql://pooled"),
        ],
    )
    def test_environment(
        self, *, option: str | None, direct: bool, expected: str, project: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The option goes first, then DIRECT_URL where the connection must be direct, then DATABASE_URL."""
        monkeypatch.setenv("DIRECT_URL", "postgresql://direct")
        monkeypatch.setenv("DATABASE_URL", "postgresql://pooled")
        write(project, '[tool.pgauthkit]\nurl = "postgresql://project"')

        assert expected == resolve_url(option, direct=direct)

    def test_only_a_pooled_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without DIRECT_URL a direct connection is made with DATABASE_URL; an empty variable is none."""
        monkeypatch.setenv("DIRECT_URL", "")
        monkeypatch.setenv("DATABASE_URL", "postgresql://pooled")

        assert resolve_url(None, direct=True) == "postgresql://pooled"

    def test_only_a_direct_one(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without DATABASE_URL every connection is made with DIRECT_URL."""
        monkeypatch.setenv("DIRECT_URL", "postgresql://direct")

        assert resolve_url(None, direct=False) == "postgresql://direct"

    def test_project(self, project: Path) -> None:
        """Without option and environment the URL is that of pyproject.toml."""
        write(project, '[tool.pgauthkit]\nurl = "postgresql://project"')

        assert resolve_url(None, direct=True) == "postgresql://project"

    @pytest.mark.parametrize("direct", [True, False])
    def test_none(self, *, direct: bool) -> None:
        """Without any URL the three ways to give one are told, as wrong use."""
        with pytest.raises(click.UsageError) as caught:
            resolve_url(None, direct=direct)

        assert caught.value.exit_code == 2
        order = ("DIRECT_URL or DATABASE_URL", "DATABASE_URL or DIRECT_URL")
        assert all(way in caught.value.message for way in ("--url", order[0 if direct else 1], "[tool.pgauthkit]"))


@pytest.mark.parametrize("typed", ["backup", "erd --reflect", "migrate status", "pull", "purge", "revoke --all"])
def test_a_command_takes_what_its_help_says(typed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of two variables that are both set each command takes the one that its help names first."""
    nobody_there = "postgresql://app@127.0.0.1:1"
    monkeypatch.setenv("DIRECT_URL", f"{nobody_there}/direct")
    monkeypatch.setenv("DATABASE_URL", f"{nobody_there}/pooled")

    help_text = " ".join(CliRunner().invoke(main, [*typed.split(), "--help"]).stdout.split())
    result = CliRunner().invoke(main, typed.split())

    is_direct = "[default: DIRECT_URL, DATABASE_URL, or pyproject.toml]" in help_text
    assert is_direct or "[default: DATABASE_URL, DIRECT_URL, or pyproject.toml]" in help_text
    assert result.exit_code == 1
    assert (":1/direct" in result.output, ":1/pooled" in result.output) == (is_direct, not is_direct)


class TestProject:
    def test_all(self, project: Path) -> None:
        """Every setting of the table is read."""
        write(
            project,
            """
            [tool.pgauthkit]
            url = "postgresql://localhost/blog"
            models = "blog.models:Base"
            migrations = "migrations"
            seed = "blog.seed:main"
            """,
        )
        expected = Settings(
            url="postgresql://localhost/blog", models="blog.models:Base", migrations="migrations", seed="blog.seed:main"
        )

        assert expected == read_settings()

    def test_nearest(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The nearest pyproject.toml upward counts, and no other."""
        write(project, '[tool.pgauthkit]\nseed = "outer:main"')
        inner = project / "inner" / "deep"
        inner.mkdir(parents=True)
        write(project / "inner", '[tool.pgauthkit]\nmodels = "inner:Base"')
        monkeypatch.chdir(inner)

        assert Settings(models="inner:Base") == read_settings()

    def test_several_bases(self, project: Path) -> None:
        """Models may be a list, for applications with more than one base."""
        write(project, '[tool.pgauthkit]\nmodels = ["blog.models:Base", "shop.models:Base"]\n')

        assert Settings(models="blog.models:Base, shop.models:Base") == read_settings()

    @pytest.mark.parametrize("text", ["", "[project]\nname = 'blog'", "[tool.ruff]"])
    def test_not_ours(self, project: Path, text: str) -> None:
        """A pyproject.toml that does not speak of us sets nothing."""
        write(project, text)

        assert Settings() == read_settings()

    def test_no_file(self) -> None:
        """Without a pyproject.toml nothing is set."""
        assert Settings() == read_settings()

    def test_wrong_settings(self, project: Path) -> None:
        """Settings that do not exist, or are no text, are all told together."""
        write(project, '[tool.pgauthkit]\nmodles = "blog"\nseed = 1\nmodels = [1]\n')

        with pytest.raises(ConfigError) as caught:
            read_settings()

        expected = (
            "tool.pgauthkit.modles: there is no such setting.",
            "tool.pgauthkit.seed: must be text.",
            "tool.pgauthkit.models: must be text, or a list of texts.",
        )
        assert expected == caught.value.problems

    @pytest.mark.parametrize("content", [b"[tool.pgauthkit", b"\xff", b"tool = 1", b"[tool]\npgauthkit = 1"])
    def test_malformed(self, project: Path, content: bytes) -> None:
        """A file that cannot be read, or has something else in our table's place, is an error of ours."""
        (project / "pyproject.toml").write_bytes(content)

        with pytest.raises(ConfigError, match="pyproject"):
            read_settings()
