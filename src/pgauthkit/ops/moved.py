"""Finds a module of `ops` by its noun alone, as it was imported before the rooms: `pgauthkit.ops.drift`."""

import sys
from collections.abc import Sequence
from importlib import import_module
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Final

__all__ = ["find_by_noun"]

_FLOOR: Final = "pgauthkit.ops"
_ROOMS: Final = ("migrate", "dump", "revisions", "project", "server")


class _ByNoun(MetaPathFinder, Loader):
    """Asked last of all, so an import that finds its module pays nothing."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002 - the signature is Python's
        target: ModuleType | None = None,  # noqa: ARG002 - the same
    ) -> ModuleSpec | None:
        floor, _, noun = fullname.rpartition(".")
        if floor != _FLOOR:
            return None
        places = (f"{_FLOOR}.{room}.{noun}" for room in _ROOMS)
        found = next((place for place in places if find_spec(place)), None)
        return ModuleSpec(fullname, self, origin=found) if found else None

    def exec_module(self, module: ModuleType) -> None:
        # Python returns what is in sys.modules afterwards: the one module, under both of its names.
        place = str(module.__spec__ and module.__spec__.origin)
        sys.modules[module.__name__] = import_module(place)


def find_by_noun() -> None:
    """Let names such as `pgauthkit.ops.drift` be imported."""
    sys.meta_path.append(_ByNoun())
