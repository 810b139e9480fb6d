"""`Keyed`: several rows on an engine, each by a unique key of its own, in one round trip."""

from collections.abc import Callable, Hashable, Mapping, Sequence
from functools import partial
from typing import Any, Final, TypeVar, cast
from uuid import UUID

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    SmallInteger,
    String,
    Text,
    Uuid,
    column,
    func,
    literal_column,
    select,
    true,
)
from sqlalchemy.types import TypeEngine

from pgauthkit.database.pool.loan import is_heard
from pgauthkit.repositories.generic.conditions import conditions
from pgauthkit.repositories.generic.plans.fitness import unfit_model
from pgauthkit.repositories.generic.plans.internals import without_entities
from pgauthkit.repositories.generic.plans.known import Planned
from pgauthkit.repositories.generic.plans.plan import planned
from pgauthkit.repositories.generic.plans.reads import Planning
from pgauthkit.repositories.generic.plans.rows import Row, Rows, Types
from pgauthkit.repositories.generic.plans.shapes import Shape
from pgauthkit.repositories.generic.plans.trees import root_columns
from pgauthkit.repositories.generic.typed import plain_type
from pgauthkit.statements.statement import unsized

__all__ = ["Keyed"]

M = TypeVar("M")
# What a value must be for a column of these types, and no other: an array of them is to the server what each is alone.
_KINDS: Final[Mapping[type[TypeEngine[Any]], type[object]]] = {
    SmallInteger: int,
    Integer: int,
    BigInteger: int,
    String: str,
    Text: str,
    Uuid: UUID,
}
_BITS: Final[Mapping[type[object], int]] = {SmallInteger: 15, Integer: 31, BigInteger: 63}


class Keyed(Planning[M]):
    """What becomes of many calls of `find_unique` that come at once."""

    def kind(self, key: Mapping[str, object], *, with_deleted: bool) -> Hashable:
        """Return what keys that one statement can look for have in common; None for one that is looked for alone.

        What listens as a connection is taken, as a host does to tell the server of its tenant, may do so by who calls.
        """
        if unfit_model(self._of) or is_heard(self._calls.engine.pool):
            return None
        known = self._of.columns
        fits = all(name in known and _fits(known[name].type, value) for name, value in key.items())
        return (with_deleted, *key) if fits else None

    def find_each(self, keys: Sequence[Mapping[str, Any]], *, with_deleted: bool) -> list[Callable[[], M] | None]:
        """Return what makes the object of each key, and None where there is no row.

        Args:
            keys: of one kind.
            with_deleted: also those that are deleted.
        """
        names = tuple(keys[0])
        shape = Shape("find_each", with_deleted)
        shape.assign_all({name: [key[name] for key in keys] for name in names})
        found = self._run(shape, lambda: self._each(shape, names, deleted_too=with_deleted))
        return [found.get(number) for number in range(1, len(keys) + 1)]

    def _each(self, shape: Shape, names: Sequence[str], *, deleted_too: bool) -> Planned[dict[int, Callable[[], M]]]:
        of, dialect = self._of, self.plans.dialect
        of.unique_key(names, deleted_too=deleted_too)
        kinds = {name: type(of.columns[name].type)() for name in names}
        bound = [shape.bound(name, ARRAY(kind)) for name, kind in kinds.items()]
        arrays = [unsized(array) for array in bound if array is not None]
        keys = [column(f"k{number}", kind) for number, kind in enumerate(kinds.values())]
        asked = func.unnest(*arrays).table_valued(*keys, with_ordinality="n").render_derived("asked")
        same = [of.columns[name] == asked.c[key.name] for name, key in zip(names, keys, strict=True)]
        row = select(*root_columns(of)).where(*same, *conditions(of, (), deleted_too=deleted_too))
        # A row for each key, by the index that each alone is found by: as a join it might read all of the table.
        one = without_entities(of, row.limit(literal_column("1")).correlate(asked)).lateral("found")
        statement = select(asked.c.n, *one.c).select_from(asked.join(one, true()))
        maker = Rows(of, dialect, 1)

        def answer(rows: Sequence[Row], types: Types) -> dict[int, Callable[[], M]]:
            return {row[0]: partial(_only, maker, row, types) for row in rows}

        return Planned(planned(statement, dialect, shape.binds, many=True), answer, [of], [maker])


def _only(maker: Rows[M], row: Row, types: Types) -> M:
    return maker.objects([row], types)[0]


def _fits(kind: TypeEngine[Any], value: Any) -> bool:  # noqa: ANN401 - of any type
    """Tell whether a value may be one of many: no other type would do, and the server refuses none of them."""
    own = type(kind)
    if type(value) is not _KINDS.get(own) or plain_type(kind) is not kind or getattr(kind, "collation", None):
        return False
    return own not in _BITS or cast("int", value).bit_length() <= _BITS[own]
