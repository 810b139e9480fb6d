"""What `make release` has built: the wheel and the source distribution have what they should, and nothing else."""

import subprocess
import tarfile
import zipfile
from pathlib import Path
from typing import Final

import pytest

ROOT = Path(__file__).parents[2]
# What somebody needs who builds, tests and reads it.
SOURCES: Final = (
    *("src", "tests", "docs", "examples", "benchmarks", "findings", "conftest.py", "pyproject.toml", ".gitignore"),
    *("Makefile", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
)


def tracked(*places: str) -> set[str]:
    listing = subprocess.run(["git", "ls-files", "--", *places], cwd=ROOT, check=True, capture_output=True, text=True)  # noqa: S607 - whichever git there is
    return set(listing.stdout.splitlines())


@pytest.fixture
def dist() -> Path:
    return ROOT / "dist"


def test_the_wheel_is_the_package(dist: Path) -> None:
    """The wheel has each file of the package, its marker for types, its metadata and its licence."""
    (wheel,) = dist.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    package = {name.removeprefix("src/") for name in tracked("src/pgauthkit")}
    metadata = f"{wheel.name.removesuffix('-py3-none-any.whl')}.dist-info"
    others = {f"{metadata}/{name}" for name in ("METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE")}
    assert "pgauthkit/py.typed" in names
    assert names == package | others


def test_the_source_distribution_is_what_git_has(dist: Path) -> None:
    """The source distribution has everything that builds, tests and documents the package."""
    (archive,) = dist.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {member.name.partition("/")[2] for member in opened.getmembers() if member.isfile()}
    assert names == tracked(*SOURCES) | {"PKG-INFO"}
