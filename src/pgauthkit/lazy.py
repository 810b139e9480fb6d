"""Names of a package that are imported when they are first used."""

from collections.abc import Callable, Mapping
from importlib import import_module

__all__ = ["lazy"]


def lazy(package: str, homes: Mapping[str, str], *, extra: str | None = None) -> Callable[[str], object]:
    """Return a module's `__getattr__` (PEP 562).

    So the pytest plugin and the command line, which are loaded often and used seldom, do not pay for SQLAlchemy.

    Args:
        package: the `__name__` of the module.
        homes: which module each public name lives in.
        extra: what pip calls the packages that these modules need besides our own dependencies.

    Raises:
        ModuleNotFoundError: from the function that is returned, where a package of the extra is not installed.

    Example:
        >>> lazy("package", {"dumps": "json"})("dumps").__name__
        'dumps'
    """

    def find(name: str) -> object:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            module = import_module(homes[name])
        except ModuleNotFoundError as error:
            if not extra or str(error.name).startswith("pgauthkit"):
                raise
            missing = str(error.name).partition(".")[0]
            message = f'{package}.{name} needs the package {missing}, of an extra: pip install "pgauthkit[{extra}]"'
            raise ModuleNotFoundError(message, name=missing) from error
        return getattr(module, name)

    return find
