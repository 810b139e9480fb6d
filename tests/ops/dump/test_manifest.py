"""A manifest is read as something that anybody may have written."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import pytest

from pgauthkit.errors import BackupError
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.dump.verification import rehearse

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def dump(tmp_path: Path) -> Path:
    """A dump, of which only the manifest is looked at."""
    file = tmp_path / "blog.dump"
    manifest = Manifest(
        database="blog",
        created_at=datetime(2026, 1, 31, tzinfo=UTC),
        format="custom",
        schema_only=False,
        size=5,
        sha256="0" * 64,
        server_version="16.14",
        tool_version="16.14",
        revisions={"public.alembic_version": ("0001",)},
        rows={'public."Odd ""name"': 1},
    )
    file.write_bytes(b"PGDMP")
    Manifest.path(file).write_text(manifest.as_json())
    assert Manifest.read(file) == manifest
    return file


@pytest.mark.parametrize(
    "values",
    [
        {"server_version": "../16"},
        {"server_version": 16},
        {"created_at": "2026-01-01T00:00:00"},
        {"sha256": None},
        {"size": -1},
        {"size": "1"},
        {"rows": {"public.t": -1}},
        {"rows": {"public.t; DROP TABLE public.t": 1}},
        {"rows": []},
        {"revisions": {"t": ["a"]}},
        {"revisions": {"public.t": [1]}},
        {"database": "\ud800"},
        {"format": "tar"},
        {"schema_only": "no"},
    ],
)
def test_a_manifest_written_by_hand(values: dict[str, object], dump: Path) -> None:
    """A manifest that says what no backup of ours says is refused as a backup, before anything is done."""
    path = Manifest.path(dump)
    path.write_text(json.dumps({**json.loads(path.read_text()), **values}))

    with pytest.raises(BackupError, match=r"The manifest .* cannot be read"):
        rehearse(dump)


def test_a_manifest_without_end(dump: Path) -> None:
    """Nor is one read that is too deep."""
    Manifest.path(dump).write_text("[" * 100_000)

    with pytest.raises(BackupError, match=r"The manifest .* cannot be read"):
        rehearse(dump)
