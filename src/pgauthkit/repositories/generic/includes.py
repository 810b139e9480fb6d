"""`include`: relation names, dotted paths and nested mappings, read into branches."""

from collections.abc import Iterator, Mapping, Sequence, Set as AbstractSet
from typing import Any, Final, TypeAlias, TypedDict, cast

import attrs
from sqlalchemy.orm import RelationshipProperty

from pgauthkit.errors import RepositoryError
from pgauthkit.repositories.generic.conditions import Condition, Order, sequence
from pgauthkit.repositories.generic.description import Description, describe

__all__ = ["Branch", "Branches", "Include", "Nested", "branches"]


class Nested(TypedDict, total=False):
    """What to include of a relation.

    `order_by` and `take` (at most so many for each parent) are for collections. `with_deleted` is that of the method
    where it is not given.

    Example:
        >>> recent: Nested = {"order_by": ["-created_at"], "take": 3}
        >>> users.find_many(include={"posts": recent})  # doctest: +SKIP
    """

    where: "Condition | Sequence[Condition]"
    order_by: "Order | Sequence[Order]"
    take: int
    include: "Include"
    with_deleted: bool


Include: TypeAlias = str | Sequence[str] | AbstractSet[str] | Mapping[str, bool | Nested]


@attrs.frozen
class Branch:
    """One relation that is included, and what is included of it; or one that is expressly not."""

    relation: RelationshipProperty[Any]
    wanted: bool = True
    where: Sequence[Condition] = ()
    order_by: Sequence[Order] = ()
    take: int | None = None
    deleted_too: bool = False
    branches: "Branches" = attrs.field(factory=dict[str, "Branch"])

    @property
    def target(self) -> Description[Any]:
        """What the relation leads to."""
        return describe(self.relation.mapper.class_)

    def attribute(self, entity: Any) -> Any:  # noqa: ANN401 - a class, or an alias of one
        """Return the relation's attribute, leading to the model that is loaded: for `User`, an application's class."""
        found, model = getattr(entity, self.relation.key), self.target.model
        return found if self.relation.mapper.class_ is model else found.of_type(model)


Branches: TypeAlias = Mapping[str, Branch]
Path: TypeAlias = Sequence[RelationshipProperty[Any]]

# What a model may say of a relation that SQLAlchemy loads with every object; False is another word for "joined".
_EAGER: Final = frozenset({"joined", "selectin", "subquery", "immediate", False})


def branches(of: Description[Any], include: Include, *, deleted_too: bool) -> Branches:
    """Read what a host wants included, in a call or in its models (`lazy="selectin"`, `lazy="joined"`).

    Args:
        of: the model that it starts from.
        include: as the host gave it.
        deleted_too: also deleted rows, where a nested mapping does not say otherwise.

    Raises:
        RepositoryError: there is no such relation, or it cannot be included in that way.
    """
    return _completed(of, _asked(of, include, deleted_too=deleted_too), deleted_too=deleted_too)


def _asked(of: Description[Any], include: Include, *, deleted_too: bool) -> Branches:
    found: dict[str, Branch] = {}
    for path, nested in _pairs(of, include):
        name, _, rest = path.partition(".")
        branch = found.get(name) or Branch(_relation(of, name), deleted_too=deleted_too)
        if nested is None:
            found[name] = attrs.evolve(branch, wanted=False)
            continue
        if rest:
            deeper = _asked(branch.target, {rest: nested}, deleted_too=deleted_too)
        else:
            branch = _with(of, branch, nested)
            deeper = _asked(branch.target, nested.get("include", ()), deleted_too=branch.deleted_too)
        found[name] = attrs.evolve(branch, wanted=True, branches=_merged(branch.branches, deeper))
    return found


def _completed(of: Description[Any], asked: Branches, *, deleted_too: bool, path: Path = ()) -> Branches:
    """Add what the models say is always loaded, each relation at most `join_depth` times on a path, or else once."""
    always = {
        name: Branch(relation, deleted_too=deleted_too)
        for name, relation in of.relations.items()
        if relation.lazy in _EAGER and path.count(relation) < (relation.join_depth or 1)
    }
    wanted = {name: branch for name, branch in {**always, **asked}.items() if branch.wanted}
    return {name: _deeper(branch, (*path, branch.relation)) for name, branch in wanted.items()}


def _deeper(branch: Branch, path: Path) -> Branch:
    found = _completed(branch.target, branch.branches, deleted_too=branch.deleted_too, path=path)
    return attrs.evolve(branch, branches=found)


def _pairs(of: Description[Any], include: Include) -> Iterator[tuple[str, Nested | None]]:
    if not isinstance(include, Mapping):
        yield from ((path, Nested()) for path in ([include] if isinstance(include, str) else include))
        return
    for path, nested in include.items():
        if unknown := set(() if isinstance(nested, bool) else nested) - set(Nested.__annotations__):
            message = f"{of.name}.{path} cannot be included with {', '.join(sorted(unknown))}."
            raise RepositoryError(message, table=of.table.name)
        if nested is not False:
            yield path, Nested() if nested is True else nested
        elif "." not in path:
            yield path, None


def _relation(of: Description[Any], name: str) -> RelationshipProperty[Any]:
    relation = of.relations.get(name)
    if relation is None:
        known = ", ".join(of.relations.keys()) or "none"
        raise RepositoryError(f"{of.name} has no relation {name!r}; it has: {known}.", table=of.table.name)
    if relation.lazy in {"dynamic", "write_only"}:
        raise RepositoryError(f"{of.name}.{name} is a query of its own, which is not included.", table=of.table.name)
    return relation


def _with(of: Description[Any], branch: Branch, nested: Nested) -> Branch:
    order_by, take = nested.get("order_by", ()), nested.get("take")
    if not branch.relation.uselist and (order_by or take is not None):
        message = f"{of.name}.{branch.relation.key} leads to one row: it has no order_by and no take."
        raise RepositoryError(message, table=of.table.name)
    return attrs.evolve(
        branch,
        where=sequence(nested.get("where", ())),
        order_by=sequence(order_by),
        take=take,
        deleted_too=nested.get("with_deleted", branch.deleted_too),
    )


def _merged(first: Branches, second: Branches) -> Branches:
    both = {
        name: attrs.evolve(second[name], branches=_merged(first[name].branches, second[name].branches))
        for name in first.keys() & second.keys()
    }
    return cast("Branches", {**first, **second, **both})
