"""The metadata that an application's migrations are about, in whatever holds its models."""

from collections.abc import Collection, Iterator
from types import ModuleType
from typing import cast

from sqlalchemy import MetaData

from pgauthkit.models import SCHEMA

__all__ = ["metadata_in"]


def metadata_in(models: object) -> tuple[MetaData, ...]:
    """Return the metadata in a declarative base, a registry, a `MetaData`, a module with models, or several of these.

    What has our tables alone is left out, where there is any other.

    Example:
        >>> from pgauthkit.models import Base
        >>> metadata_in([Base, Base.registry]) == (Base.metadata,)
        True
    """
    found = tuple(dict.fromkeys(_walk(models)))
    theirs = tuple(one for one in found if any(table.schema != SCHEMA for table in one.tables.values()))
    return theirs or found


def _walk(models: object) -> Iterator[MetaData]:
    if isinstance(models, MetaData):
        yield models
    elif isinstance(models, list | tuple | set | frozenset):
        for one in cast("Collection[object]", models):
            yield from _walk(one)
    elif isinstance(models, ModuleType):
        for value in vars(models).values():
            if isinstance(value, type | MetaData):
                yield from _walk(value)
    else:
        metadata = getattr(models, "metadata", None)
        if isinstance(metadata, MetaData):
            yield metadata
