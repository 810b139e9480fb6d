"""The mapped classes that a database is looked at through: ours, and those of the application's declarative base."""

from typing import Any, Final

from sqlalchemy import Table
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import registry

from pgauthkit.errors import ConfigError
from pgauthkit.migrations.metadata import metadata_in
from pgauthkit.models import Base, Device, MagicLink, RateLimit, Session, User
from pgauthkit.models.account import standing
from pgauthkit.ops.project.named import named, registries_in

__all__ = ["OURS", "mapped_classes", "require_base"]

OURS: Final[tuple[type[Any], ...]] = (User, MagicLink, Session, Device, RateLimit)


def mapped_classes(models: str | None = None) -> tuple[type[Any], ...]:
    """Return every mapped class with a table of its own: ours first, then the application's by their names.

    The application's own class of users, where it has one, takes the place of `User`.

    Args:
        models: the application's models, as `module:name`: a declarative base (`blog.models:Base`,
            `app.models:SQLModel`, `ext:db.Model`), a registry, a `MetaData`, or a list of these; a module for the
            classes in it; several, separated by commas. None for ours alone, and for what was mapped with our `Base`
            by now.

    Raises:
        ConfigError: there is no such module or base, or its classes cannot be mapped.

    Example:
        >>> [model.__name__ for model in mapped_classes()][:5]
        ['User', 'MagicLink', 'Session', 'Device', 'RateLimit']
    """
    registries = [Base.registry, *(_registries(models) if models else [])]
    try:
        for one in registries:
            one.configure(cascade=True)
    except SQLAlchemyError as error:
        raise ConfigError([f"models: {models or 'our Base'} cannot be mapped: {error}"]) from error
    found = {mapper.class_: mapper for one in registries for mapper in one.mappers}
    theirs = (
        model
        for model, mapper in found.items()
        if not issubclass(model, OURS) and isinstance(mapper.local_table, Table)
    )
    ours = [standing(User.__mapper__), *OURS[1:]]
    return (*ours, *sorted(theirs, key=lambda model: (model.__name__, model.__module__)))


def require_base(models: str) -> object:
    """Import what the application's models are in, so that a mistyped one is known before anything is made for it.

    Args:
        models: as for `mapped_classes`.

    Raises:
        ConfigError: there is no such module, or no declarative base in it.

    Returns:
        What it names; a list where it names several.

    Example:
        >>> require_base("pgauthkit.models:Base").__name__
        'Base'
    """
    found = named(models)
    if wrong := [one.strip() for one, there in zip(models.split(","), found, strict=True) if not metadata_in(there)]:
        raise ConfigError([f"models: {one} is not a declarative base, such as blog.models:Base." for one in wrong])
    return found[0] if len(found) == 1 else found


def _registries(models: str) -> list[registry]:
    found = {one: [*registries_in(one_of)] for one, one_of in zip(models.split(","), named(models), strict=True)}
    if wrong := [one.strip() for one, theirs in found.items() if not theirs]:
        raise ConfigError(
            [f"models: {one} is no declarative base with models, such as blog.models:Base." for one in wrong]
        )
    return [one for theirs in found.values() for one in theirs]
