"""Reading before running: the SQL of revisions, what squawk says of it, and a folder to write them in."""

from __future__ import annotations

import sysconfig
from typing import TYPE_CHECKING

import pytest

from pgauthkit.errors import ConfigError, MigrationError
from pgauthkit.ops.migrate.review import lint, pending_sql, range_sql
from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.revisions.tracks import BUNDLED

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.migrate.conftest import Project


class TestSql:
    def test_pending(self, project: Project, pgauthkit_empty_url: str) -> None:
        """Of each track what is pending is written out, with its line in the ledger."""
        project.posts()

        ours, theirs = pending_sql(pgauthkit_empty_url, host=project.track)

        assert (ours.track, theirs.track) == ("bundled", "host")
        assert "CREATE TABLE pgauthkit.users" in ours.sql
        assert "CREATE TABLE public.posts" in theirs.sql
        assert "INSERT INTO pgauthkit.migration_ledger" in theirs.sql

    def test_down(self, project: Project) -> None:
        """From a later revision to an earlier one the way leads down."""
        project.posts()
        project.index()

        assert "DROP INDEX" in range_sql(project.track, "index2:posts1").sql

    def test_unknown(self) -> None:
        """A revision that does not exist cannot be written out."""
        with pytest.raises(MigrationError, match="The SQL cannot be written: Can't locate revision"):
            range_sql(BUNDLED, "base:nowhere")


class TestLint:
    @pytest.mark.parametrize(
        ("sql", "rule", "safe_form"),
        [
            ("CREATE INDEX ix ON posts (title)", "require-concurrent-index-creation", "Use `concurrently`"),
            ("ALTER TABLE posts ADD COLUMN a text NOT NULL", "adding-required-field", "Make the field nullable"),
            ("ALTER TABLE posts ADD CONSTRAINT c CHECK (id > 0)", "constraint-missing-not-valid", "Use `NOT VALID`"),
            ("ALTER TABLE posts DROP COLUMN title", "ban-drop-column", "drop it with the next release"),
            ("DROP TABLE posts", "ban-drop-table", "drop it with the next release"),
            ("ALTER TABLE posts RENAME COLUMN title TO heading", "renaming-column", "Add a new column"),
            ("ALTER TABLE posts RENAME TO articles", "renaming-table", "a view of the old one"),
            ("ALTER TABLE posts ALTER COLUMN title TYPE varchar", "changing-column-type", "fill it in batches"),
            ("CREATE TYPE blog.mood AS ENUM ('fine')", "native-enum", "native_enum=False"),
            ("ALTER TYPE mood ADD VALUE IF NOT EXISTS 'bad' AFTER 'fine'", "enum-label-stays", "code that can read it"),
            ("CLUSTER posts USING posts_pkey", "rewrites-table", "pg_repack"),
            ("VACUUM FULL posts", "rewrites-table", "pg_repack"),
            ("VACUUM (ANALYZE, FULL) posts", "rewrites-table", "pg_repack"),
            ("ALTER TABLE posts SET UNLOGGED", "rewrites-table", "swap the names"),
            ("ALTER TABLE blog.posts SET TABLESPACE fast", "rewrites-table", "swap the names"),
            ("ALTER TABLE posts SET ACCESS METHOD columnar", "rewrites-table", "swap the names"),
            ("ALTER TABLE posts ADD COLUMN number bigserial", "rewrites-table", "fill it in batches"),
            ('ALTER TABLE posts ADD COLUMN IF NOT EXISTS "the number" serial4', "rewrites-table", "fill it in batches"),
            ("REFRESH MATERIALIZED VIEW titles", "require-concurrent-refresh", "a unique index"),
            ("ALTER TABLE posts ATTACH PARTITION posts_2025 DEFAULT", "attach-reads-partition", "VALIDATE"),
        ],
    )
    def test_unsafe(self, sql: str, rule: str, safe_form: str) -> None:
        """Each step that is not safe on a database in use is told with its line and the safe form."""
        found = {finding.rule: finding for finding in lint(f"BEGIN;\n{sql};\nCOMMIT;\n")}

        assert found[rule].line in {1, 2}
        assert safe_form in found[rule].help

    def test_safe(self) -> None:
        """What a deployment settles itself, such as timeouts, is not told."""
        assert lint("BEGIN;\nALTER TABLE posts ADD COLUMN note text;\nCOMMIT;\n") == ()

    @pytest.mark.parametrize(
        "sql",
        [
            "VACUUM (ANALYZE) posts",
            "VACUUM (FULL false) posts",
            "REFRESH MATERIALIZED VIEW CONCURRENTLY titles",
            "REFRESH MATERIALIZED VIEW titles WITH NO DATA",
            "ALTER TABLE posts ADD COLUMN serial text",
            "ALTER TABLE posts ADD CONSTRAINT serial CHECK (serial <> '') NOT VALID",
            "ALTER TABLE posts SET (fillfactor = 90)",
            "COMMENT ON TABLE posts IS 'CLUSTER posts'",
        ],
    )
    def test_no_rewriting(self, sql: str) -> None:
        """What only resembles a statement that rewrites a table is not reported."""
        assert lint(f"{sql};\n") == ()

    def test_virtual(self) -> None:
        """A generated column rewrites the table where it is stored, and not where it is computed when read."""
        virtual = 'ALTER TABLE posts ADD COLUMN "ü" bigint GENERATED ALWAYS AS (id * 2);\n'
        told = virtual.replace(")", "\n) VIRTUAL")

        assert lint(virtual) == lint(told) == ()
        assert [finding.rule for finding in lint(told.replace("VIRTUAL", "STORED"))] == ["adding-field-with-default"]

    def test_not_installed(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Without squawk it says how to get it."""
        monkeypatch.setenv("PATH", str(tmp_path))
        monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))

        with pytest.raises(MigrationError, match="pip install squawk-cli"):
            lint("SELECT 1")

    def test_failing(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A squawk that fails is told with its own words."""
        monkeypatch.setattr(sysconfig, "get_path", lambda _name: str(tmp_path))
        program = tmp_path / "squawk"
        program.write_text("#!/bin/sh\necho 'out of ink' >&2\n")
        program.chmod(0o700)

        with pytest.raises(MigrationError, match="squawk failed: out of ink"):
            lint("SELECT 1")


class TestScaffold:
    def test_all_wrong(self, tmp_path: Path) -> None:
        """Everything that is in the way is told together, and nothing is written."""
        (tmp_path / "alembic.ini").touch()
        (tmp_path / "migrations").mkdir()
        (tmp_path / "migrations" / "env.py").touch()

        with pytest.raises(ConfigError) as caught:
            scaffold(tmp_path, models="blog/models.py")

        assert [problem.partition(":")[0] for problem in caught.value.problems] == [
            "models",
            "migrations",
            "migrations",
        ]
        assert not (tmp_path / "pyproject.toml").exists()

    def test_settings_kept(self, tmp_path: Path) -> None:
        """Settings that are there already stay as they are."""
        pyproject = tmp_path / "pyproject.toml"
        pyproject.write_text('[tool.pgauthkit]\nmodels = "blog.models:Base"\nmigrations = "migrations"')
        before = pyproject.read_text()

        written = scaffold(tmp_path, models="blog.models:Base")

        assert [path.name for path in written] == ["env.py", "script.py.mako"]
        assert before == pyproject.read_text().rstrip()
