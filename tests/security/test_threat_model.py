"""The threat model names tests that exist."""

import ast
import re
from pathlib import Path
from typing import Final

import pytest

TESTS: Final = Path(__file__).parents[1]
PAGE: Final = TESTS.parent / "docs" / "explanation" / "threat-model.md"
ROWS: Final = [line for line in PAGE.read_text().splitlines() if line.startswith("| ") and "---" not in line]
NAMED: Final = sorted(set(re.findall(r"`([\w/]+\.py)::(\w+)`", PAGE.read_text())))


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_a_named_test_exists(path: str, name: str) -> None:
    """Each test that the page names is in the file that it names."""
    tree = ast.parse((TESTS / path).read_text())
    assert name in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("row", ROWS, ids=[row.split("|")[1].strip() for row in ROWS])
def test_every_row_names_a_test(row: str) -> None:
    """No promise, and no advisory, stands in a table without a test beside it."""
    assert row.endswith("| verified by |") or re.search(r"`[\w/]+\.py::test_\w+` \|$", row)


@pytest.mark.parametrize("folder", ["races", "security"])
def test_every_test_is_named(folder: str) -> None:
    """No test of the races, or of these promises, is left out of the page."""
    tests = {
        (f"{folder}/{path.name}", node.name)
        for path in (TESTS / folder).glob("test_*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
    }
    assert set() == tests - set(NAMED)
