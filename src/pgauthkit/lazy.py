"""Names of a package that are imported when they are first used."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str]) -> Callable[[str], object]:
    """Return a module's `__getattr__` (PEP 562).

    So the pytest plugin and the command line, which are loaded often and used seldom, do not pay for SQLAlchemy.

    Args:
        package: the `__name__` of the module.
        homes: which module each public name lives in.
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(import_module(homes[name]), name)

    return find
