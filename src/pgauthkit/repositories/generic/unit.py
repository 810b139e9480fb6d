"""`Unit`: what every part of a repository stands on: the host's session, or engine, and the model."""

import copy
import functools
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from typing import Any, Generic, Self, TypeVar, cast

from sqlalchemy import Connection, CursorResult, Engine, UpdateBase, orm, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from pgauthkit.database.connecting import watch_session
from pgauthkit.database.sessions import session_of
from pgauthkit.database.violations import guarded
from pgauthkit.errors import NotAUniqueKeyError, RepositoryError
from pgauthkit.repositories.generic.conditions import conditions
from pgauthkit.repositories.generic.description import describe, not_found
from pgauthkit.repositories.generic.includes import Include, branches
from pgauthkit.repositories.generic.keys import UniqueKey
from pgauthkit.repositories.generic.loading import AnyRow, AnySelect, load
from pgauthkit.repositories.generic.mapping.listeners import refuse_listeners
from pgauthkit.repositories.generic.plans.by_plan import ByPlan
from pgauthkit.repositories.generic.plans.calls import Limit, OnEngine
from pgauthkit.repositories.generic.plans.in_session import InSession
from pgauthkit.repositories.generic.plans.reads import SLOW

__all__ = ["Unit", "by_batches", "on_its_own"]

M = TypeVar("M")
T = TypeVar("T")
F = TypeVar("F", bound=Callable[..., Any])


class Unit(Generic[M]):
    """The base of the parts that `Repository` is put together from.

    It works in the host's session: what the session has pending is flushed first, and nothing is ever committed. On an
    engine, each call is made on a copy of it with a session of its own.
    """

    _db: orm.Session
    _calls: OnEngine | None = None
    # None where calls go through the ORM.
    _planned: ByPlan[M] | InSession[M] | None
    _unplanned: Self | None = None
    # Whether the session is ours and ends with the call.
    _alone: bool = False
    _limit: Limit = nullcontext

    def __init__(self, db: orm.Session | Engine, model: type[M]) -> None:
        self._of = describe(model)
        if isinstance(db, Engine):
            self._calls = OnEngine(db, self._of.table)
            self._planned = ByPlan(self._calls, self._of)
        elif isinstance(cast("object", db), AsyncEngine | AsyncSession):
            raise RepositoryError(f"{type(db).__name__} is for {'Async' + type(self).__name__}.")
        elif not isinstance(session_of(db), orm.Session):
            raise RepositoryError(f"{type(db).__name__} is neither a Session nor an Engine, which a repository needs.")
        else:
            self._db = db
            self._planned = InSession(db, self._of)
            watch_session(db, model)

    def _within(self, db: orm.Session, limit: Limit = nullcontext) -> Self:
        """Return the same in a session of our own."""
        within = copy.copy(self)
        vars(within).update(_db=db, _calls=None, _planned=None, _alone=True, _limit=limit)
        return within

    @property
    def _by_orm(self) -> Self:
        """The same without plans."""
        if self._unplanned is None:
            self._unplanned = copy.copy(self)
            vars(self._unplanned).update(_planned=None)
        return self._unplanned

    def _guarded(self, call: Callable[[], T]) -> T:
        """Flush and call, with errors of ours in place of the driver's."""

        def flushed() -> T:
            self._db.flush()
            return call()

        with self._limit():
            return guarded(flushed, self._of.table)

    def _connection(self) -> Connection:
        return self._db.connection({"mapper": self._of.mapper})

    def _load(
        self, statement: AnySelect, include: Include, *, deleted_too: bool, entity: object = None
    ) -> list[AnyRow]:
        tree = branches(self._of, include, deleted_too=deleted_too)
        return self._guarded(lambda: load(self._db, self._of, statement, tree, entity))

    def _objects(self, statement: AnySelect, include: Include = (), *, deleted_too: bool) -> list[M]:
        return [row[-1] for row in self._load(statement, include, deleted_too=deleted_too)]

    def _by_key(self, key: Mapping[str, object], *, deleted_too: bool) -> list[Any]:
        """Return the conditions for the row with a unique key, without SQL.

        Raises:
            NotAUniqueKeyError: it is none, or has no value in it.
        """
        self._key(key, deleted_too=deleted_too)
        return conditions(self._of, (), key, deleted_too=deleted_too)

    def _key(self, key: Mapping[str, object], *, deleted_too: bool, partial: bool = False) -> UniqueKey:
        """Return the unique key that has a value for each of its columns.

        Raises:
            NotAUniqueKeyError: there is none, it is no mapping, or a value is missing.
        """
        if not hasattr(key, "items"):
            kind = type(key).__name__
            message = f'The key of {self._of.name} is a mapping such as {{"id": …}}, and was given as {kind}.'
            raise NotAUniqueKeyError(message, columns=(), table=self._of.table.name)
        found = self._of.unique_key(key, deleted_too=deleted_too, partial=partial)
        if empty := [name for name in found.columns if key[name] is None and not found.nulls]:
            message = f"The key of {self._of.name} has no value for {', '.join(empty)}: NULL equals nothing."
            raise NotAUniqueKeyError(message, columns=empty, table=self._of.table.name)
        return found

    def _written(self, statement: UpdateBase) -> list[M]:
        """Run a statement that writes, and return the rows that it wrote, as they are now."""
        refuse_listeners(self._of, statement)
        returning = select(self._of.model).from_statement(statement.returning(*self._of.columns.values()))
        rows = self._guarded(lambda: load(self._db, self._of, cast("AnySelect", returning), {}))
        return [row[-1] for row in rows]

    def _affected(self, statement: UpdateBase) -> int:
        """Run a statement that writes, and return how many rows it wrote."""
        refuse_listeners(self._of, statement)
        options, bind = {"preserve_rowcount": True}, {"mapper": self._of.mapper}

        def run() -> int:
            result = self._db.execute(statement, execution_options=options, bind_arguments=bind)
            return cast("CursorResult[Any]", result).rowcount

        return self._guarded(run)

    def _only(self, found: Sequence[M]) -> M:
        if not found:
            raise not_found(self._of)
        return found[0]


def on_its_own(method: F) -> F:
    """Make a method of a repository run by a plan; or else through the ORM, on an engine in a session of its own."""
    name = method.__name__

    @functools.wraps(method)
    def run(self: Any, /, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - a unit
        planned: ByPlan[Any] | InSession[Any] | None = self._planned
        calls: OnEngine | None = self._calls
        if planned is None or (calls is None and not hasattr(planned, name)):
            return method(self, *args, **kwargs)

        def work(db: orm.Session) -> object:
            return method(self._within(db), *args, **kwargs)

        found = planned.attempt(name, args, kwargs)
        if found is not SLOW:
            return found
        if calls is None:
            return method(self._by_orm, *args, **kwargs)
        return calls.in_session(work, one_snapshot=bool(kwargs.get("include")))

    return cast("F", run)


def by_batches(method: F) -> F:
    """Do the same for a method that takes rows, and may take as long as it takes to send them all.

    It is repeated after a conflict with another transaction where the rows are there for a second time.
    """

    @functools.wraps(method)
    def run(self: Any, rows: object, *args: object, **kwargs: object) -> object:  # noqa: ANN401 - the same
        calls: OnEngine | None = self._calls
        if calls is None:
            return method(self, rows, *args, **kwargs)

        def work(db: orm.Session) -> object:
            return method(self._within(db, calls.limit), rows, *args, **kwargs)

        return calls.in_batches(work, can_repeat=isinstance(rows, Sequence))

    return cast("F", run)
