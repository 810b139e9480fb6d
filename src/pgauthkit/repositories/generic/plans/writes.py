"""`Writes`: what a repository on an engine writes in one round trip, by plans."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

from sqlalchemy import Column, UpdateBase, delete, func, null, update as update_of
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql import ClauseElement
from sqlalchemy.sql.elements import Null
from sqlalchemy.sql.schema import ColumnElementColumnDefault

from pgauthkit.repositories.generic.assignments import assigned, evaluated, validated
from pgauthkit.repositories.generic.conditions import conditions
from pgauthkit.repositories.generic.conflicts import contradictions, on_conflict, taken
from pgauthkit.repositories.generic.description import not_found
from pgauthkit.repositories.generic.plans.fitness import unfit_write
from pgauthkit.repositories.generic.plans.internals import without_entities
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.rows import Rows
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError

__all__ = ["Values", "Writes", "add", "bound", "with_defaults"]

M = TypeVar("M")
Values = Mapping[Column[Any], Any]


class Writes(Planning[M]):
    """The twins of the methods of `Writing`, `Upserting` and `Deleting` that write one row, for an engine."""

    def update(self, key: Mapping[str, object], /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Change the columns given of one row, and return it."""
        self._refuse()
        changes = assigned(self._of, values)
        if not changes or any(column.primary_key for column in changes):
            raise UnplannedError("nothing is changed, or the primary key")
        return self._only(self._changed("update", key, changes, deleted_too=False))

    def delete(self, key: Mapping[str, object], *, hard: bool = False) -> M:
        """Delete one row, and return it."""
        self._refuse()
        if self._of.soft and not hard:
            return self._only(self._changed("delete", key, {}, deleted_too=False, fixed={"deleted_at": func.now()}))
        shape = Shape("delete", hard)
        shape.equal(key)

        def build() -> Planned[list[M]]:
            return self._returning(shape, delete(self._of.table).where(*self._by_key(shape, key, deleted_too=hard)))

        found = self._run(shape, build, writes=True)
        return self._only(found)

    def restore(self, key: Mapping[str, object]) -> M:
        """Undo a soft delete, and return the row."""
        self._refuse()
        if not self._of.soft:
            raise UnplannedError("nothing is restored")
        return self._only(self._changed("restore", key, {}, deleted_too=True, fixed={"deleted_at": null()}))

    def upsert(self, key: Mapping[str, object], *, create: Mapping[str, Any], update: Mapping[str, Any]) -> M:
        """Insert a row, or update the one with the same key, and return it."""
        self._refuse()
        of = self._of
        if not hasattr(key, "items"):
            raise UnplannedError("a key is no mapping")
        unique = of.unique_key(key, deleted_too=False, partial=True)
        if None in key.values() or contradictions(validated(of, key), validated(of, create)):
            raise UnplannedError("the key has no value, or is contradicted")
        inserted = with_defaults(of.columns.values(), assigned(of, {**of.kind, **create, **key}))
        changes = assigned(of, update)
        changes = with_defaults(of.columns.values(), changes, on_update=True) if changes else {}
        shape = Shape("upsert", *unique.columns)
        add(shape, "+", inserted)
        add(shape, "=", changes)

        def build() -> Planned[list[M]]:
            statement = insert(of.table).values(bound(shape, "+", inserted))
            changed = bound(shape, "=", changes)
            if changes:
                changed |= {column: value for column, value in _on_update(of.columns.values()) if column not in changed}
            return self._returning(shape, on_conflict(of, statement, unique, changed))

        found = self._run(shape, build, writes=True)
        if not found:
            raise taken(of, unique)
        return found[0]

    def _changed(
        self,
        method: str,
        key: Mapping[str, object],
        changes: Values,
        *,
        deleted_too: bool,
        fixed: Mapping[str, ClauseElement] | None = None,
    ) -> list[M]:
        """Update the row with a key."""
        of = self._of
        columns = {of.columns[name]: value for name, value in (fixed or {}).items()}
        given = with_defaults(of.columns.values(), changes, on_update=True, but=columns)
        shape = Shape(method, deleted_too)
        shape.equal(key)
        add(shape, "=", given)

        def build() -> Planned[list[M]]:
            where = self._by_key(shape, key, deleted_too=deleted_too)
            return self._returning(
                shape, update_of(of.table).where(*where).values({**bound(shape, "=", given), **columns})
            )

        return self._run(shape, build, writes=True)

    def _by_key(self, shape: Shape, key: Mapping[str, object], *, deleted_too: bool) -> list[Any]:
        self._of.unique_key(key, deleted_too=deleted_too)
        if None in key.values():
            raise UnplannedError("the key has no value")
        return conditions(self._of, (), self._bound(shape, key), deleted_too=deleted_too)

    def _returning(self, shape: Shape, statement: UpdateBase) -> Planned[list[M]]:
        of, dialect = self._of, self.plans.dialect
        returning = without_entities(of, statement.returning(*of.columns.values()))
        maker = Rows(of, dialect)
        return Planned(planned(returning, dialect, shape.binds), maker.objects, [of], [maker])

    def _refuse(self) -> None:
        if reason := unfit_write(self._of):
            raise UnplannedError(reason)

    def _only(self, found: Sequence[M]) -> M:
        if not found:
            raise not_found(self._of)
        return found[0]


def with_defaults(
    columns: Iterable[Column[Any]], given: Values, *, on_update: bool = False, but: Values | None = None
) -> dict[Column[Any], Any]:
    """Return values for columns, and with them those that Python computes for the other columns.

    What the server computes is in the statement anyway.
    """
    found = dict(given)
    row = {column.key: value for column, value in given.items()}
    for column in columns:
        default = column.onupdate if on_update else column.default
        if default is None or column in found or column in (but or {}):
            continue
        if default.is_callable or default.is_scalar:
            found[column] = row[column.key] = evaluated(default, row)
    return found


def add(shape: Shape, mark: str, values: Values) -> None:
    """Add values of columns to a shape; NULL of JSON is part of the statement."""
    for column, value in values.items():
        shape.assign(
            f"{mark}{column.key}", None if isinstance(value, Null) else value, is_fixed=isinstance(value, Null)
        )


def bound(shape: Shape, mark: str, values: Values) -> dict[Column[Any], Any]:
    """Return the same values as parameters."""
    bound = {column: shape.bound(f"{mark}{column.key}", column.type) for column in values}
    return {column: values[column] if bind is None else bind for column, bind in bound.items()}


def _on_update(columns: Iterable[Column[Any]]) -> Iterator[tuple[Column[Any], Any]]:
    """Yield what the server computes for a column of a row that is changed, which ON CONFLICT does not do by itself."""
    for column in columns:
        if isinstance(column.onupdate, ColumnElementColumnDefault):
            yield column, column.onupdate.arg
