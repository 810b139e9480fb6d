"""The shape of the house: sizes, first lines, public names, and a sentence on every test."""

import ast
import importlib
import pkgutil
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

import pgauthkit

SOURCE = Path(pgauthkit.__path__[0])
TESTS = Path(__file__).parents[1]
MODULES = sorted(SOURCE.rglob("*.py"))
LONGEST_MODULE, LONGEST_FUNCTION = 300, 40
MOST_MODULES = 24
DRAWERS = {"utils", "util", "helpers", "helper", "common", "misc", "tools"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    """Return a short name for a test's id."""
    return str(path.relative_to(SOURCE.parent))


def functions_in(tree: ast.AST) -> Iterator[Function]:
    """Walk over every function and method."""
    return (node for node in ast.walk(tree) if isinstance(node, Function))


def importable() -> list[ModuleType]:
    """Import every module but those that run when imported."""
    names = (found.name for found in pkgutil.walk_packages(pgauthkit.__path__, "pgauthkit."))
    left_out = ("pgauthkit.__main__", "pgauthkit.migrations.env")
    return [importlib.import_module(name) for name in names if not name.startswith(left_out) and "versions" not in name]


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_says_in_its_first_line_what_is_in_it_and_is_short(path: Path) -> None:
    """Every module begins with a sentence, has a name that is a noun, and at most 300 lines."""
    text = path.read_text()
    first = (ast.get_docstring(ast.parse(text)) or "").partition("\n")[0]
    assert first.endswith((".", ":")), first
    assert path.stem not in DRAWERS
    assert len(text.splitlines()) <= LONGEST_MODULE


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_function_is_short(path: Path) -> None:
    """No function has more than 40 lines, its docstring not counted; a revision's may."""
    if path.parent.name == "versions":
        return
    for function in functions_in(ast.parse(path.read_text())):
        lines = (function.end_lineno or 0) - function.lineno + 1
        docstring = len((ast.get_docstring(function, clean=False) or "").splitlines())
        assert lines - docstring <= LONGEST_FUNCTION, function.name


def test_no_folder_is_a_hall() -> None:
    """A folder has at most 24 modules: beyond that, it holds rooms that want names of their own."""
    counts = Counter(path.parent for path in MODULES)
    assert {name_of(folder): count for folder, count in counts.items() if count > MOST_MODULES} == {}


@pytest.mark.parametrize("module", importable(), ids=lambda module: module.__name__)
def test_all_names_what_is_public(module: ModuleType) -> None:
    """Each name in `__all__` exists, and every class and function of the module without a leading _ is in it."""
    public = set(getattr(module, "__all__", ()))
    own = {
        name
        for name, value in vars(module).items()
        if getattr(value, "__module__", None) == module.__name__ and isinstance(value, type | FunctionType)
    }
    assert {name for name in public if not hasattr(module, name)} == set()
    assert {name for name in own if not name.startswith(("_", "pytest_"))} - public == set()


def test_every_test_says_its_claim() -> None:
    """Every test has a docstring of one sentence."""
    silent = [
        f"{path.name}::{function.name}"
        for path in sorted(TESTS.rglob("test_*.py"))
        for function in functions_in(ast.parse(path.read_text()))
        if function.name.startswith("test_") and not ast.get_docstring(function)
    ]
    assert silent == []
