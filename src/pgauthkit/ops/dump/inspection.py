"""Looking at a dump before anything is done with it: whole, unaltered, of one database, readable."""

import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

import attrs

from pgauthkit.errors import RestoreError
from pgauthkit.ops.dump.child import start
from pgauthkit.ops.dump.manifest import Format, Manifest, digest
from pgauthkit.ops.dump.programs import Programs

__all__ = ["Dump", "open_dump", "refusal", "require_whole_script"]

_MAGIC: Final = b"PGDMP"
_BEGINNING: Final = b"-- PostgreSQL database dump"
_END: Final = b"-- PostgreSQL database dump complete"
_TAIL: Final = 1024  # bytes, in which the end stands, with what current releases write below it
# Near the beginning, and after what makes the database; anywhere else psql refuses it, and a text may have such a line.
_LEAVES: Final = re.compile(rb"^CREATE DATABASE .{,4096}?^\\connect\s", re.MULTILINE | re.DOTALL)
_HEAD: Final = 1 << 14  # bytes
_UNTOUCHED: Final = "The database was not touched."


@attrs.frozen(kw_only=True)
class Dump:
    """A dump that was looked at.

    Attributes:
        path: where it is.
        file: the file, open.
        format: pg_dump's own, or SQL.
        manifest: what stands beside it; None where nothing does.
    """

    path: Path
    file: IO[bytes]
    format: Format
    manifest: Manifest | None


@contextmanager
def open_dump(path: Path) -> Generator[Dump]:
    """Open a dump, and compare it with its manifest, where it has one.

    Raises:
        RestoreError: it is missing, cut off, altered, or no dump of one database.

    Example:
        >>> with open_dump(Path("backups/app-20260131T030000Z.dump")) as dump:  # doctest: +SKIP
        ...     dump.format
        'custom'
    """
    manifest = Manifest.read(path)
    try:
        file = path.open("rb", buffering=0)  # A program reads on from where the descriptor is.
    except OSError as error:
        raise RestoreError(f"{path} cannot be read: {error.strerror}.") from error
    with file:
        if manifest:
            _compare(file, path.name, manifest)
        format_ = _recognise(file, path.name)
        if format_ == "plain":
            require_whole_script(file, path.name)
        yield Dump(path=path, file=file, format=format_, manifest=manifest)


def refusal(programs: Programs, dump: IO[bytes]) -> str | None:
    """Return why `pg_restore --list` cannot read a dump of its own format; None when it can.

    Example:
        >>> refusal(programs, dump)  # doctest: +SKIP
        'pg_restore: error: unsupported version (1.16) in file header'
    """
    dump.seek(0)
    with start(programs.command("pg_restore", "--list"), environment=os.environ, stdin=dump) as child:
        why = child.wait()
    dump.seek(0)
    return why


def require_whole_script(dump: IO[bytes], name: str) -> None:
    """Refuse SQL that is cut off, which would be carried out as far as it goes, or that leaves the database.

    Raises:
        RestoreError: it does not end as pg_dump's does, or connects to another database.
    """
    dump.seek(max(0, os.fstat(dump.fileno()).st_size - _TAIL))
    if _END not in dump.read():
        raise RestoreError(f"{name} is cut off: the last line of pg_dump's is missing. {_UNTOUCHED}")
    dump.seek(0)
    if _LEAVES.search(dump.read(_HEAD)):
        raise RestoreError(
            f"{name} connects to a database of its own choice (pg_dump --create). {_UNTOUCHED}"
            " Take a dump without --create."
        )


def _compare(file: IO[bytes], name: str, manifest: Manifest) -> None:
    if os.fstat(file.fileno()).st_size != manifest.size:
        raise RestoreError(f"{name} is cut off or altered: its size is not what its manifest says. {_UNTOUCHED}")
    if digest(file) != manifest.sha256:
        raise RestoreError(f"{name} was altered: its checksum is not what its manifest says. {_UNTOUCHED}")


def _recognise(file: IO[bytes], name: str) -> Format:
    head = file.read(_TAIL)
    if head.startswith(_MAGIC):
        return "custom"
    if _BEGINNING in head:
        return "plain"
    raise RestoreError(
        f"{name} is no dump of one database: it is neither of pg_dump's own format nor its SQL. {_UNTOUCHED}"
    )
