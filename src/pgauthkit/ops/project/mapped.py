"""The mapped classes that a database is looked at through: ours, and those of the application's declarative base."""

from importlib import import_module
from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import registry

from pgauthkit.errors import ConfigError
from pgauthkit.models import Base, MagicLink, RateLimit, Session, User

__all__ = ["OURS", "mapped_classes"]

OURS: Final[tuple[type[Any], ...]] = (User, MagicLink, Session, RateLimit)


def mapped_classes(models: str | None = None) -> tuple[type[Any], ...]:
    """Return every mapped class with a table of its own: ours first, then the application's by their names.

    Args:
        models: the application's declarative base, as `module:name`; its module is imported. None for ours alone,
            and for what was mapped with our `Base` by now.

    Raises:
        ConfigError: there is no such module or base, or its classes cannot be mapped.

    Example:
        >>> [model.__name__ for model in mapped_classes()][:4]
        ['User', 'MagicLink', 'Session', 'RateLimit']
    """
    registries = [Base.registry] if models is None else [Base.registry, _registry(models)]
    try:
        for one in registries:
            one.configure(cascade=True)
    except SQLAlchemyError as error:
        raise ConfigError([f"models: {models or 'our Base'} cannot be mapped: {error}"]) from error
    found = {mapper.class_: mapper for one in registries for mapper in one.mappers}
    theirs = (model for model, mapper in found.items() if model not in OURS and isinstance(mapper.local_table, Table))
    return (*OURS, *sorted(theirs, key=lambda model: (model.__name__, model.__module__)))


def _registry(models: str) -> registry:
    module, _, name = models.partition(":")
    try:
        found: object = getattr(import_module(module), name)
    except (ImportError, AttributeError, NameError, SyntaxError, ValueError, SQLAlchemyError) as error:
        raise ConfigError([f"models: {models} cannot be imported: {error}."]) from error
    theirs = getattr(found, "registry", None)
    if not isinstance(theirs, registry):
        raise ConfigError([f"models: {models} is not a declarative base, such as blog.models:Base."])
    return theirs
