"""What plans use of SQLAlchemy's identity map, beyond its documented names: objects as a session has loaded them.

The other half of `internals`.
"""

from collections.abc import Mapping, MutableMapping, Sequence
from typing import Any, TypeAlias, cast

import attrs
from sqlalchemy import Select, inspect, orm
from sqlalchemy.orm import InstanceState, Mapper, RelationshipProperty
from sqlalchemy.orm.attributes import set_committed_value
from sqlalchemy.orm.collections import InstrumentedList

from pgauthkit.repositories.generic.plans.internals import STATE, adapt, has_plain_lists

__all__ = ["Furniture", "Known", "loader_options", "loader_path", "set_included"]

Held: TypeAlias = dict[str, Any]
Known: TypeAlias = MutableMapping[tuple[Any, ...], Any]


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

    def objects(self, db: orm.Session, rows: Sequence[Held], known: Known) -> list[Any]:
        """Return the object of a session for each row: the one that it has, refreshed, or a new one.

        Args:
            db: the session.
            rows: each becomes the dictionary of a new object.
            known: the objects that were made or refreshed by now, by their identities; others are added.
        """
        made: list[Any] = []
        manager, closed, options, path = self.mapper.class_manager, self.closed, self.options, self.path
        identities, session, primary_key = cast("Any", db.identity_map), db.hash_key, self.primary_key
        find, present, reference = identities.get, identities._dict, identities._wr
        model, new, make = self.mapper.class_, object.__new__, cast("Any", InstanceState)
        identity = self.mapper.identity_key_from_primary_key(())[0]
        for held in rows:
            key = (identity, tuple([held[name] for name in primary_key]), None)
            instance = known.get(key)
            if instance is None:
                instance = find(key)
                if instance is None:
                    instance = new(model)
                    # What SQLAlchemy does with a new object, without a function in between: there may be thousands.
                    state = held[STATE] = make(instance, manager)
                    state.key = key
                    state.session_id = session
                    state.callables = dict(closed)  # each its own: what is expired is taken out of it
                    state.load_options = options
                    state.load_path = path
                    present[key] = state
                    state._instance_dict = reference
                    instance.__dict__ = held
                else:
                    self._refresh(db, instance, held)
                known[key] = instance
            made.append(instance)
        return made

    def _refresh(self, db: orm.Session, instance: object, held: Held) -> None:
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


def set_included(instance: object, name: str, value: Any) -> None:  # noqa: ANN401 - an object, a list of them, or None
    """Give an object of a session what was included, as what the database has."""
    state = cast("Any", instance)._sa_instance_state
    if not has_plain_lists(type(instance), name):
        set_committed_value(instance, name, value)
        return
    made = state.dict[name] = InstrumentedList(value)
    adapt(state, name, made)
    state.callables.pop(name, None)


def loader_options(statement: Select[Any]) -> tuple[Any, ...]:
    """Return the options of a statement that SQLAlchemy keeps with the objects that it loads."""
    options: Sequence[Any] = cast("Any", statement)._with_options
    return tuple(option for option in options if option.propagate_to_loaders)


def loader_path(model: type[Any], above: Any = None, relation: RelationshipProperty[Any] | None = None) -> Any:  # noqa: ANN401 - SQLAlchemy's
    """Return where in a statement objects are loaded: at its root, or by a relation from a place above."""
    mapper = cast("Any", inspect(model))
    return mapper._path_registry if relation is None else above[relation][mapper]
