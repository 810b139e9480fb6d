"""What was not included raises when touched: the one place that knows SQLAlchemy's loaders of single instances."""

from collections.abc import Collection, Iterable
from itertools import islice
from traceback import walk_stack
from typing import Any, Final, cast

import attrs
from sqlalchemy.exc import MissingGreenlet, StatementError
from sqlalchemy.orm import (
    InstanceState,
    LoaderCallableStatus,
    Mapper,
    PassiveFlag,
    RelationshipProperty,
    object_session,
)
from sqlalchemy.orm.attributes import instance_state
from sqlalchemy.orm.exc import DetachedInstanceError

from pgauthkit.database.violations import violation
from pgauthkit.errors import PgAuthKitError, RepositoryError
from pgauthkit.repositories.generic.mapping.rereading import has_typed_key, reread

__all__ = ["NotIncluded", "NotLoaded", "close", "closed_relations", "is_query"]

# Their attributes are queries, which load nothing by themselves.
_QUERIES = frozenset({"dynamic", "write_only"})
# From an attribute that is touched, through SQLAlchemy, to its loader, with an expression of the host's between.
_DEPTH: Final = 16
_PROXIES: Final = "sqlalchemy.ext.associationproxy"


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
            if shown := _is_shown():
                return shown
            raise RepositoryError(f"{self.model}.{self.relation} was not loaded: ask with include=[{self.path!r}].")
        return cast("Any", state.manager[self.relation].impl).callable_(state, passive)


@attrs.frozen
class NotLoaded:
    """A loader of a column that a statement did not read: it reads it, or says how where only `await` can.

    Attributes:
        model: the name of the class.
        column: the name of the attribute.
    """

    model: str
    column: str

    def __call__(self, state: InstanceState[Any], passive: PassiveFlag) -> object:
        """Load the value."""
        if not passive & PassiveFlag.SQL_OK:
            return LoaderCallableStatus.PASSIVE_NO_RESULT
        if shown := _is_shown():
            return shown
        try:
            self._read(state, passive)
        except DetachedInstanceError:
            failure: PgAuthKitError = self._not_loaded("the row is in no session: add it to one, or select the column.")
        except StatementError as error:
            awaits = isinstance(error.orig, MissingGreenlet)
            advice = f"read it with await db.refresh(row, [{self.column!r}])."
            failure = self._not_loaded(advice) if awaits else violation(error)
        else:
            return LoaderCallableStatus.ATTR_WAS_SET
        raise failure

    def _read(self, state: InstanceState[Any], passive: PassiveFlag) -> None:
        session = state.session
        if session and has_typed_key(state.mapper):
            reread(session, state.obj(), [self.column])
        else:
            cast("Any", state.manager).expired_attribute_loader(state, {self.column}, passive)

    def _not_loaded(self, advice: str) -> RepositoryError:
        return RepositoryError(f"{self.model}.{self.column} was not loaded: {advice}")


def close(
    instances: Iterable[object], included: Collection[str] = (), prefix: str = "", *, fresh: bool = False
) -> None:
    """Make every relation of the instances raise when touched, but those that were included.

    A column that was not read (deferred, of a joined subclass, a `column_property` of a row just written) is read when
    touched, and raises only where it cannot be: in async code, and where the object is in no session.

    Args:
        instances: persistent objects of mapped classes.
        included: names of relations.
        prefix: the path to the instances, with a dot behind it.
        fresh: the instances were just made, and what they were given stays.
    """
    known: dict[Mapper[Any], dict[str, NotIncluded]] = {}
    columns: dict[Mapper[Any], frozenset[str]] = {}
    for instance in instances:
        state: InstanceState[Any] = instance_state(instance)
        if state.mapper not in known:
            known[state.mapper] = closed_relations(state.mapper, included, prefix)
            columns[state.mapper] = frozenset(prop.key for prop in state.mapper.column_attrs)
        closed = known[state.mapper]
        stale = [] if fresh else [name for name in closed if name in state.dict]
        if stale and (session := object_session(instance)):
            session.expire(instance, stale)
        unread = columns[state.mapper].difference(state.dict)
        state.expired_attributes -= unread  # SQLAlchemy would read these by itself
        state.callables = {**state.callables, **closed, **_unread(state.mapper, unread)}


def _is_shown() -> LoaderCallableStatus | None:
    """Tell what `repr` gets, in which nothing may fail and nothing be sent: a log, a debugger, a test; else nothing.

    An association proxy goes on with what it gets, and can do so with an empty collection, or with no object.
    """
    status = LoaderCallableStatus.PASSIVE_NO_RESULT
    for frame, _ in islice(walk_stack(None), _DEPTH):
        if frame.f_globals.get("__name__") == _PROXIES:
            status = LoaderCallableStatus.ATTR_EMPTY
        elif frame.f_code.co_name == "__repr__":
            return status
    return None


def closed_relations(mapper: Mapper[Any], included: Collection[str], prefix: str) -> dict[str, NotIncluded]:
    """Return the loaders of the relations that are not included, which raise."""
    return {
        relation.key: NotIncluded(mapper.class_.__name__, relation.key, prefix + relation.key)
        for relation in mapper.relationships
        if relation.key not in included and not is_query(relation)
    }


def is_query(relation: RelationshipProperty[Any]) -> bool:
    """Tell whether a relation's attribute is a query, which loads nothing by itself."""
    return relation.lazy in _QUERIES


def _unread(mapper: Mapper[Any], columns: Collection[str]) -> dict[str, NotLoaded]:
    return {column: NotLoaded(mapper.class_.__name__, column) for column in columns}
