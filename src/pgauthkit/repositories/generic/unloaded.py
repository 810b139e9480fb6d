"""What was not included raises when touched: the one place that knows SQLAlchemy's loaders of single instances."""

from collections.abc import Collection, Iterable
from typing import Any, cast

import attrs
from sqlalchemy.orm import InstanceState, Mapper, PassiveFlag, object_session
from sqlalchemy.orm.attributes import instance_state

from pgauthkit.errors import RepositoryError

__all__ = ["NotIncluded", "close"]

# Their attributes are queries, which load nothing by themselves.
_QUERIES = frozenset({"dynamic", "write_only"})


@attrs.frozen
class NotIncluded:
    """A loader that raises where SQLAlchemy would send a query, and leaves its bookkeeping alone.

    Attributes:
        model: the name of the class.
        relation: the name of the attribute.
        path: what to include, seen from what was asked for.
    """

    model: str
    relation: str
    path: str

    def __call__(self, state: InstanceState[Any], passive: PassiveFlag) -> object:
        """Load, or rather not."""
        if passive & PassiveFlag.SQL_OK and not passive & PassiveFlag.NO_RAISE:
            raise RepositoryError(f"{self.model}.{self.relation} was not loaded: ask with include=[{self.path!r}].")
        return cast("Any", state.manager[self.relation].impl).callable_(state, passive)


def close(
    instances: Iterable[object], included: Collection[str] = (), prefix: str = "", *, fresh: bool = False
) -> None:
    """Make every relation of the instances raise when touched, but those that were included.

    Args:
        instances: persistent objects of mapped classes.
        included: names of relations.
        prefix: the path to the instances, with a dot behind it.
        fresh: the instances were just made, and what they were given stays.
    """
    known: dict[Mapper[Any], dict[str, NotIncluded]] = {}
    for instance in instances:
        state: InstanceState[Any] = instance_state(instance)
        if state.mapper not in known:
            known[state.mapper] = _closed(state.mapper, included, prefix)
        closed = known[state.mapper]
        stale = [] if fresh else [name for name in closed if name in state.dict]
        if stale and (session := object_session(instance)):
            session.expire(instance, stale)
        state.callables = {**state.callables, **closed}


def _closed(mapper: Mapper[Any], included: Collection[str], prefix: str) -> dict[str, NotIncluded]:
    return {
        relation.key: NotIncluded(mapper.class_.__name__, relation.key, prefix + relation.key)
        for relation in mapper.relationships
        if relation.key not in included and relation.lazy not in _QUERIES
    }
