"""New objects of a host that are to be inserted: what they may be, and what they may refer to."""

from collections.abc import Generator
from contextlib import contextmanager
from typing import Any, cast

from sqlalchemy import inspect
from sqlalchemy.orm import InstanceState, RelationshipDirection, RelationshipProperty
from sqlalchemy.orm.attributes import instance_state, set_committed_value

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.values import check_value

__all__ = ["referring_by_key", "refuse_unsuitable"]


def refuse_unsuitable(of: Description[Any], instance: object) -> None:
    """Make sure that an object can be inserted.

    Raises:
        RepositoryError: it is none of the model, it is in the database or in a session already, or a value of it cannot
            be stored.
        ValueTooLongError: a value is too long, out of range, or out of scale.
    """
    table = of.table.name
    if not isinstance(instance, of.model):
        message = f"create of {of.name} takes an object of it, or values by name, and not {type(instance).__name__}."
        raise RepositoryError(message, table=table)
    state: InstanceState[Any] = instance_state(instance)
    if not state.transient:
        message = f"This object of {of.name} is in the database or in a session already: only a new one is inserted."
        raise RepositoryError(message, table=table)
    for name in state.dict.keys() & of.columns.keys():
        check_value(of.columns[name], state.dict[name])


@contextmanager
def referring_by_key(of: Description[Any], instance: object) -> Generator[None]:
    """Let a new object refer to rows by its foreign keys alone, and no more to their objects, as long as this lasts.

    In a session that ends with the call, these objects would take part in it.

    Raises:
        RepositoryError: one of them is new, or refers to this one, so that both would have to be written.
    """
    state: InstanceState[Any] = instance_state(instance)
    given = {name: relation for name, relation in of.relations.items() if state.dict.get(name)}
    targets = {name: _target(of, relation, state.dict[name]) for name, relation in given.items()}
    for name, relation in given.items():
        setattr(instance, name, None)  # so that the object at the other end knows nothing of it either
        del state.dict[name]
        state.committed_state.pop(name, None)
        for local, remote in relation.local_remote_pairs:
            key = relation.mapper.get_property_by_column(cast("Any", remote)).key
            setattr(instance, of.keys_of_columns[cast("Any", local)], getattr(targets[name], key))
    try:
        yield
    finally:
        for name, target in targets.items():
            set_committed_value(instance, name, target)


def _target(of: Description[Any], relation: RelationshipProperty[Any], target: object) -> object:
    is_known = relation.direction is RelationshipDirection.MANYTOONE and inspect(target).has_identity
    if not is_known:
        message = (
            f"create of {of.name} with new objects in {relation.key} takes several statements in one transaction: "
            "give the repository a session, such as that of transaction(engine)."
        )
        raise RepositoryError(message, table=of.table.name)
    return target
