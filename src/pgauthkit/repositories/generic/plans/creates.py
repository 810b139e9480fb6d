"""`Creates`: a new row on an engine, in one round trip, by a plan."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Column, ColumnElement, Dialect, insert, literal_column
from sqlalchemy.sql import ClauseElement

from pgauthkit.repositories.generic.assignments import assigned, evaluated
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.mapping.construction import constructed, without_null
from pgauthkit.repositories.generic.plans.detached import origin
from pgauthkit.repositories.generic.plans.fitness import unfit_write
from pgauthkit.repositories.generic.plans.instances import refuse_unsuitable
from pgauthkit.repositories.generic.plans.internals import Converter, commit_new, reader_of
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.rows import Row, Types
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError

__all__ = ["Creates"]

M = TypeVar("M")
_Added: TypeAlias = tuple[dict[str, Any], Mapping[str, Any]]


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
        read, closed = self._run(shape, lambda: self._insert(shape, given), writes=True)
        commit_new(instance, {**given, **dict.fromkeys(empty), **read}, closed)
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

    def _insert(self, shape: Shape, given: Mapping[str, Any]) -> Planned[_Added]:
        of, dialect = self._of, self.plans.dialect
        values = {of.columns[name]: shape.bound(name, of.columns[name].type) for name in given}
        names = [name for name in of.columns if name not in given]
        read: list[ColumnElement[Any]] = [of.columns[name] for name in names]
        statement = insert(of.table).values(values).returning(*read, literal_column("1"))

        return Planned(planned(statement, dialect, shape.binds), _Values(of, dialect, names).answer, [of])


class _Values:
    """What the server has added to a row."""

    def __init__(self, of: Description[Any], dialect: Dialect, names: Sequence[str]) -> None:
        self._names = names
        self._kinds = [of.columns[name].type for name in names]
        self._dialect = dialect
        self._closed = origin(of.model, frozenset(), "").closed
        self._readers: dict[Types, Sequence[tuple[str, Converter]]] = {}

    def answer(self, rows: Sequence[Row], types: Types) -> _Added:
        """Return the values by their names, and what refuses the object's relations."""
        found: dict[str, Any] = dict(zip(self._names, rows[0], strict=False))
        readers = self._readers.get(types)
        if readers is None:
            pairs = zip(self._names, self._kinds, types, strict=False)
            read = [(name, reader_of(kind, self._dialect, oid)) for name, kind, oid in pairs]
            readers = self._readers[types] = [(name, reader) for name, reader in read if reader is not None]
        for name, reader in readers:
            found[name] = reader(found[name])
        return found, self._closed


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
