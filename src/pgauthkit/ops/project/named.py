"""What the setting `models` names: declarative bases, registries, metadata, modules, or several of them."""

from collections.abc import Collection, Iterator
from functools import reduce
from importlib import import_module
from types import ModuleType
from typing import cast

from sqlalchemy import MetaData
from sqlalchemy.orm import Mapper, mapperlib, registry

from pgauthkit.errors import ConfigError
from pgauthkit.ops.project.loading import reason

__all__ = ["named", "registries_in"]


def named(models: str) -> list[object]:
    """Import what a setting names.

    Args:
        models: `module:name`, where the name may have dots, or a module alone; several are separated by commas.

    Raises:
        ConfigError: it cannot be imported; the message has the file and the line that raised.

    Example:
        >>> [found.__name__ for found in named("pgauthkit.models:Base, pgauthkit.models")]
        ['Base', 'pgauthkit.models']
    """
    return [_imported(one.strip()) for one in models.split(",")]


def registries_in(found: object) -> Iterator[registry]:
    """Walk over the registries of a base, of the classes in a module, of a MetaData, or of a collection of these.

    Example:
        >>> from pgauthkit.models import Base
        >>> [*registries_in(Base)] == [Base.registry]
        True
    """
    if isinstance(found, registry):
        yield found
    elif isinstance(found, MetaData):
        # SQLAlchemy has no public list of its registries (2.1).
        every = mapperlib._all_registries()  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]
        yield from (one for one in every if one.metadata is found)
    elif isinstance(found, list | tuple | set | frozenset):
        for one in cast("Collection[object]", found):
            yield from registries_in(one)
    elif isinstance(found, ModuleType):
        mapped = (getattr(one, "__mapper__", None) for one in vars(found).values() if isinstance(one, type))
        yield from {mapper.registry for mapper in mapped if isinstance(mapper, Mapper)}
    else:
        # A base of SQLModel's has no public name for it.
        theirs = getattr(found, "registry", None) or getattr(found, "_sa_registry", None)
        if isinstance(theirs, registry):
            yield theirs


def _imported(models: str) -> object:
    module, _, names = models.partition(":")
    try:
        return reduce(getattr, filter(None, names.split(".")), import_module(module))
    # A module of the application may raise anything.
    except (Exception, SystemExit) as error:
        where = " It is looked for beside pyproject.toml, in src there, and in what is installed."
        hint = where if isinstance(error, ModuleNotFoundError) else ""
        raise ConfigError([f"models: {models} cannot be imported: {reason(error, brief=True)}.{hint}"]) from error
