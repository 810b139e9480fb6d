"""`rehearse`: a dump that was restored once, on a server of its own."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pgauthkit.database.binaries import find_binaries
from pgauthkit.errors import DatabaseUnavailableError, RestoreError
from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.inspection import open_dump
from pgauthkit.ops.dump.verification import _major, rehearse

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.ops.conftest import Database

    from pgauthkit.ops.dump.manifest import Format


@pytest.mark.pg18
@pytest.mark.parametrize("format_", ["custom", "plain"])
def test_rehearses(format_: Format, filled: Database, tmp_path: Path) -> None:
    """It is restored without the roles of its server, and compared; it pays for no statistics."""
    # Roles are the server's, so that they are named after the database.
    first, second = f"{filled.name}_first", f'"{filled.name} ""second"""'
    filled.run(f"CREATE ROLE {first}", f"CREATE ROLE {second}")
    filled.run(f"ALTER TABLE app.posts OWNER TO {first}", f"GRANT SELECT ON public.v TO {second}, PUBLIC")
    try:
        done = backup(filled.url, directory=tmp_path, format=format_)
    finally:
        filled.run(f"DROP OWNED BY {first}, {second} CASCADE", f"DROP ROLE {first}, {second}")

    rehearsed = rehearse(done.file)

    assert (rehearsed.discrepancies, rehearsed.after) == ((), done.manifest.rows)
    assert rehearsed.statistics is None


def test_damaged(filled: Database, tmp_path: Path) -> None:
    """A damaged dump is found out."""
    done = backup(filled.url, directory=tmp_path)
    done.file.write_bytes(done.file.read_bytes()[:-9])

    with pytest.raises(RestoreError, match="cut off or altered"):
        rehearse(done.file)


def test_on_a_later_server(filled: Database, tmp_path: Path) -> None:
    """Without a server of the dump's own version, one of a later version is taken."""
    done = backup(filled.url, directory=tmp_path)

    assert rehearse(done.file, binaries=find_binaries(18)).discrepancies == ()


@pytest.mark.pg18
@pytest.mark.parametrize("format_", ["custom", "plain"])
def test_without_a_manifest(format_: Format, filled: Database, major: int, tmp_path: Path) -> None:
    """A dump without a manifest is rehearsed on a server of the version that it names itself."""
    done = backup(filled.url, directory=tmp_path / "backups", format=format_)
    bare = Path(shutil.copy(done.file, tmp_path / "bare.dump"))

    with open_dump(bare) as dump:
        assert _major(dump) == major
    assert rehearse(bare).after == done.manifest.rows


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("CREATE EXTENSION IF NOT EXISTS citext WITH SCHEMA public;", "The dump needs citext, which .*--binaries"),
        ("SELECT 1/0;", "division by zero"),
    ],
)
def test_extensions(line: str, problem: str, filled: Database, tmp_path: Path) -> None:
    """Where the server lacks an extension of the dump, the way to name another server is said, and only there."""
    done = backup(filled.url, directory=tmp_path / "backups", format="plain")
    bare = tmp_path / "bare.sql"
    bare.write_text(done.file.read_text().replace("\nSET row_security", f"\n{line}\nSET row_security", 1))

    with pytest.raises(RestoreError, match=problem):
        rehearse(bare)


def test_no_server(filled: Database, script: Callable[[str, str], Path], tmp_path: Path) -> None:
    """Without PostgreSQL on this machine the error says how to get one."""
    done = backup(filled.url, directory=tmp_path / "backups")

    with pytest.raises(DatabaseUnavailableError, match="PostgreSQL 16 was not found"):
        rehearse(done.file, binaries=script("pg_dump", "exit 1"))
