"""The file of a dump: written under another name until it is whole and on the disk."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Final

from pgauthkit.errors import BackupError
from pgauthkit.ops.dump.manifest import Manifest

__all__ = ["claimed", "publish", "unfinished"]

_PARTIAL: Final = ".partial"


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
        try:
            _lock(descriptor, directory)
            for left in directory.glob(f".*{_PARTIAL}"):
                left.unlink()
            yield descriptor
        finally:
            os.close(descriptor)
    except OSError as error:
        raise BackupError(f"The backup into {directory} failed: {error.strerror}.") from error


@contextmanager
def unfinished(file: Path) -> Generator[IO[bytes]]:
    """Open a file that only its owner may read, to be written under a temporary name, which is removed at the end.

    Example:
        >>> with unfinished(Path("backups/blog.dump")) as dump:  # doctest: +SKIP
        ...     dump.name
        'backups/.blog.dump.partial'
    """
    path = file.with_name(f".{file.name}{_PARTIAL}")
    with path.open("x+b", buffering=0) as dump:
        path.chmod(0o600)
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


def _named(file: Path, directory: int) -> None:
    file.with_name(f".{file.name}{_PARTIAL}").rename(file)
    os.fsync(directory)


def _lock(descriptor: int, directory: Path) -> None:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BackupError(f"Another backup is being written into {directory}. Try again when it is done.") from None
