"""Which old backups may go: never the newest whole one, and none that is of another kind or damaged."""

from datetime import timedelta
from pathlib import Path

import attrs

from pgauthkit.errors import ConfigError, RestoreError
from pgauthkit.ops.dump.manifest import Manifest

__all__ = ["Retention"]


@attrs.frozen(kw_only=True)
class Retention:
    """How many backups are kept, or for how long; what either of the two keeps is kept. None of them keeps all.

    Attributes:
        keep: how many, the one just made included.
        keep_for: how long.

    Raises:
        ConfigError: `keep` is less than 1, or `keep_for` negative.
    """

    keep: int | None = None
    keep_for: timedelta | None = None

    def __attrs_post_init__(self) -> None:
        """Check both."""
        problems = ["keep: it must be 1 or more."] if self.keep is not None and self.keep < 1 else []
        if self.keep_for is not None and self.keep_for < timedelta(0):
            problems.append("keep_for: it must not be negative.")
        if problems:
            raise ConfigError(problems)

    def apply(self, newest: Path, manifest: Manifest) -> tuple[Path, ...]:
        """Delete what need not be kept of the directory, and return the dumps that were deleted, the newest first.

        Only whole dumps of the same database count, with rows or without as the newest: of the others, none is deleted.

        Args:
            newest: the dump that was just made and checked; it stays.
            manifest: its manifest.

        Example:
            >>> Retention(keep=7).apply(backup.file, backup.manifest)  # doctest: +SKIP
            (PosixPath('backups/blog-20260124T030000Z.dump'),)
        """
        if self.keep is None and self.keep_for is None:
            return ()
        older = sorted(_alike(newest, manifest), key=lambda found: (found[1].created_at, found[0].name), reverse=True)
        kept = older[: self.keep - 1] if self.keep is not None else []
        gone = [file for file, of in older if (file, of) not in kept and not self._is_young(of, manifest)]
        for file in gone:
            file.unlink()  # Before its manifest, so that a dump always has one.
            Manifest.path(file).unlink()
        return tuple(gone)

    def _is_young(self, manifest: Manifest, newest: Manifest) -> bool:
        return self.keep_for is not None and newest.created_at - manifest.created_at <= self.keep_for


def _alike(newest: Path, manifest: Manifest) -> list[tuple[Path, Manifest]]:
    found: list[tuple[Path, Manifest]] = []
    for path in newest.parent.glob("*.json"):
        file = path.with_suffix("")
        try:
            other = Manifest.read(file)
        except RestoreError:
            continue  # Not one of our files.
        is_alike = other and (other.database, other.schema_only) == (manifest.database, manifest.schema_only)
        if other and is_alike and file != newest and file.is_file() and file.stat().st_size == other.size:
            found.append((file, other))
    return found
