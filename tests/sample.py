"""A plugin that takes a sample of the tests, from every file: `-p tests.sample`.

Without a list that somebody has to keep: a new file is in it from its first day.
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import Final

import pytest

__all__ = ["pytest_collection_modifyitems", "sample"]

FUNCTIONS: Final = 2
CASES: Final = 2  # of each function: often that is the sync twin and the async one


def sample(items: Iterable[pytest.Item]) -> list[pytest.Item]:
    """Return the first cases of the first functions of each file, but for those that are repeated to be sure."""
    cases: dict[str, dict[str, list[pytest.Item]]] = defaultdict(lambda: defaultdict(list))
    for item in items:
        file, _, function = item.nodeid.partition("::")
        cases[file][function.partition("[")[0]].append(item)
    return [
        item
        for functions in cases.values()
        for found in list(functions.values())[:FUNCTIONS]
        for item in found[:CASES]
        if not item.get_closest_marker("torture")
    ]


@pytest.hookimpl(tryfirst=True)  # before they are shuffled
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave the rest out."""
    chosen = sample(items)
    names = {item.nodeid for item in chosen}
    config.hook.pytest_deselected(items=[item for item in items if item.nodeid not in names])
    items[:] = chosen
