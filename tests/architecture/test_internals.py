"""What is used of SQLAlchemy beyond its documented names, and where it may be."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import pgauthkit
from pgauthkit.repositories.generic.plans import identity, internals

ROOM = Path(pgauthkit.__path__[0], "repositories")
# The second is what sessions keep of objects.
THE_PLACES = {Path(internals.__file__), Path(identity.__file__)}
# Each with its own reason: no public name tells the variants of a type, what is behind VALUES, or psycopg's BEGIN.
ELSEWHERE = {
    "generic/typed.py": {"_variant_mapping"},
    "generic/mapping/listeners.py": {"_post_values_clause"},
    "generic/plans/joining.py": {"_get_tx_start_command"},
}
# Ours: in the dictionary of an object, on a list, and a class.
OURS = {"_sa_pgauthkit_origin", "_sa_pgauthkit_owner", "_Included"}


def half_private(path: Path) -> set[str]:
    """Return the names with a leading underscore that a module looks up in what is not its own."""
    return set(_looked_up(ast.parse(path.read_text()))) - OURS


def _looked_up(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            is_own = isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}
            names = [] if is_own else [node.attr]
        else:  # as for `getattr`
            names = [node.value] if isinstance(node, ast.Constant) and isinstance(node.value, str) else []
        yield from (name for name in names if name.isidentifier() and name.strip("_") and is_private(name))


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def test_one_place() -> None:
    """Each is used in `internals` or `identity`, so that another version of SQLAlchemy has one place to look at."""
    modules = set(ROOM.rglob("*.py")) - THE_PLACES
    found = {path.relative_to(ROOM).as_posix(): half_private(path) for path in modules}
    assert {module: names for module, names in found.items() if names} == ELSEWHERE
    assert {"_generate_cache_key", "_sa_instance_state"} <= half_private(Path(internals.__file__))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        ("element._key()", {"_key"}),
        ("getattr(state, '_key')", {"_key"}),
        ("self._key, cls._key, element.key, x.__dict__, _key, '_', '_two words'", set[str]()),
    ],
)
def test_what_is_found(tmp_path: Path, source: str, names: set[str]) -> None:
    """A name is found as an attribute and as text, but not among a class's own."""
    module = tmp_path / "module.py"
    module.write_text(source)
    assert half_private(module) == names
