"""`Retention`: what may go goes, and the only good backup never does."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from pgauthkit.errors import ConfigError
from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.dump.retention import Retention

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.conftest import Database

NOW = datetime(2026, 1, 31, 3, tzinfo=UTC)
DUMP = b"PGDMP"
MANIFEST = Manifest(
    database="blog",
    created_at=NOW,
    format="custom",
    schema_only=False,
    size=len(DUMP),
    sha256=hashlib.sha256(DUMP).hexdigest(),
    server_version="16.14",
    tool_version="16.14",
    revisions={},
    rows={},
)


def saved(directory: Path, days_ago: int, manifest: Manifest = MANIFEST) -> Path:
    file = directory / f"{manifest.database}-{days_ago}-{manifest.schema_only}-{manifest.size}.dump"
    file.write_bytes(DUMP)
    Manifest.path(file).write_text(attrs.evolve(manifest, created_at=NOW - timedelta(days=days_ago)).as_json())
    return file


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    """Six backups, of today and the five days before."""
    return [saved(tmp_path, days) for days in range(6)]


@pytest.mark.parametrize(
    ("keep", "days", "kept"),
    [(None, None, 6), (1, None, 1), (3, None, 3), (9, None, 6), (None, 0, 1), (None, 2, 3), (2, 3, 4), (4, 1, 4)],
)
def test_keeps(keep: int | None, days: int | None, kept: int, files: list[Path]) -> None:
    """The last so many are kept, and those that are young enough; of both rules, what either keeps."""
    retention = Retention(keep=keep, keep_for=None if days is None else timedelta(days=days))

    deleted = retention.apply(files[0], MANIFEST)

    assert list(deleted) == files[kept:]
    assert [file.exists() and Manifest.path(file).exists() for file in files] == [True] * kept + [False] * (6 - kept)


def test_others_do_not_count(tmp_path: Path, files: list[Path]) -> None:
    """Another database's, those without rows, damaged ones and strange files are neither counted nor deleted."""
    changes: tuple[dict[str, Any], ...] = ({"database": "shop"}, {"schema_only": True}, {"size": 6})
    others = [saved(tmp_path, 1, attrs.evolve(MANIFEST, **values)) for values in changes]
    missing = saved(tmp_path, 9)
    missing.unlink()
    (tmp_path / "notes.json").write_text("[]")

    assert list(Retention(keep=2).apply(files[0], MANIFEST)) == files[2:]

    assert all(file.exists() for file in others)
    assert Manifest.path(missing).exists()


def test_a_schema_does_not_push_rows_out(database: Database, tmp_path: Path) -> None:
    """A backup of the schema alone never takes the place of one with rows; the one just made stays in any case."""
    whole = backup(database.url, directory=tmp_path)
    first, second = (backup(database.url, directory=tmp_path, schema_only=True, keep=1) for _ in range(2))

    assert (first.deleted, second.deleted) == ((), (first.file,))
    assert whole.file.exists()
    assert backup(database.url, directory=tmp_path, keep=1).deleted == (whole.file,)
    assert second.file.exists()


def test_checked() -> None:
    """All that is wrong is told at once."""
    with pytest.raises(ConfigError) as caught:
        Retention(keep=0, keep_for=timedelta(days=-1))

    assert len(caught.value.problems) == 2
