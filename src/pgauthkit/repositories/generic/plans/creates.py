"""`Creates`: a new row on an engine, in one round trip, by a plan."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, TypeAlias, TypeVar

from sqlalchemy import Column, ColumnElement, Dialect, insert, literal_column
from sqlalchemy.sql import ClauseElement

from pgauthkit.repositories.generic.assignments import assigned, checked, evaluated
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.mapping.construction import constructed, without_null
from pgauthkit.repositories.generic.plans.detached import Origin, origin
from pgauthkit.repositories.generic.plans.fitness import unfit_write
from pgauthkit.repositories.generic.plans.instances import refuse_unsuitable
from pgauthkit.repositories.generic.plans.internals import Converter, commit_new, is_plainly_made, reader_of
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.rows import Row, Types
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError

__all__ = ["Creates"]

M = TypeVar("M")
# The name of an attribute, that of its column, the default that Python computes, and whether NULL is left out.
_Written: TypeAlias = tuple[str, str, Any, bool]


class Creates(Planning[M]):
    """The twin of `Writing.create`, for an engine."""

    def create(self, instance: M | None = None, /, **values: Any) -> M:  # noqa: ANN401 - of any column
        """Insert a row, and return it."""
        of = self._of
        if reason := unfit_write(of):
            raise UnplannedError(reason)
        if instance is None and is_plainly_made(of, values):
            # Most models: what the constructor would do takes as long as the rest of our work for the row.
            self._refuse_expressions(values)
            checked(of, values)
            made: M = self._origin.made(self._inserted(values))
            return made
        self._refuse_unfit(instance, values)
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
        commit_new(instance, {**dict.fromkeys(empty), **self._inserted(held)}, self._origin.closed)
        return instance

    @property
    def _origin(self) -> Origin:
        return origin(self._of.model, frozenset(), "")

    @cached_property
    def _columns(self) -> Sequence[_Written]:
        return [_written(name, column) for name, column in self._of.columns.items()]

    def _refuse_unfit(self, instance: M | None, values: Mapping[str, Any]) -> None:
        if instance is not None and values:
            raise UnplannedError("there is an object as well as values")
        held = values if instance is None else vars(instance)
        self._refuse_expressions(held)
        if held.keys() & self._of.relations.keys():
            raise UnplannedError("a relation is given")

    def _refuse_expressions(self, held: Mapping[str, Any]) -> None:
        if any(isinstance(value, ClauseElement) for value in held.values()):
            raise UnplannedError("a value is an SQL expression")

    def _inserted(self, held: Mapping[str, Any]) -> dict[str, Any]:
        """Insert what a new object holds, and return the values of all columns."""
        given = _given(self._columns, held)
        shape = Shape("create")
        shape.assign_all(given)
        added: dict[str, Any] = self._run(shape, lambda: self._insert(shape, given), writes=True)
        return {**given, **added}

    def _insert(self, shape: Shape, given: Mapping[str, Any]) -> Planned[dict[str, Any]]:
        of, dialect = self._of, self.plans.dialect
        values = {of.columns[name]: shape.bound(name, of.columns[name].type) for name in given}
        names = [name for name in of.columns if name not in given]
        read: list[ColumnElement[Any]] = [of.columns[name] for name in names]
        statement = insert(of.table).values(values).returning(*(read or [literal_column("1")]))

        return Planned(planned(statement, dialect, shape.binds), _Values(of, dialect, names).answer, [of])


class _Values:
    """What the server has added to a row."""

    def __init__(self, of: Description[Any], dialect: Dialect, names: Sequence[str]) -> None:
        self._names = names
        self._kinds = [of.columns[name].type for name in names]
        self._dialect = dialect
        self._readers: dict[Types, Sequence[tuple[str, Converter]]] = {}

    def answer(self, rows: Sequence[Row], types: Types) -> dict[str, Any]:
        """Return the values by their names."""
        found: dict[str, Any] = dict(zip(self._names, rows[0], strict=False))
        readers = self._readers.get(types)
        if readers is None:
            pairs = zip(self._names, self._kinds, types, strict=False)
            read = [(name, reader_of(kind, self._dialect, oid)) for name, kind, oid in pairs]
            readers = self._readers[types] = [(name, reader) for name, reader in read if reader is not None]
        for name, reader in readers:
            found[name] = reader(found[name])
        return found


def _written(name: str, column: Column[Any]) -> _Written:
    default: Any = column.default
    is_python = default is not None and (default.is_callable or default.is_scalar)
    is_left_out = default is not None or column.server_default is not None or column.primary_key
    return name, column.key, default if is_python else None, is_left_out or column.type.should_evaluate_none


def _given(columns: Iterable[_Written], held: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a flush would write: what was given, what Python computes, and NULL where nothing else is known.

    As in a flush, None stands for a default where there is one.
    """
    given: dict[str, Any] = {}
    row: dict[str, Any] = {}
    for name, key, default, is_left_out in columns:
        value = held.get(name)
        if value is None and default is not None:
            value = evaluated(default, row)
        if value is not None or not is_left_out:
            row[key] = given[name] = value
    return given
