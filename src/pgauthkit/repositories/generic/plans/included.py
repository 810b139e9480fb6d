"""Lists of objects that were read, of which SQLAlchemy is told when it, or a change of one, first needs to know.

To tell it of each list at once takes five times as long as to make the list.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, SupportsIndex, cast
from weakref import ref

from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import InstrumentedList

from pgauthkit.repositories.generic.plans.internals import ADAPTER, STATE, adapt, has_plain_lists

__all__ = ["adapt_lists", "include", "list_class"]

_OWNER: Final = "_sa_pgauthkit_owner"


class _Adapter:
    """Stands in for what ties a list to its owner: a list that has one of its own never comes here."""

    def __get__(self, instance: "_Included", owner: type[object]) -> object:
        # The lists of an object are adapted as its state is made; one that is being copied has none yet.
        getattr(getattr(instance, _OWNER)(), STATE, None)
        return vars(instance).get(ADAPTER)


class _Included(InstrumentedList[Any]):
    """What SQLAlchemy has for a relation of many rows, and exactly that once it is adapted."""

    _sa_adapter = _Adapter()
    # Returns the object that it belongs to, if that is still there; begins as SQLAlchemy's own names do.
    _sa_pgauthkit_owner: Callable[[], object] = staticmethod(lambda: None)

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return _Included, (), self._sa_pgauthkit_owner(), iter(self)  # of a copy, or for pickle

    def __setstate__(self, owner: object) -> None:
        _own(self, owner)


def _own(made: _Included, owner: object) -> None:
    vars(made)[_OWNER] = ref(owner)


def list_class(model: type[Any], name: str) -> type[list[Any]]:
    """Return what to collect the objects of a relation in, by `list.append`.

    Args:
        model: that has the relation.
        name: of the relation.

    Example:
        >>> list_class(User, "posts")()  # doctest: +SKIP
        []
    """
    return _Included if has_plain_lists(model, name) else list


def include(parent: object, name: str, children: list[Any]) -> None:
    """Give an object that was read, and is in no session, what a relation of it holds.

    Args:
        parent: the object.
        name: of the relation, of many rows.
        children: what belongs to it, of the class that `list_class` has for it, and of no one else.

    Example:
        >>> include(ada, "posts", posts)  # doctest: +SKIP
    """
    if isinstance(children, _Included):
        _own(children, parent)
        vars(parent)[name] = children
    else:
        set_committed_value(parent, name, children)


def adapt_lists(state: object, held: Mapping[str, object], names: Iterable[str]) -> None:
    """Tell SQLAlchemy of an object's lists, as soon as the object has a state.

    Args:
        state: of the object.
        held: what the object has.
        names: of its relations that were included.

    Example:
        >>> adapt_lists(inspect(ada), vars(ada), ["posts"])  # doctest: +SKIP
    """
    for name in names:
        made = held.get(name)
        if isinstance(made, _Included):
            cast("Any", made).__class__ = InstrumentedList
            vars(made).pop(_OWNER, None)
            adapt(state, name, made)
