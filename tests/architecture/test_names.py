"""The documented names of release 0.1, which import from where its documentation had them."""

import importlib
from pathlib import Path

import pytest

NAMES = [
    (module, name)
    for line in (Path(__file__).parent / "names-0.1.txt").read_text().splitlines()
    for module, _, names in [line.partition(": ")]
    for name in names.split()
]


@pytest.mark.parametrize("name", NAMES, ids=".".join)
def test_a_documented_name_is_where_it_was(name: tuple[str, str]) -> None:
    """A name that was documented imports from the same module, whatever room its code has moved to."""
    assert hasattr(importlib.import_module(name[0]), name[1])


def test_an_old_module_is_the_moved_one() -> None:
    """Both names of a moved module lead to one object: what is raised under one is caught under the other."""
    assert importlib.import_module("pgauthkit.ops.drift") is importlib.import_module("pgauthkit.ops.migrate.drift")


def test_a_module_that_never_was_is_not_found() -> None:
    """A typing error in an import stays Python's own error."""
    with pytest.raises(ModuleNotFoundError, match=r"pgauthkit\.ops\.drfit"):
        importlib.import_module("pgauthkit.ops.drfit")
