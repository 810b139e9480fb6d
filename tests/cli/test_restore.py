"""`pgauthkit restore`: what it prints, asks and refuses, and with which exit code it ends."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner, Result

from pgauthkit.cli import main
from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.server.presence import database_name

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in an empty directory, with no URL in the environment."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DIRECT_URL", raising=False)
    monkeypatch.delenv("DATABASE_URL", raising=False)


@pytest.fixture
def dump(pgauthkit_url: str, tmp_path: Path) -> Path:
    """A backup of a migrated database with one table of an application."""
    run(pgauthkit_url, "CREATE TABLE public.posts AS SELECT generate_series(1, 1000)")
    return backup(pgauthkit_url, directory=tmp_path).file


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def restore(*arguments: str | Path, answer: str | None = None, **environment: str) -> Result:
    return CliRunner().invoke(main, ["restore", *map(str, arguments)], env=environment, input=answer)


def test_restores(dump: Path, pgauthkit_empty_url: str) -> None:
    """Every table is told with its rows, and that all is as the manifest says."""
    result = restore(dump, "--to", pgauthkit_empty_url)

    assert result.exit_code == 0
    assert result.stdout.startswith(f'Restored {dump} into the database "{database_name(pgauthkit_empty_url)}" in ')
    assert "  public.posts: 1,000 rows\n" in result.stdout
    assert re.search(r"^Statistics for the planner: of 3 tables with rows, in \d\.\d s\.$", result.stdout, re.MULTILINE)
    assert result.stdout.endswith("Rows and revisions are those of the manifest.\n")


def test_clean(dump: Path, pgauthkit_url: str) -> None:
    """What was there is told beside what is there now."""
    run(pgauthkit_url, "DELETE FROM public.posts; CREATE TABLE public.others ()")

    result = restore(dump, "--clean", "--force", database_name(pgauthkit_url), DATABASE_URL=pgauthkit_url)

    assert result.exit_code == 0
    assert "  public.posts: 1,000 rows, before 0\n" in result.stdout
    assert "  public.others: gone, before 0\n" in result.stdout


def test_json(dump: Path, pgauthkit_empty_url: str) -> None:
    """For programs there is one object."""
    values = json.loads(restore(dump, "--json", DIRECT_URL=pgauthkit_empty_url).stdout)

    assert (values["after"]["public.posts"], values["discrepancies"], values["pending"]) == (1000, [], [])
    assert values["manifest"]["rows"] == values["after"]
    assert values["duration"] > values["statistics"]["duration"] > 0
    assert "public.posts" in values["statistics"]["tables"]


def test_without_statistics(pgauthkit_url: str, pgauthkit_empty_url: str, tmp_path: Path) -> None:
    """A table that cannot be analyzed is named with what to run by hand, and the exit code is 0."""
    run(
        pgauthkit_url,
        "CREATE FOREIGN DATA WRAPPER nothing; CREATE SERVER far FOREIGN DATA WRAPPER nothing;"
        ' CREATE TABLE "a [b]" (id int) PARTITION BY LIST (id);'
        ' CREATE TABLE one PARTITION OF "a [b]" FOR VALUES IN (1);'
        ' INSERT INTO "a [b]" VALUES (1); CREATE FOREIGN TABLE two PARTITION OF "a [b]" FOR VALUES IN (2) SERVER far',
    )

    result = restore(backup(pgauthkit_url, directory=tmp_path).file, "--to", pgauthkit_empty_url)

    line = 'No statistics of public."a [b]": a part of it is on another server. By hand: ANALYZE public."a [b]";\n'
    assert line in result.stdout
    assert result.exit_code == 0


def test_not_as_the_manifest_says(dump: Path, pgauthkit_empty_url: str) -> None:
    """A difference is told, and the exit code is 1."""
    path = Manifest.path(dump)
    values = json.loads(path.read_text())
    path.write_text(json.dumps({**values, "rows": {**values["rows"], "public.posts": 9}}))

    result = restore(dump, "--to", pgauthkit_empty_url)

    assert result.exit_code == 1
    assert "Not as the manifest says: rows of public.posts: 9 there, 1000 here.\n" in result.stdout


def test_without_a_manifest(dump: Path, pgauthkit_empty_url: str) -> None:
    """That there is nothing to compare with is told."""
    Manifest.path(dump).unlink()

    assert (
        "Without a manifest there is nothing to compare it with.\n" in restore(dump, "--to", pgauthkit_empty_url).stdout
    )


def test_schema_only(pgauthkit_url: str, pgauthkit_empty_url: str, tmp_path: Path) -> None:
    """Of a dump without rows it is told how to go on."""
    file = backup(pgauthkit_url, directory=tmp_path, schema_only=True).file

    result = restore(file, "--to", pgauthkit_empty_url)

    assert "so its revisions are not recorded: see `pgauthkit migrate resolve --applied`.\n" in result.stdout
    assert "Pending: 0001, 0002, 0003, 0004, 0005. Next: pgauthkit migrate deploy\n" in result.stdout


def test_no_owner(dump: Path, pgauthkit_empty_url: str) -> None:
    """Owners can be left out."""
    assert restore(dump, "--no-owner", "--to", pgauthkit_empty_url).exit_code == 0


def test_either_option(dump: Path, pgauthkit_empty_url: str) -> None:
    """The database is named by `--to` or by `--url`, and by one of them only."""
    both = restore(dump, "--to", pgauthkit_empty_url, "--url", pgauthkit_empty_url)

    assert (both.exit_code, "give one of them" in both.stderr) == (2, True)
    assert restore(dump, "--url", pgauthkit_empty_url).exit_code == 0


class TestRefused:
    def test_not_empty(self, dump: Path, pgauthkit_url: str) -> None:
        """A database that is not empty is refused: exit code 1."""
        result = restore(dump, "--to", pgauthkit_url)

        assert (result.exit_code, result.stdout) == (1, "")
        assert "is not empty" in result.stderr

    def test_missing(self, pgauthkit_empty_url: str) -> None:
        """A file that is not there is refused."""
        result = restore("none.dump", "--to", pgauthkit_empty_url)

        assert (result.exit_code, result.stderr) == (1, "Error: none.dump cannot be read: No such file or directory.\n")

    def test_nobody_to_ask(self, dump: Path, pgauthkit_url: str) -> None:
        """Where nobody can be asked for the name, it must be given: exit code 2."""
        result = restore(dump, "--clean", "--to", pgauthkit_url)

        assert result.exit_code == 2
        assert "give --force NAME" in result.stderr

    @pytest.mark.usefixtures("terminal")
    def test_other_name(self, dump: Path, pgauthkit_url: str) -> None:
        """On a terminal the name is asked for, and another one is refused."""
        result = restore(dump, "--clean", "--to", pgauthkit_url, answer="blog\n")

        assert result.exit_code == 1
        assert 'not "blog"' in result.stderr

    @pytest.mark.usefixtures("terminal")
    def test_name(self, dump: Path, pgauthkit_url: str) -> None:
        """With the right name it goes on."""
        result = restore(dump, "--clean", "--to", pgauthkit_url, answer=f"{database_name(pgauthkit_url)}\n")

        assert result.exit_code == 0


def test_help() -> None:
    """The help text has an example."""
    assert "Example: " in restore("--help").stdout
