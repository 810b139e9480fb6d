"""Rehearsing a restore: the dump, put into a PostgreSQL server that is started for it and thrown away."""

import mmap
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

from sqlalchemy import text

from pgauthkit.database.binaries import find_binaries
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import DatabaseUnavailableError, RestoreError
from pgauthkit.ops.dump.inspection import Dump, open_dump
from pgauthkit.ops.dump.restore import Restoration, restore
from pgauthkit.ops.revisions.tracks import Track
from pgauthkit.ops.server.connection import engine_for

__all__ = ["rehearse"]

_USUAL: Final = 16
_LATER: Final = 3  # major versions after the dump's own that are tried
# What a dump as SQL says of roles, which a new server lacks: https://www.postgresql.org/docs/16/app-pgdump.html
_ROLES: Final = re.compile(
    rb"^(?:ALTER [^;]* OWNER TO|GRANT [^;]* TO|REVOKE [^;]* FROM|ALTER DEFAULT PRIVILEGES FOR ROLE)"
    rb' ("(?:[^"]|"")+"|\w+)',
    re.MULTILINE,
)
# Two texts, each with its length before it, name the versions of the server and of pg_dump in pg_dump's own format.
_OF_CUSTOM: Final = re.compile(rb"\x00(\d\d)(?:\.\d|[a-z])[^\x00]{0,60}\x00.{4}\d\d", re.DOTALL)
_OF_PLAIN: Final = re.compile(rb"^-- Dumped from database version (\d+)", re.MULTILINE)
_HEAD: Final = 1024  # bytes
_EXTENSION: Final = re.compile(rb'CREATE EXTENSION (?:IF NOT EXISTS )?("[^"]+"|\w+)')
_EXTENSIONS: Final = text("SELECT name FROM pg_catalog.pg_available_extensions")
_MAKE_ROLE: Final = text("SELECT pg_catalog.format('CREATE ROLE %I', CAST(:name AS text))")


def rehearse(
    file: Path | str,
    *,
    host: Track | None = None,
    binaries: Path | None = None,
    on_progress: Callable[[int], object] | None = None,
) -> Restoration:
    """Restore a dump into a server of its own, of the same major version or a later one, and compare it.

    Owners and grants are left out, as the server does not have the roles, and so are statistics. Nothing stays of it.

    Args:
        file: the dump.
        host: the application's own revisions, to tell which are pending in it.
        binaries: the directory with PostgreSQL's programs; None to find them.
        on_progress: called now and then with the bytes of the file that were read.

    Raises:
        RestoreError: the file is missing, cut off, altered or no dump, or the server refused it.
        DatabaseUnavailableError: there is no PostgreSQL on this machine to rehearse on.

    Example:
        >>> rehearse("backups/app-20260131T030000Z.dump").discrepancies  # doctest: +SKIP
        ()
    """
    with open_dump(Path(file)) as dump:
        major = _available(_major(dump), binaries)
        roles = sorted(set(_roles(dump))) if dump.format == "plain" else []
    with EmbeddedPostgres(major=major, binaries=binaries) as server:
        _make(server.url(), roles)
        try:
            return restore(
                file,
                server.url(),
                host=host,
                owners=False,
                analyze=False,
                binaries=binaries,
                on_progress=on_progress,
            )
        except RestoreError as error:
            if missing := _missing(Path(file), server.url()):
                raise RestoreError(
                    f"The dump needs {missing}, which the PostgreSQL {major} that it was tried on lacks: name the"
                    " programs of one that has it with --binaries, or in PGAUTHKIT_PG_BIN."
                ) from error
            raise


def _major(dump: Dump) -> int:
    """Return the major version of the server that a dump is of, by its manifest or its own beginning."""
    if dump.manifest:
        return int(dump.manifest.server_version.partition(".")[0])
    dump.file.seek(0)
    found = (_OF_CUSTOM if dump.format == "custom" else _OF_PLAIN).search(dump.file.read(_HEAD))
    dump.file.seek(0)
    return int(found[1]) if found else _USUAL


def _missing(file: Path, url: str) -> str:
    """Return the extensions that a dump makes and a server lacks."""
    with file.open("rb") as dump, mmap.mmap(dump.fileno(), 0, access=mmap.ACCESS_READ) as text_of_it:
        needed = {found[1].decode().strip('"') for found in _EXTENSION.finditer(text_of_it)}
    with engine_for(url).connect() as connection:
        return ", ".join(sorted(needed - set(connection.scalars(_EXTENSIONS))))


def _available(major: int, binaries: Path | None) -> int:
    for one in range(major, major + _LATER + 1):
        try:
            find_binaries(one, binaries=binaries)
        except DatabaseUnavailableError:
            continue
        return one
    return major  # Whose absence is explained best where it is started.


def _roles(dump: Dump) -> Iterator[str]:
    with mmap.mmap(dump.file.fileno(), 0, access=mmap.ACCESS_READ) as script:
        for found in _ROLES.finditer(script):
            role = found[1].decode()
            yield role[1:-1].replace('""', '"') if role.startswith('"') else role


def _make(url: str, roles: list[str]) -> None:
    engine = engine_for(url)
    with engine.begin() as connection:
        for role in roles:
            if role not in {"postgres", "PUBLIC"}:
                connection.exec_driver_sql(str(connection.scalar(_MAKE_ROLE, {"name": role})))
