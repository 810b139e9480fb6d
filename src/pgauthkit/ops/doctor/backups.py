"""The check of backups: is there one that is whole and young enough."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from pgauthkit.database.url import read_url
from pgauthkit.errors import RestoreError
from pgauthkit.ops.doctor.finding import Finding, SetUp
from pgauthkit.ops.dump.manifest import Manifest

__all__ = ["check_backups"]

_ADVICE: Final = "Run pgauthkit backup, and from crontab: pgauthkit backup --schedule prints the line."


def check_backups(set_up: SetUp) -> Iterator[Finding]:
    """Look for the newest dump with rows of this database whose size is what its manifest says."""
    if set_up.backups is None:
        return
    newest = max(_ages(set_up.backups, str(read_url(set_up.direct)[0].database)), default=None)
    if newest is None:
        message = f"There is no whole backup of this database in {set_up.backups}."
        yield Finding(check="backups", level="wrong", message=message, advice=_ADVICE)
        return
    age = datetime.now(UTC) - newest
    message = f"The newest backup is {_told(age)} old."
    if age > set_up.backup_age:
        yield Finding(check="backups", level="wrong", message=message, advice=_ADVICE)
    else:
        yield Finding(check="backups", level="ok", message=message)


def _ages(directory: Path, database: str) -> Iterator[datetime]:
    for path in directory.glob("*.json"):
        file = path.with_suffix("")
        try:
            manifest = Manifest.read(file)
        except RestoreError:
            continue  # Not one of our files.
        if manifest and manifest.database == database and not manifest.schema_only and _is_whole(file, manifest):
            yield manifest.created_at


def _is_whole(file: Path, manifest: Manifest) -> bool:
    return file.is_file() and file.stat().st_size == manifest.size


def _told(age: timedelta) -> str:
    hours = max(0, round(age.total_seconds() / 3600))
    return f"{hours} h" if hours < 48 else f"{hours // 24} days"  # noqa: PLR2004 - two days
