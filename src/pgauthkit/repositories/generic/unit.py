"""`Unit`: what every part of a repository stands on: the host's session, and the model."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import Connection, CursorResult, UpdateBase, orm, select

from pgauthkit.database.connecting import watch_session
from pgauthkit.database.violations import guarded
from pgauthkit.errors import NotAUniqueKeyError, NotFoundError
from pgauthkit.repositories.generic.conditions import conditions
from pgauthkit.repositories.generic.description import describe
from pgauthkit.repositories.generic.includes import Include, branches
from pgauthkit.repositories.generic.keys import UniqueKey
from pgauthkit.repositories.generic.loading import AnyRow, AnySelect, load
from pgauthkit.repositories.generic.mapping.listeners import refuse_listeners

__all__ = ["Unit"]

M = TypeVar("M")
T = TypeVar("T")


class Unit(Generic[M]):
    """The base of the parts that `Repository` is put together from.

    It works in the host's session: what the session has pending is flushed first, and nothing is ever committed.
    """

    def __init__(self, db: orm.Session, model: type[M]) -> None:
        self._db = db
        self._of = describe(model)
        watch_session(db, model)

    def _guarded(self, call: Callable[[], T]) -> T:
        """Flush and call, with errors of ours in place of the driver's."""

        def flushed() -> T:
            self._db.flush()
            return call()

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
            NotAUniqueKeyError: there is none, or a value is missing.
        """
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
            raise self._not_found()
        return found[0]

    def _not_found(self) -> NotFoundError:
        return NotFoundError(f"There is no such row in {self._of.table.name}.", table=self._of.table.name)
