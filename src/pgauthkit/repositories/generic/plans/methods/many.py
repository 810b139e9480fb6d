"""`Many`: rows changed or deleted by conditions on an engine, in one round trip, by plans."""

from collections.abc import Sequence
from typing import Any, TypeVar

from sqlalchemy import UpdateBase, delete, func, update as update_of
from sqlalchemy.sql import ClauseElement

from pgauthkit.repositories.generic.assignments import assigned
from pgauthkit.repositories.generic.conditions import Condition, conditions
from pgauthkit.repositories.generic.plans.fitness import unfit_write
from pgauthkit.repositories.generic.plans.internals import without_entities
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError
from pgauthkit.repositories.generic.plans.writes import Values, add, bound, with_defaults

__all__ = ["Many"]

M = TypeVar("M")


class Many(Planning[M]):
    """The twins of `update_many` and `delete_many`, for an engine."""

    def update_many(self, *where: Condition, **values: Any) -> int:  # noqa: ANN401 - of any column
        """Change the columns given of all rows that meet the conditions, and return how many."""
        if reason := unfit_write(self._of):
            raise UnplannedError(reason)
        changes = assigned(self._of, values) if where else {}
        if not changes:
            raise UnplannedError("nothing is changed, or there is no condition")
        return self._changed_where("update_many", where, changes)

    def delete_many(self, *where: Condition, all: bool = False, hard: bool = False) -> int:  # noqa: A002 - of the contract
        """Delete the rows that meet the conditions, and return how many."""
        if reason := unfit_write(self._of):
            raise UnplannedError(reason)
        if all == bool(where):
            raise UnplannedError("there is no condition, or one for all rows")
        if self._of.soft and not hard:
            return self._changed_where("delete_many", where, {self._of.columns["deleted_at"]: func.now()})
        shape = Shape("delete_many", hard)
        shape.expressions(where)

        def build() -> Planned[int]:
            return self._counting(shape, delete(self._of.table).where(*conditions(self._of, where, deleted_too=hard)))

        return self._run(shape, build, writes=True)

    def _changed_where(self, method: str, where: Sequence[Condition], changes: Values) -> int:
        of = self._of
        computed = {column: value for column, value in changes.items() if _is_expression(value)}
        plain = {column: value for column, value in changes.items() if column not in computed}
        given = with_defaults(of.columns.values(), plain, on_update=True, but=computed)
        shape = Shape(method, tuple(column.key for column in computed))
        shape.expressions(where)
        shape.expressions(tuple(computed.values()))
        add(shape, "=", given)

        def build() -> Planned[int]:
            changed = update_of(of.table).where(*conditions(of, where, deleted_too=False))
            return self._counting(shape, changed.values({**computed, **bound(shape, "=", given)}))

        return self._run(shape, build, writes=True)

    def _counting(self, shape: Shape, statement: UpdateBase) -> Planned[int]:
        counted = planned(without_entities(self._of, statement), self.plans.dialect, shape.binds)
        return Planned(counted, lambda rows, _: len(rows))


def _is_expression(value: object) -> bool:
    return isinstance(value, ClauseElement) or hasattr(value, "__clause_element__")
