"""Objects of rows, in no session, whose state SQLAlchemy gets when it first asks for it.

The state of an object, of which most callers read a few columns and nothing else, takes three times as long to make as
the object. It is left out until something touches it: an assignment, a relation, `inspect`, a session.
"""

from collections.abc import Callable, Mapping, Sequence
from operator import itemgetter
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import inspect

from pgauthkit.repositories.generic.plans.included import adapt_lists
from pgauthkit.repositories.generic.plans.internals import STATE, new_state
from pgauthkit.repositories.generic.unloaded import NotIncluded, closed_relations

if TYPE_CHECKING:
    from sqlalchemy.orm import Mapper

__all__ = ["MARK", "Origin", "origin", "plain_class"]

# Begins as SQLAlchemy's own name does, which web frameworks leave out when they encode an object.
MARK: Final = "_sa_pgauthkit_origin"


class Origin:
    """What the objects of one place in a tree have in common.

    Attributes:
        primary_key: the names of its attributes.
        included: the relations that the objects have.
        closed: the loaders of the others, which raise.
    """

    def __init__(self, model: type[Any], included: frozenset[str], prefix: str) -> None:
        self._of = model, included, prefix
        self.included = included
        self._model = model
        self._mapper: Mapper[Any] = inspect(model)
        self.closed: dict[str, NotIncluded] = closed_relations(self._mapper, included, prefix)
        self._class = self._mapper.identity_key_from_primary_key(())[0]
        keys = (self._mapper.get_property_by_column(column).key for column in self._mapper.primary_key)
        self.primary_key: tuple[str, ...] = tuple(keys)
        self._identity: Callable[[Mapping[str, object]], tuple[object, ...]] = _tuple_of(self.primary_key)
        if not isinstance(vars(model).get(STATE), _LazyState):
            # Past what SQLAlchemy's metaclass does, which takes attributes for columns.
            type.__setattr__(model, STATE, _LazyState())

    def state(self, instance: object, held: Mapping[str, object]) -> object:
        """Return the state of an object, given what it holds."""
        return new_state(instance, self._mapper, (self._class, self._identity(held), None), self.closed)

    def made(self, held: dict[str, Any]) -> Any:  # noqa: ANN401 - of the model
        """Return an object of a row, given the values of its columns, which become its dictionary."""
        instance = object.__new__(self._model)
        held[MARK] = self
        instance.__dict__ = held
        return instance

    def __reduce__(self) -> tuple[object, ...]:
        return origin, self._of  # as part of an object that is copied or pickled


def _tuple_of(names: Sequence[str]) -> Callable[[Mapping[str, object]], tuple[object, ...]]:
    if len(names) > 1:
        return itemgetter(*names)
    (name,) = names
    return lambda held: (held[name],)


class _LazyState:
    """Stands in for the state on the class: an object that has one of its own never comes here."""

    def __get__(self, instance: object, owner: type[object]) -> object:
        held = {} if instance is None else vars(instance)
        made: Origin | None = held.get(MARK)
        if made is not None:
            # In one step: another thread may ask as well.
            state = held.setdefault(STATE, made.state(instance, held))
            adapt_lists(state, held, made.included)
            held.pop(MARK, None)
        try:
            return held[STATE]
        except KeyError:  # of a new object, which SQLAlchemy makes a state for
            raise AttributeError(STATE) from None


def origin(model: type[Any], included: frozenset[str], prefix: str) -> Origin:
    """Return the origin of objects, made once.

    Args:
        model: a mapped class.
        included: the relations that the objects have.
        prefix: the path to them, with a dot behind it.
    """
    mapper: Mapper[Any] = inspect(model)
    key = model, included, prefix, len(mapper.relationships)  # a host may add relations at any time
    if key not in _KNOWN:
        _KNOWN[key] = Origin(model, included, prefix)
    return _KNOWN[key]


def plain_class(model: type[object]) -> type[object] | None:
    """Return a new class whose objects can become those of a model; None where there is none, as with `__slots__`.

    SQLAlchemy watches over the attributes of a model's objects. Those of a plain class are set in half the time that
    a dictionary for each object takes. They share their keys, and so take a third of its memory.

    Args:
        model: a mapped class.

    Example:
        >>> instance = plain_class(Post)()  # doctest: +SKIP
        >>> instance.title = "A"  # doctest: +SKIP
        >>> instance.__class__ = Post  # doctest: +SKIP
    """
    first = model  # that has attributes
    while first.__base__ and first.__base__.__dictoffset__:
        first = first.__base__
    plain = type("Plain", (first.__base__ or object,), {})
    try:
        plain().__class__ = model
    except TypeError:
        return None
    return plain


_KNOWN: Final[dict[tuple[type[Any], frozenset[str], str, int], Origin]] = {}
