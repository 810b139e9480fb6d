"""A dump is SQL and rows: it makes psql run no program, whatever is written in it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pgauthkit.database.binaries import find_binaries
from pgauthkit.errors import RestoreError
from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.restriction import without_restrictions
from pgauthkit.ops.restore import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ops.conftest import Database

HEAD = b"--\n-- PostgreSQL database dump\n--\n\n"
TAIL = b"--\n-- PostgreSQL database dump complete\n--\n\n"
TABLE = b"CREATE TABLE public.t (a text);\n"


def lines(place: str, command: bytes) -> bytes:
    """Return a dump with a command in one of the places where psql would obey it."""
    places = {
        "first": command + HEAD + TABLE + TAIL,
        "in the middle": HEAD + TABLE + command + TAIL,
        "at the end": HEAD + TABLE + TAIL + command,
        "restricted, and set free": HEAD + b"\\restrict abc\n" + TABLE + b"\\unrestrict abc\n" + command + TAIL,
        "set free twice": HEAD + b"\\restrict abc\n" + TABLE + TAIL + b"\\unrestrict abc\n\\unrestrict abc\n" + command,
        "after rows": HEAD + TABLE + b"COPY public.t FROM stdin;\nx\n\\.\n" + command + TAIL,
        "in a comment's second line": HEAD + b"-- Name: t\n" + command + b"; Type: TABLE\n" + TABLE + TAIL,
        "behind a statement": HEAD + TABLE + b"SELECT 1 " + command + TAIL,
    }
    return places[place]


class TestNothingRuns:
    @pytest.mark.parametrize(
        "place",
        [
            *("first", "in the middle", "at the end", "restricted, and set free", "set free twice", "after rows"),
            *("in a comment's second line", "behind a statement"),
        ],
    )
    def test_a_program(self, place: str, empty: Database, tmp_path: Path) -> None:
        """Wherever a dump names a program, the restore is refused, nothing runs, and the database is as it was."""
        file, touched = tmp_path / "backup.sql", tmp_path / "touched"
        file.write_bytes(lines(place, f"\\! touch {touched}\n".encode()))

        with pytest.raises(RestoreError, match=r"as it was: .*restricted"):
            restore(file, empty.url)

        assert (touched.exists(), empty.checksums()) == (False, {})

    @pytest.mark.parametrize(
        "command",
        ["\\o |touch {}", "\\copy public.t to program 'touch {}'", "\\set x `touch {}`", "SELECT 1 \\g |touch {}"],
    )
    def test_another_way(self, command: str, empty: Database, tmp_path: Path) -> None:
        """Nor does it by any other command that starts a program or writes a file."""
        file, touched = tmp_path / "backup.sql", tmp_path / "touched"
        file.write_bytes(lines("in the middle", f"{command.format(touched)}\n".encode()))

        with pytest.raises(RestoreError, match=r"as it was: .*restricted"):
            restore(file, empty.url)

        assert (touched.exists(), empty.checksums()) == (False, {})

    def test_what_an_old_pg_restore_writes(
        self, filled: Database, empty: Database, script: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        """A pg_restore that writes a name of two lines as two lines makes psql run nothing either."""
        done, touched = backup(filled.url, directory=tmp_path / "backups"), tmp_path / "touched"
        for name in ("pg_dump", "psql"):
            directory = script(name, f'exec "{find_binaries(16) / name}" "$@"')
        script("pg_restore", f"printf '%s\\n' '-- Name: a' '\\! touch {touched}' 'SELECT 1;'")

        with pytest.raises(RestoreError, match=r"as it was: .*restricted"):
            restore(done.file, empty.url, binaries=directory)

        assert (touched.exists(), empty.checksums()) == (False, {})

    def test_a_psql_that_cannot_be_restricted(
        self, filled: Database, empty: Database, script: Callable[[str, str], Path], tmp_path: Path
    ) -> None:
        """A psql of before the mend is refused, whichever its major version, and the format of the dump."""
        done = backup(filled.url, directory=tmp_path / "backups")
        for version in ("16.9", "12.22", "17beta1"):
            directory = script("pg_dump", f"echo 'pg_dump (PostgreSQL) {version}'")
            with pytest.raises(RestoreError, match=rf"psql {version} can be made to run programs .*not touched"):
                restore(done.file, empty.url, binaries=directory)


class TestRows:
    def test_that_look_like_commands(self, database: Database, empty: Database, tmp_path: Path) -> None:
        """Rows, bodies and comments whose lines begin as commands do are restored as they are."""
        text = "E'\\restrict abc\\n\\\\restrict abc\\n\\\\connect x\\n\\\\! x\\restrict'"
        database.run(f"CREATE TABLE public.t AS SELECT {text} AS a", f"COMMENT ON TABLE public.t IS {text}")
        database.run("CREATE FUNCTION public.f() RETURNS text LANGUAGE sql AS $$SELECT '\n\\connect x\n\\! x'$$")
        checksums = database.checksums()
        done = backup(database.url, directory=tmp_path, format="plain")

        assert restore(done.file, empty.url).discrepancies == ()

        assert empty.checksums() == checksums
        assert empty.ask("SELECT public.f()") == database.ask("SELECT public.f()")

    def test_of_every_size(self) -> None:
        """Of the dump's own lines none is left, wherever the pieces end in which it is read."""
        sql = b"x" * 2000
        dump = HEAD + b"\\restrict abc\n" + sql + TAIL + b"\\unrestrict abc\n\n"
        for size in (100, 1024, 1500, 5000):
            pieces = [dump[at : at + size] for at in range(0, len(dump), size)]
            assert b"".join(without_restrictions(iter(pieces))) == HEAD + sql + TAIL + b"\n"
        assert b"".join(without_restrictions(iter([]))) == b""
