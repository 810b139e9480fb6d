"""Loading objects, and what is included: to-one relations by a join, each collection by one more statement."""

from collections.abc import Iterator, Sequence
from operator import itemgetter
from typing import Any, Final, TypeAlias

from sqlalchemy import Column, Integer, Row, Select, and_, func, orm, select, true
from sqlalchemy.orm import aliased, joinedload, raiseload
from sqlalchemy.orm.attributes import set_committed_value

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.arrays import given, ready_for_arrays
from pgauthkit.repositories.generic.conditions import conditions, orders
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.includes import Branch, Branches
from pgauthkit.repositories.generic.unloaded import close

__all__ = ["at_most", "joins", "load"]

AnyRow: TypeAlias = Row[*tuple[Any, ...]]
AnySelect: TypeAlias = Select[*tuple[Any, ...]]

_NUMBER: Final = "pgauthkit_number"


def at_most(name: str, number: int) -> int:
    """Return a number of rows.

    Raises:
        RepositoryError: it is negative.
    """
    if number < 0:
        raise RepositoryError(f"{name} is negative.")
    return number


def load(
    db: orm.Session, of: Description[Any], statement: AnySelect, tree: Branches, entity: object = None
) -> list[AnyRow]:
    """Run a statement whose last column is an object, and load what is included.

    What an object showed before is replaced by what the database has now. Nothing is linked until everything has been
    read, since a later statement may meet the same object again without what an earlier one included.

    Args:
        db: the host's session, flushed.
        of: the model of the objects.
        statement: a select.
        tree: what to include.
        entity: the alias of the model in the statement, where it is not the model itself.
    """
    loading = _Loading(db)
    rows = loading.fetch(of, statement, tree, entity or of.model)
    loading.descend(of, [row[-1] for row in rows if row[-1] is not None], tree, "")
    loading.finish()
    return rows


class _Loading:
    def __init__(self, db: orm.Session) -> None:
        self._db = db
        self._levels: list[tuple[Sequence[object], Branches, str]] = []
        self._links: list[tuple[int, object, str, object]] = []

    def fetch(self, of: Description[Any], statement: AnySelect, tree: Branches, entity: object) -> list[AnyRow]:
        complete = statement.options(raiseload("*"), *joins(entity, tree))
        # To replace what objects show takes a fifth of the time of loading them, also where nobody has one yet.
        present = set(map(itemgetter(0), self._db.identity_map.keys()))
        options = {"populate_existing": not present.isdisjoint(_identities(of, tree))}
        bind = {"mapper": of.mapper}
        return list(self._db.execute(complete, execution_options=options, bind_arguments=bind))

    def descend(self, of: Description[Any], instances: Sequence[Any], tree: Branches, prefix: str) -> None:
        """Load the collections that are included, and what is below them."""
        self._levels.append((instances, tree, prefix))
        for name, branch in tree.items():
            if branch.relation.uselist:
                values: Sequence[Any] = self._collections(of, instances, branch)
                targets = [child for children in values for child in children]
            else:
                values = [vars(instance)[name] for instance in instances]
                targets = [target for target in values if target is not None]
            depth = prefix.count(".")
            self._links += [(depth, instance, name, value) for instance, value in zip(instances, values, strict=True)]
            self.descend(branch.target, _unique(targets), branch.branches, f"{prefix}{name}.")

    def finish(self) -> None:
        """Link what was found; the last word has what was included nearest to where it all started."""
        for instances, tree, prefix in sorted(self._levels, key=lambda level: -level[2].count(".")):
            close(instances, tree, prefix)
        for _, instance, name, value in sorted(self._links, key=lambda link: -link[0]):
            set_committed_value(instance, name, value)

    def _collections(self, of: Description[Any], parents: Sequence[Any], branch: Branch) -> list[list[Any]]:
        """Return the children of each parent."""
        children: list[list[Any]] = [[] for _ in parents]
        if parents:
            statement, entity = self._of_parents(of, parents, branch)
            for number, child in self.fetch(branch.target, statement, branch.branches, entity):
                children[number].append(child)
        return children

    def _of_parents(self, of: Description[Any], parents: Sequence[Any], branch: Branch) -> tuple[AnySelect, Any]:
        target, parent = branch.target, aliased(of.model)
        values = {name: [getattr(instance, name) for instance in parents] for name in of.primary_key}
        columns = {**of.columns, _NUMBER: Column(_NUMBER, Integer)}
        dialect = ready_for_arrays(self._db.connection({"mapper": of.mapper}))
        keys = given(dialect, columns, {**values, _NUMBER: range(len(parents))})
        same = and_(*(getattr(parent, name) == keys[name] for name in of.primary_key))
        where = conditions(target, branch.where, deleted_too=branch.deleted_too)
        order = orders(target, branch.order_by) or branch.relation.order_by or orders(target, target.primary_key)
        relation = branch.attribute(parent)
        if branch.take is None:
            every = select(keys[_NUMBER], target.model).join(parent, same).join(relation)
            return every.where(*where).order_by(*order), target.model
        rank = func.row_number().over(order_by=order).label(_NUMBER)
        few = select(target.model, rank).select_from(parent).join(relation).where(same, *where)
        lateral = few.order_by(*order).limit(at_most("take", branch.take)).correlate(keys[_NUMBER].table).lateral()
        entity = aliased(target.model, lateral)
        return select(keys[_NUMBER], entity).join(lateral, true()).order_by(lateral.c[_NUMBER]), entity


def joins(entity: Any, tree: Branches) -> Iterator[Any]:  # noqa: ANN401 - a class, or an alias of one
    """Yield the options that load the relations to one row which are included, and those of them."""
    for branch in tree.values():
        if not branch.relation.uselist:
            where = conditions(branch.target, branch.where, deleted_too=branch.deleted_too)
            attribute = branch.attribute(entity)
            joined = joinedload(attribute.and_(*where) if where else attribute)
            yield joined.options(*joins(branch.target.model, branch.branches))


def _identities(of: Description[Any], tree: Branches) -> Iterator[type[Any]]:
    """Return the classes by which a session knows the objects of one statement."""
    yield of.mapper.identity_key_from_primary_key(())[0]
    for branch in tree.values():
        if not branch.relation.uselist:
            yield from _identities(branch.target, branch.branches)


def _unique(instances: Sequence[Any]) -> list[Any]:
    return list({id(instance): instance for instance in instances}.values())
