"""The file of a dump: written under another name until it is whole and on the disk, and recognised when it is read."""

import fcntl
import mmap
import os
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pgauthkit.errors import BackupError, RestoreError
from pgauthkit.ops.child import start
from pgauthkit.ops.manifest import Format, Manifest
from pgauthkit.ops.programs import Programs

__all__ = ["claimed", "publish", "recognise", "refusal", "require_whole_script", "unfinished"]

_PARTIAL: Final = ".partial"
_MAGIC: Final = b"PGDMP"
_BEGINNING: Final = b"-- PostgreSQL database dump"
_END: Final = b"-- PostgreSQL database dump complete"
_TAIL: Final = 1024  # bytes, in which the end stands, with what current releases write below it
_LEAVES: Final = re.compile(rb"^\\(connect|c)\s", re.MULTILINE)


@contextmanager
def claimed(directory: Path) -> Generator[int]:
    """Make a directory for backups, keep everybody else from writing one into it, and yield it as a descriptor.

    The claim ends with this process, however that ends. What one that was killed has left is removed.

    Raises:
        BackupError: another backup is being written, or it is no directory of ours.

    Example:
        >>> with claimed(Path("backups")):  # doctest: +SKIP
        ...     ...
    """
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY)
    except OSError as error:
        raise BackupError(f"There can be no backup in {directory}: {error.strerror}.") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise BackupError(f"Another backup is being written into {directory}. Try again when it is done.") from None
        for left in directory.glob(f".*{_PARTIAL}"):
            left.unlink()
        yield descriptor
    finally:
        os.close(descriptor)


@contextmanager
def unfinished(file: Path) -> Generator[IO[bytes]]:
    """Open a file that only its owner may read, to be written under a temporary name, which is removed at the end.

    Example:
        >>> with unfinished(Path("backups/blog.dump")) as dump:  # doctest: +SKIP
        ...     dump.name
        'backups/.blog.dump.partial'
    """
    path = file.with_name(f".{file.name}{_PARTIAL}")
    with open(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600), "r+b", buffering=0) as dump:  # noqa: PTH123 - by descriptor
        try:
            yield dump
        finally:
            path.unlink(missing_ok=True)


def publish(file: Path, manifest: Manifest, dump: IO[bytes], *, directory: int) -> None:
    """Give a dump its name, once it and its manifest are on the disk. The manifest first: no dump is without one.

    Args:
        file: the dump's name.
        manifest: what it says of it.
        dump: the dump, as `unfinished` opened it.
        directory: the descriptor of the directory.

    Example:
        >>> publish(Path("backups/blog.dump"), manifest, dump, directory=descriptor)  # doctest: +SKIP
    """
    os.fsync(dump.fileno())
    with unfinished(Manifest.path(file)) as beside:
        beside.write(manifest.as_json().encode())
        beside.flush()
        os.fsync(beside.fileno())
        _named(Manifest.path(file), directory)
    _named(file, directory)


def recognise(dump: IO[bytes], name: str) -> Format:
    """Tell in which format a dump is.

    Raises:
        RestoreError: it is none of pg_dump's, or one of the whole server.

    Example:
        >>> recognise(io.BytesIO(b"PGDMP..."), "blog.dump")
        'custom'
    """
    dump.seek(0)
    head = dump.read(_TAIL)
    dump.seek(0)
    if head.startswith(_MAGIC):
        return "custom"
    if _BEGINNING in head:
        return "plain"
    raise RestoreError(
        f"{name} is no dump of one database: it is neither of pg_dump's own format nor its SQL. Nothing was changed."
    )


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
    with mmap.mmap(dump.fileno(), 0, access=mmap.ACCESS_READ) as text:
        if text.rfind(_END, max(0, len(text) - _TAIL)) < 0:
            raise RestoreError(f"{name} is cut off: the last line of pg_dump's is missing. Nothing was changed.")
        if _LEAVES.search(text):
            raise RestoreError(
                f"{name} connects to a database of its own choice (pg_dump --create). Nothing was changed."
                " Take a dump without --create."
            )


def _named(file: Path, directory: int) -> None:
    file.with_name(f".{file.name}{_PARTIAL}").rename(file)
    os.fsync(directory)
