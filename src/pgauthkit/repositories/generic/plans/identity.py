"""What plans use of SQLAlchemy's identity map, beyond its documented names: objects as a session has loaded them.

The other half of `internals`.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, Final, SupportsIndex, TypeAlias, cast
from weakref import ref

import attrs
from sqlalchemy import Select, inspect, orm
from sqlalchemy.orm import InstanceState, Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import InstrumentedList

from pgauthkit.repositories.generic.plans.internals import ADAPTER, STATE, adapt

__all__ = [
    "MADE",
    "Furniture",
    "Known",
    "TiedList",
    "loader_options",
    "loader_path",
    "set_included",
    "set_list",
    "set_one",
]

Held: TypeAlias = dict[str, Any]
Known: TypeAlias = MutableMapping[tuple[Any, ...], Any]

# On a list that is not tied yet: the state of its owner, and the relation.
_TIE: Final = "_sa_pgauthkit_tie"

# What SQLAlchemy does with a new object, without a function in between: there may be thousands.
MADE: Final = f"""            state = instance.{STATE} = new(State)
            state.class_ = Model
            state.manager = manager
            state.key = key
            state.session_id = session
            state._instance_dict = reference
            state.obj = ref(instance, state._cleanup)
            instance.__class__ = Model
            present[key] = state
"""


class _Later:
    """What an unfinished state lacks, and has once it is finished, which it is as soon as this is asked for or set."""

    def __set_name__(self, owner: type[object], name: str) -> None:
        self._name = name

    def __get__(self, state: object, owner: type[object] | None = None) -> Any:  # noqa: ANN401 - of SQLAlchemy's state
        return getattr(_finished(state), self._name)

    def __set__(self, state: object, value: Any) -> None:  # noqa: ANN401 - the same
        finished = _finished(state)
        # SQLAlchemy begins with no loaders where it sees none, and here it sees none because they are still to come.
        if self._name != "callables" or value:
            setattr(finished, self._name, value)


class _Unfinished(InstanceState[Any]):
    """The state of an object as it was loaded: what only a change needs, or a relation, it gets when that is asked for.

    From then on it is SQLAlchemy's own. To make all of it at once takes as long again as to make the object, and half
    of the time of Python's search for cycles, which goes by how many containers there are.
    """

    __slots__ = ()
    # Of the place at which the object was loaded.
    furniture: "Furniture"
    callables: Any = _Later()
    load_options: Any = _Later()
    load_path: Any = _Later()

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401 - of a slot that is empty as yet
        return getattr(_finished(self), name)

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:  # noqa: ANN401 - for pickle, of SQLAlchemy's own
        return _finished(self).__reduce_ex__(protocol)


def _finished(given: object) -> Any:  # noqa: ANN401 - SQLAlchemy's
    state: Any = given
    kind: Any = state.__class__
    if kind is InstanceState:  # since it was looked at: another thread asked as well
        return state
    of: Furniture = kind.furniture
    state.committed_state = {}
    state.expired_attributes = set()
    # Loaders of its own: what is expired is taken out of them.
    held: Held = state.__dict__
    held.update(callables=dict(of.closed), load_options=of.options, load_path=of.path)
    state.__class__ = InstanceState
    return state


@attrs.frozen
class Furniture:
    """What SQLAlchemy knows of the objects that were loaded at one place of a tree into a session.

    Attributes:
        mapper: of their model.
        primary_key: the names of its attributes.
        closed: the loaders of the relations that are not included.
        relations: all that may be in an object.
        options: of the statement of SQLAlchemy's own that would load them, for when they are read again.
        path: where in this statement they would be.
    """

    mapper: Mapper[Any]
    primary_key: Sequence[str]
    closed: Mapping[str, Any]
    relations: frozenset[str]
    options: tuple[Any, ...]
    path: Any

    @property
    def names(self) -> dict[str, object]:
        """What the code that makes new objects needs to know."""
        return {
            "State": type("Unfinished", (_Unfinished,), {"furniture": self, "__slots__": ()}),
            "manager": self.mapper.class_manager,
            "identity": self.mapper.identity_key_from_primary_key(())[0],
            "ref": ref,
            "refresh": self.refresh,
            "room": _room,
        }

    def refresh(self, db: orm.Session, instance: object, held: Held) -> None:
        """Have an object of a session show what was read, and no relations any more."""
        known, state = vars(instance), cast("Any", instance)._sa_instance_state
        for name in self.relations.intersection(known):
            state._reset(known, name)
        known.update(held)
        state.expired_attributes.clear()
        state._commit_all(known, db.identity_map)
        state.callables = dict(self.closed)
        state.load_options = self.options
        state.load_path = self.path


def _room(db: orm.Session) -> tuple[Any, Any, Any]:
    """Return where a session has its objects: by their identities, what refers to that weakly, and its number."""
    identities = cast("Any", db.identity_map)
    return identities._dict, identities._wr, db.hash_key


class _Tie:
    """Stands in for what ties a list to its owner: a list that has one of its own never comes here."""

    def __get__(self, instance: "TiedList", owner: type[object]) -> object:
        cast("Any", instance).__class__ = InstrumentedList
        state, name = vars(instance).pop(_TIE)
        adapt(state, name, instance)
        return getattr(instance, ADAPTER)


class TiedList(InstrumentedList[Any]):
    """What SQLAlchemy has for a relation of many rows, and exactly that once it, or a change of it, asks for its owner.

    To tie each list at once takes three times as long as to make it.
    """

    _sa_adapter = _Tie()

    def __reduce_ex__(self, protocol: SupportsIndex) -> Any:  # noqa: ANN401 - for pickle, of SQLAlchemy's own
        getattr(self, ADAPTER)
        return self.__reduce_ex__(protocol)


def set_list(instance: object, name: str, made: TiedList) -> None:
    """Give an object of a session a list of what was included, which nobody has changed."""
    held = vars(instance)
    state = held[STATE]
    vars(made)[_TIE] = state, name
    held[name] = made
    if not _is_open(state, name):
        state.callables.pop(name, None)


def set_one(instance: object, name: str, value: object) -> None:
    """Give an object of a session the one object that was included, or None."""
    held = vars(instance)
    if _is_open(held[STATE], name):
        held[name] = value
    else:
        set_committed_value(instance, name, value)


def set_included(instance: object, name: str, value: object) -> None:
    """Give an object of a session what was included, in whatever the host collects it."""
    set_committed_value(instance, name, value)


def _is_open(state: object, name: str) -> bool:
    """Tell whether an object is as it was made, and nothing refuses its relation."""
    return isinstance(state, _Unfinished) and name not in state.furniture.closed


def loader_options(statement: Select[Any]) -> tuple[Any, ...]:
    """Return the options of a statement that SQLAlchemy keeps with the objects that it loads."""
    options: Sequence[Any] = cast("Any", statement)._with_options
    return tuple(option for option in options if option.propagate_to_loaders)


def loader_path(model: type[Any], above: Any = None, relation: RelationshipProperty[Any] | None = None) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Return where in a statement objects are loaded: at its root, or by a relation from a place above."""
    mapper = cast("Any", inspect(model))
    return mapper._path_registry if relation is None else above[relation][mapper]
