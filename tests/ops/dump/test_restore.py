"""`restore`: the same rows and a working sign-in, or a database that was not touched."""

from __future__ import annotations

import json
import shlex
import subprocess
import threading
from datetime import timedelta
from typing import TYPE_CHECKING, TypeAlias

import psycopg
import pytest

from pgauthkit.database.binaries import find_binaries
from pgauthkit.errors import MigrationLockedError, RestoreError
from pgauthkit.ops.backup import Backup, backup
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.migrate.drift import find_drift
from pgauthkit.ops.restore import Discrepancy, restore
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.server.connection import engine_for
from pgauthkit.ops.server.lock import migration_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.ops.conftest import Database

    from pgauthkit.ops.dump.manifest import Format

    Script: TypeAlias = Callable[[str, str], Path]


@pytest.fixture
def saved(filled: Database, tmp_path: Path) -> Backup:
    return backup(filled.url, directory=tmp_path / "backups")


def pg_dump(database: Database, *options: str, major: int = 16) -> bytes:
    program = find_binaries(major) / "pg_dump"
    return subprocess.run([program, *options, f"--dbname={database.url}"], check=True, capture_output=True).stdout


def rewritten(done: Backup, **values: object) -> None:
    """Change what a manifest says."""
    path = Manifest.path(done.file)
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))


