"""`Join`: how the rows of a relation hang on those of its parent: by columns that are equal, and by nothing else."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, cast

import attrs
from sqlalchemy import BinaryExpression, BooleanClauseList, Column, ColumnElement, FromClause, Table, and_
from sqlalchemy.orm import RelationshipDirection
from sqlalchemy.sql import operators

from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.includes import Branch
from pgauthkit.repositories.generic.plans.internals import plain_column
from pgauthkit.repositories.generic.plans.shapes import UnplannedError

__all__ = ["Join", "join_of"]

Pair = tuple[Column[Any], Column[Any]]


@attrs.frozen(eq=False)
class Join:
    """A relation as a join.

    Attributes:
        target: the table that it leads to.
        keys: attributes of the parent, each with the column that it equals.
        secondary: the table between the two, if there is one.
        beyond: columns of that table, each with the column of the target that it equals.
        is_collection: it leads to many rows.
        is_of_one_parent: a row of the target belongs to one parent at the most.
    """

    target: Table
    keys: Sequence[tuple[str, Column[Any]]]
    secondary: Table | None
    beyond: Sequence[Pair]
    is_collection: bool
    is_of_one_parent: bool

    def conditions(self, parent: Callable[[str], ColumnElement[Any]]) -> list[ColumnElement[bool]]:
        """Return what ties a row to its parent, given the parent's attributes as columns."""
        return [parent(name) == column for name, column in self.keys]

    def rows(self, parents: FromClause | None = None, same: Sequence[ColumnElement[bool]] = ()) -> FromClause:
        """Return the target's rows, after those of the table between, after those of the parents."""
        found: FromClause | None = parents
        if self.secondary is not None:
            found = self.secondary if found is None else found.join(self.secondary, and_(*same))
            return found.join(self.target, and_(*(left == right for left, right in self.beyond)))
        return self.target if found is None else found.join(self.target, and_(*same))


def join_of(of: Description[Any], branch: Branch) -> Join:
    """Return the join of a relation.

    Raises:
        UnplannedError: there is more to it than columns that are equal.
    """
    relation = branch.relation
    between = relation.secondary
    far: FromClause = branch.target.table if between is None else between
    known = set(cast("Sequence[Pair]", relation.local_remote_pairs))
    keys = [_sided(of, pair, known, far) for pair in _equal(relation.primaryjoin)]
    beyond = [] if relation.secondaryjoin is None else list(_equal(relation.secondaryjoin))
    if None in keys or None in beyond or not relation.entity.is_mapper or not isinstance(far, Table):
        raise UnplannedError(f"{of.name}.{relation.key} is more than columns that are equal")
    return Join(
        branch.target.table,
        cast("list[tuple[str, Column[Any]]]", keys),
        None if between is None else cast("Table", far),
        cast("list[Pair]", beyond),
        bool(relation.uselist),
        relation.direction is RelationshipDirection.ONETOMANY,
    )


def _equal(condition: ColumnElement[bool]) -> Iterator[Pair | None]:
    """Yield the pairs of columns that a condition says are equal; None for anything else that it says."""
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for part in condition.clauses:
            yield from _equal(part)
        return
    sides = (condition.left, condition.right) if isinstance(condition, BinaryExpression) else ()
    columns = [column for side in sides if (column := plain_column(side)) is not None]
    is_equality = isinstance(condition, BinaryExpression) and condition.operator is operators.eq
    yield (columns[0], columns[1]) if is_equality and len(columns) == len(sides) else None


def _sided(
    of: Description[Any], pair: Pair | None, known: set[Pair], far: FromClause
) -> tuple[str, Column[Any]] | None:
    """Return an attribute of the parent, and the column of the other side that equals it."""
    both = () if pair is None else (pair, pair[::-1])
    names = of.keys_of_columns
    sided = ((names[here], there) for here, there in both if (here, there) in known and here in names)
    return next(((name, there) for name, there in sided if there.table is far), None)
