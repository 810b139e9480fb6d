"""`Creates`: a new row on an engine, in one round trip, by a plan."""

from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, insert, literal_column
from sqlalchemy.sql import ClauseElement

from pgauthkit.repositories.generic.assignments import assigned, evaluated
from pgauthkit.repositories.generic.mapping.construction import constructed, without_null
from pgauthkit.repositories.generic.plans.fitness import unfit_write
from pgauthkit.repositories.generic.plans.instances import refuse_unsuitable
from pgauthkit.repositories.generic.plans.internals import commit_new, reader_of
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError
from pgauthkit.repositories.generic.unloaded import close

__all__ = ["Creates"]

M = TypeVar("M")


class Creates(Planning[M]):
    """The twin of `Writing.create`, for an engine."""

    def create(self, instance: M | None = None, /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Insert a row, and return it."""
        of = self._of
        if reason := unfit_write(of) or self._unfit_values(instance, values):
            raise UnplannedError(reason)
        if instance is None:
            of.require(name for name in values if not of.takes(name))
            assigned(of, {name: value for name, value in values.items() if name in of.columns})
            instance = constructed(of, values)
        else:
            refuse_unsuitable(of, instance)
        held = vars(instance)
        if held.keys() & of.relations.keys():
            raise UnplannedError("a relation is given")
        empty = without_null(of, instance)
        given = dict(_written(of.columns, held))
        shape = Shape("create")
        for name, value in given.items():
            shape.assign(name, value)
        read = self._run(shape, lambda: self._insert(shape, given), writes=True)
        commit_new(instance, {**given, **dict.fromkeys(empty), **read})
        close([instance], fresh=True)
        return instance

    def _unfit_values(self, instance: M | None, values: Mapping[str, Any]) -> str | None:
        held = values if instance is None else vars(instance)
        if instance is not None and values:
            return "there is an object as well as values"
        if any(isinstance(value, ClauseElement) for value in held.values()):
            return "a value is an SQL expression"
        if held.keys() & self._of.relations.keys():
            return "a relation is given"
        return None

    def _insert(self, shape: Shape, given: Mapping[str, Any]) -> Planned[dict[str, Any]]:
        of, dialect = self._of, self.plans.dialect
        values = {of.columns[name]: shape.bound(name, of.columns[name].type) for name in given}
        names = [name for name in of.columns if name not in given]
        read: list[ColumnElement[Any]] = [of.columns[name] for name in names]
        statement = insert(of.table).values(values).returning(*read, literal_column("1"))

        def answer(rows: Any, types: tuple[int, ...]) -> dict[str, Any]:  # noqa: ANN401 - one row
            found = zip(names, types, rows[0], strict=False)
            readers = ((name, reader_of(of.columns[name].type, dialect, oid), value) for name, oid, value in found)
            return {name: value if read is None else read(value) for name, read, value in readers}

        return Planned(planned(statement, dialect, shape.binds), answer, [of])


def _written(columns: Mapping[str, Column[Any]], held: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Yield what a flush would write: what was given, what Python computes, and NULL where nothing else is known.

    As in a flush, None stands for a default where there is one.
    """
    row: dict[str, Any] = {}
    for name, column in columns.items():
        value, default = held.get(name), column.default
        if value is None and default is not None and (default.is_callable or default.is_scalar):
            value = evaluated(default, row)
        is_left_out = default is not None or column.server_default is not None or column.primary_key
        if value is None and (is_left_out or column.type.should_evaluate_none):
            continue
        row[column.key] = value
        yield name, value
