"""A new object of a model: through its constructor, and by its attributes where the constructor does not take them."""

from collections.abc import Collection, Hashable, Mapping
from functools import cache
from inspect import Parameter, signature
from typing import Any, TypeVar, cast

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.description import Description

__all__ = ["constructed", "without_null"]

M = TypeVar("M")


def constructed(of: Description[M], values: Mapping[str, Any]) -> M:
    """Return a new object.

    A mapped dataclass has attributes that its constructor does not take (`init=False`), and so may any constructor of
    the host's: they are set afterwards.

    Raises:
        RepositoryError: the constructor wants what was not given.
    """
    taken, wanted = _parameters(cast("Hashable", of.model))
    if missing := [name for name in wanted if name not in values]:
        message = f"The constructor of {of.name} wants {', '.join(missing)}."
        raise RepositoryError(message, columns=missing, table=of.table.name)
    inside = values if taken is None else {name: value for name, value in values.items() if name in taken}
    instance = of.model(**inside)
    for name in values.keys() - inside.keys():
        setattr(instance, name, values[name])
    return instance


def without_null(of: Description[Any], instance: object) -> Collection[str]:
    """Take None out of an object's columns of JSON, in which SQLAlchemy would store the null of JSON; return which."""
    held = vars(instance)
    empty = {name for name in of.documents & held.keys() if held[name] is None}
    for name in empty:
        del held[name]
    return empty


@cache
def _parameters(model: Hashable) -> tuple[Collection[str] | None, Collection[str]]:
    """Return the names that a constructor takes, None for any, and those that it cannot do without."""
    parameters = signature(cast("type[Any]", model)).parameters.values()
    named = [item for item in parameters if item.kind in {Parameter.POSITIONAL_OR_KEYWORD, Parameter.KEYWORD_ONLY}]
    any_name = any(item.kind is Parameter.VAR_KEYWORD for item in parameters)
    wanted = frozenset(item.name for item in named if item.default is Parameter.empty)
    return None if any_name else frozenset(item.name for item in named), wanted