class TestRoundTrip:
    @pytest.mark.pg18
    @pytest.mark.parametrize("format_", ["custom", "plain"])
    def test_all_is_as_it_was(self, format_: Format, filled: Database, tmp_path: Path) -> None:
        """After a backup everything is dropped; the restore brings back every row, and who was signed in still is."""
        token, checksums = filled.sign_in(), filled.checksums()
        done = backup(filled.url, directory=tmp_path, format=format_)
        filled.run("DROP SCHEMA pgauthkit, app, public CASCADE", "CREATE SCHEMA public")

        restored = restore(done.file, filled.url)

        assert filled.checksums() == checksums
        assert filled.who_is(token) == "ada@example.com"
        assert (restored.discrepancies, restored.pending, restored.before) == ((), (), {})
        assert (restored.after, restored.database) == (done.manifest.rows, filled.name)
        assert filled.ask("SELECT public.f(), count FROM public.v") == [(1, 2)]
        assert find_drift(filled.url) == ()

    def test_clean(self, saved: Backup, filled: Database) -> None:
        """With `clean` all that has come since is gone: rows, tables, types, functions, schemas and large objects."""
        checksums = filled.checksums()
        filled.run(
            "DELETE FROM app.posts",
            "CREATE TABLE public.more ()",
            "CREATE SCHEMA another",
            "CREATE TYPE public.late AS (a int)",
            "CREATE DOMAIN public.late_too AS text",
            "CREATE TYPE public.span AS RANGE (subtype = int)",
            "CREATE PROCEDURE public.p() LANGUAGE sql AS 'SELECT 1'",
            "CREATE PUBLICATION all_of_it FOR TABLE public.more",
            "CREATE FUNCTION public.e() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END'",
            "CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION public.e()",
            "SELECT lo_create(4711)",
            "CREATE MATERIALIZED VIEW public.m AS SELECT 1",
            "CREATE SEQUENCE public.s",
        )

        restored = restore(saved.file, filled.url, clean=True, name=filled.name)

        assert filled.checksums() == checksums
        assert (restored.before["app.posts"], restored.after["app.posts"], restored.discrepancies) == (0, 2, ())
        assert filled.ask("SELECT lomowner FROM pg_largeobject_metadata") == []
        assert filled.ask("SELECT to_regtype('public.late'), to_regnamespace('another')") == [(None, None)]

    def test_extensions_stay(self, saved: Backup, empty: Database) -> None:
        """An extension, and what belongs to it, makes a database neither full nor is it dropped."""
        empty.run("CREATE EXTENSION vector")

        assert restore(saved.file, empty.url).discrepancies == ()
        assert restore(saved.file, empty.url, clean=True, name=empty.name).discrepancies == ()
        assert empty.ask("SELECT '[1,2]'::vector::text") == [("[1,2]",)]

    def test_large_objects(self, database: Database, empty: Database, tmp_path: Path) -> None:
        """Large objects come along."""
        database.run("SELECT lo_from_bytea(4711, 'kept')")

        restore(backup(database.url, directory=tmp_path).file, empty.url)

        assert empty.ask("SELECT convert_from(lo_get(4711), 'UTF8')") == [("kept",)]

    def test_progress(self, saved: Backup, empty: Database) -> None:
        """How much of the file was read is told, up to its end."""
        told: list[int] = []

        restore(saved.file, empty.url, on_progress=told.append)

        assert told == sorted(told)
        assert 0 < told[-1] <= saved.manifest.size

    def test_later_tools(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """What PostgreSQL 18's pg_dump makes of a 16 can be restored into a 16, by the tools of 18, in both formats."""
        tools = find_binaries(18)
        for format_ in ("custom", "plain"):
            done = backup(
                filled.url, directory=tmp_path, binaries=tools, format="plain" if format_ == "plain" else "custom"
            )
            restored = restore(done.file, empty.url, clean=True, name=empty.name, binaries=tools)

            assert done.manifest.tool_version.startswith("18.")
            assert restored.discrepancies == ()


class TestForeign:
    def test_plain_sql(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """The SQL that pg_dump prints is restored, without a manifest, which is said."""
        file = tmp_path / "backup.sql"
        file.write_bytes(pg_dump(filled))

        restored = restore(str(file), empty.url)

        assert (restored.manifest, restored.discrepancies) == (None, ())
        assert empty.checksums() == filled.checksums()

    def test_custom(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """A dump of pg_dump's own format without a manifest is restored as well."""
        file = tmp_path / "backup.dump"
        file.write_bytes(pg_dump(filled, "--format=custom"))

        restore(file, empty.url)

        assert empty.checksums() == filled.checksums()

    def test_a_function_that_needs_a_search_path(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """A function that no restore of a dump could call is refused with what to do about it, and then restored."""
        filled.run(
            "CREATE FUNCTION public.inner_one(text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT upper($1)'",
            "CREATE FUNCTION public.outer_one(text) RETURNS text LANGUAGE plpgsql IMMUTABLE"
            " AS 'BEGIN RETURN inner_one($1); END'",
            "CREATE TABLE loud (name text, loud text GENERATED ALWAYS AS (public.outer_one(name)) STORED)",
            "INSERT INTO loud VALUES ('x')",
        )
        done = backup(filled.url, directory=tmp_path / "before")
        with pytest.raises(RestoreError, match=r"inner_one\(text\) does not exist.*SET search_path"):
            restore(done.file, empty.url)
        filled.run("ALTER FUNCTION public.outer_one(text) SET search_path = public")
        done = backup(filled.url, directory=tmp_path / "after")
        assert restore(done.file, empty.url).discrepancies == ()

    def test_roles(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """Owners that the server lacks are refused as a whole, unless owners are left out."""
        role = f"{filled.name}_owner"
        filled.run(f"CREATE ROLE {role}", f"ALTER TABLE app.posts OWNER TO {role}")
        done = backup(filled.url, directory=tmp_path)
        filled.run(f"REASSIGN OWNED BY {role} TO CURRENT_USER", f"DROP ROLE {role}")

        with pytest.raises(RestoreError, match=rf'as it was: .*role "{role}" does not exist.*--no-owner'):
            restore(done.file, empty.url)
        assert empty.checksums() == {}

        assert restore(done.file, empty.url, owners=False).discrepancies == ()


class TestRefused:
    """Whatever is refused leaves the database as it was."""

    @pytest.fixture(autouse=True)
    def untouched(self, empty: Database) -> Iterator[None]:
        yield
        assert empty.checksums() == {}

    def test_truncated(self, saved: Backup, empty: Database) -> None:
        """A file that is cut off is refused."""
        saved.file.write_bytes(saved.file.read_bytes()[:-1])

        with pytest.raises(RestoreError, match=r"cut off or altered: its size .*not touched"):
            restore(saved.file, empty.url)

    def test_altered(self, saved: Backup, empty: Database) -> None:
        """A file in which one bit is another is refused."""
        content = bytearray(saved.file.read_bytes())
        content[len(content) // 2] ^= 1
        saved.file.write_bytes(content)

        with pytest.raises(RestoreError, match=r"altered: its checksum .*not touched"):
            restore(saved.file, empty.url)

    def test_truncated_without_manifest(self, saved: Backup, empty: Database) -> None:
        """Without a manifest as well: what cannot be read to its end is not restored in part."""
        Manifest.path(saved.file).unlink()
        saved.file.write_bytes(saved.file.read_bytes()[:-200])

        with pytest.raises(RestoreError, match=r"as it was: pg_restore: error: could not read from input file"):
            restore(saved.file, empty.url)

    def test_missing(self, empty: Database, tmp_path: Path) -> None:
        """A file that is not there is told."""
        with pytest.raises(RestoreError, match=r"none.dump cannot be read: No such file"):
            restore(tmp_path / "none.dump", empty.url)

    @pytest.mark.parametrize("values", [{"version": 2}, {"rows": 1, "unknown": 1}, {"created_at": 1}])
    def test_manifest(self, values: dict[str, object], saved: Backup, empty: Database) -> None:
        """A manifest that cannot be understood is refused."""
        rewritten(saved, **values)

        with pytest.raises(RestoreError, match=r"The manifest .* cannot be read"):
            restore(saved.file, empty.url)

    def test_sql_that_is_cut_off(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """SQL without its last line is refused: psql would carry out what there is."""
        file = tmp_path / "backup.sql"
        file.write_bytes(pg_dump(filled)[:-200])

        with pytest.raises(RestoreError, match="is cut off: the last line"):
            restore(file, empty.url)

    def test_sql_that_connects(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """SQL that goes to another database by itself is refused."""
        file = tmp_path / "backup.sql"
        file.write_bytes(pg_dump(filled, "--create"))

        with pytest.raises(RestoreError, match="a database of its own choice"):
            restore(file, empty.url)

    def test_sql_that_fails(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """SQL that the server refuses in the middle is undone, and no row is in the message."""
        file = tmp_path / "backup.sql"
        file.write_bytes(pg_dump(filled).replace(b"ada@example.com", b"grace@example.com"))

        with pytest.raises(RestoreError, match=r"duplicate key|could not create unique index") as caught:
            restore(file, empty.url)
        assert "grace" not in str(caught.value)

    def test_no_dump(self, empty: Database, tmp_path: Path) -> None:
        """What is no dump is refused."""
        file = tmp_path / "notes.txt"
        file.write_text("DROP TABLE users;")

        with pytest.raises(RestoreError, match="is no dump of one database"):
            restore(file, empty.url)

    def test_tools_that_cannot_read_it(self, filled: Database, empty: Database, tmp_path: Path) -> None:
        """A dump of a later format than every pg_restore knows is refused."""
        done = backup(filled.url, directory=tmp_path / "backups", binaries=find_binaries(18))

        with pytest.raises(RestoreError, match=r"cannot be read: .*unsupported version"):
            restore(done.file, empty.url, binaries=find_binaries(16))

    def test_a_reader_that_fails(self, saved: Backup, empty: Database, script: Script) -> None:
        """Where pg_restore ends in the middle, what psql has carried out so far is undone."""
        tools = find_binaries(16)
        for name in ("pg_dump", "psql"):
            directory = script(name, f'exec {shlex.quote(str(tools / name))} "$@"')
        script(
            "pg_restore",
            f'[ "$1" = --list ] && exec {shlex.quote(str(tools))}/pg_restore "$@"\n'
            "echo 'CREATE TABLE public.half ();'; echo 'pg_restore: error: lost' >&2; exit 1",
        )

        with pytest.raises(RestoreError, match="as it was: pg_restore: error: lost"):
            restore(saved.file, empty.url, binaries=directory)

    def test_while_a_deployer_works(self, saved: Backup, empty: Database) -> None:
        """While somebody migrates the database, the restore waits, and then gives up."""
        with migration_lock(engine_for(empty.url)), pytest.raises(MigrationLockedError):
            restore(saved.file, empty.url, force=True, lock_timeout=timedelta(0))

    def test_name_of_an_empty_one(self, saved: Backup, empty: Database) -> None:
        """A name that is given must be right, also where nothing is lost."""
        with pytest.raises(RestoreError, match=r'The database is ".*", not "blog"'):
            restore(saved.file, empty.url, name="blog")

    def test_others_connected(self, saved: Backup, empty: Database) -> None:
        """While others are connected it is refused."""
        with (
            psycopg.connect(empty.url, autocommit=True),
            pytest.raises(RestoreError, match=r"Other sessions are connected to the database: 1.*Stop the application"),
        ):
            restore(saved.file, empty.url)


def test_one_who_leaves(saved: Backup, empty: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    """A session that ends meanwhile, as one that was closed a moment ago does, is waited for."""
    monkeypatch.setattr("pgauthkit.ops.server.presence._TRIES", 1200)
    other = psycopg.connect(empty.url)
    leaving = threading.Timer(0.5, other.close)
    leaving.start()
    try:
        assert restore(saved.file, empty.url).discrepancies == ()
    finally:
        leaving.join()


class TestNotEmpty:
    def test_refused(self, saved: Backup, filled: Database) -> None:
        """A database that is not empty is refused, with both ways on."""
        checksums = filled.checksums()

        with pytest.raises(
            RestoreError, match=rf'"{filled.name}" is not empty.*--to URL.*--clean --force {filled.name}'
        ):
            restore(saved.file, filled.url)

        assert filled.checksums() == checksums

    @pytest.mark.parametrize("name", [None, "blog"])
    def test_other_name(self, name: str | None, saved: Backup, filled: Database) -> None:
        """To drop all that is in it takes its name."""
        checksums = filled.checksums()

        with pytest.raises(RestoreError, match=rf'The database is "{filled.name}", not "{name or ""}"'):
            restore(saved.file, filled.url, clean=True, name=name)

        assert filled.checksums() == checksums

    def test_forced(self, saved: Backup, filled: Database) -> None:
        """Forced, it goes on while others are connected, unless they hold a table: then all stays as it is."""
        checksums = filled.checksums()
        with psycopg.connect(filled.url) as connection:
            connection.execute("SELECT FROM app.posts")
            with pytest.raises(RestoreError, match=r"as it was: .*canceling statement due to lock timeout"):
                restore(saved.file, filled.url, clean=True, name=filled.name, force=True)
            connection.rollback()

            assert restore(saved.file, filled.url, clean=True, name=filled.name, force=True).discrepancies == ()
        assert filled.checksums() == checksums


class TestCompared:
    def test_rows_and_revisions(self, saved: Backup, empty: Database) -> None:
        """What is not as the manifest says is told, each with both numbers."""
        rows = {**saved.manifest.rows, "app.posts": 3, "app.gone": 1}
        del rows["pgauthkit.users"]
        rewritten(saved, rows=rows, revisions={"pgauthkit.alembic_version": ["0000"], "public.none": []})

        assert restore(saved.file, empty.url).discrepancies == (
            Discrepancy(what="rows of app.gone", backup="1", database="no such table"),
            Discrepancy(what="rows of app.posts", backup="3", database="2"),
            Discrepancy(what="rows of pgauthkit.users", backup="no such table", database="2"),
            Discrepancy(what="revisions of pgauthkit.alembic_version", backup="0000", database=bundled_revisions()[-1]),
        )

    def test_pending(self, empty: Database, tmp_path: Path) -> None:
        """What a deployment would now apply is told."""
        empty.run("CREATE TABLE public.posts ()")
        done = backup(empty.url, directory=tmp_path)

        restored = restore(done.file, empty.url, clean=True, name=empty.name)

        assert (restored.discrepancies, restored.pending) == ((), bundled_revisions())


class TestContainer:
    @pytest.mark.parametrize("format_", ["custom", "plain"])
    def test_runs_the_programs_inside(
        self, format_: Format, filled: Database, engine_on_path: Path, tmp_path: Path
    ) -> None:
        """pg_restore and psql are run by podman, which gets the file on standard input."""
        done = backup(filled.url, directory=tmp_path / "backups", format=format_)

        restored = restore(done.file, filled.url, clean=True, name=filled.name, container="blog-postgres")

        programs = [line.split()[5] for line in engine_on_path.read_text().splitlines()]
        assert (
            programs == ["pg_dump", "psql"] if format_ == "plain" else ["pg_dump", "pg_restore", "psql", "pg_restore"]
        )
        assert restored.discrepancies == ()
