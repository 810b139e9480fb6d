"""`Reads`: what a repository on an engine reads in one round trip, by plans."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Generic, TypeVar

from sqlalchemy import ColumnElement, func, literal_column, select

from pgauthkit.identifiers import is_storable
from pgauthkit.repositories.generic.conditions import Condition, Order, conditions, orders
from pgauthkit.repositories.generic.description import Description, not_found
from pgauthkit.repositories.generic.includes import Branches, Include, branches
from pgauthkit.repositories.generic.loading import at_most
from pgauthkit.repositories.generic.plans.calls import OnEngine
from pgauthkit.repositories.generic.plans.fitness import unfit_engine, unfit_model
from pgauthkit.repositories.generic.plans.internals import load_listeners, without_entities
from pgauthkit.repositories.generic.plans.known import Planned, Plans, plans_of
from pgauthkit.repositories.generic.plans.linking import Linking
from pgauthkit.repositories.generic.plans.persistent import Persistent
from pgauthkit.repositories.generic.plans.plan import Asked, planned
from pgauthkit.repositories.generic.plans.rows import Rows
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError
from pgauthkit.repositories.generic.plans.trees import Place, places, root_columns, tree_statement

__all__ = ["SLOW", "Planning", "Reads", "fit_places", "refuse_unstorable"]

M = TypeVar("M")
T = TypeVar("T")

SLOW: Final = object()
"""What `attempt` returns for a call that goes through a session, or in one through the ORM."""


class Planning(Generic[M]):
    """What reads and writes by plans stand on."""

    def __init__(self, calls: OnEngine, of: Description[M]) -> None:
        self._calls = calls
        self._of = of
        self._plans = plans_of(of, calls.engine.dialect)

    @property
    def plans(self) -> Plans[M]:
        """The plans of the model."""
        return self._plans

    def attempt(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
        """Make a call by a plan, or return `SLOW`, and say once in the query log why.

        Raises:
            RepositoryError: what the method raises.
        """
        try:
            return getattr(self, name)(*args, **kwargs)
        except UnplannedError as unplanned:
            reason = str(unplanned)
        self._say(name, reason)
        return SLOW

    def _say(self, name: str, reason: str) -> None:
        if self.plans.is_news(name, reason) and self._calls.log:
            self._calls.log.tell(f"{self._of.name}.{name} goes through a session: {reason}.")

    def _run(self, shape: Shape, build: Callable[[], Planned[T]], *, writes: bool = False) -> T:
        if reason := unfit_engine(self._calls.engine, ours=self._calls.log is not None):
            raise UnplannedError(reason)
        found = self.plans.find(shape, build)
        asked = self._asked(found, shape, writes=writes)
        rows = self._calls.answer(asked)
        if rows is None:
            raise UnplannedError("a connection has settings for transactions, or a value has no form here")
        return found.answer(rows, asked.types)

    def _asked(self, found: Planned[Any], shape: Shape, *, writes: bool) -> Asked:
        """Return a call of a plan."""
        if any(load_listeners(of.mapper) for of in found.models):
            raise UnplannedError("something listens to the loading of rows")
        try:
            parameters = found.plan.parameters(shape.values)
        except Exception as error:  # of any type, of the host's too: a session, or SQLAlchemy, has the words for it
            raise UnplannedError("a value does not fit its column") from error
        return Asked(found.plan, parameters, writes)

    def _bound(self, shape: Shape, values: Mapping[str, object]) -> dict[str, object]:
        """Return the values of columns as parameters, but NULL, true and false."""
        self._of.require(values)
        bound = {name: shape.compared(name, self._of.columns[name].type) for name in values}
        return {name: values[name] if bind is None else bind for name, bind in bound.items()}


class Reads(Planning[M]):
    """The twins of the methods of `Reading`, for an engine."""

    def find_unique(self, *, include: Include = (), with_deleted: bool = False, **key: object) -> M | None:
        """Return the row with a unique key, or None."""
        shape = Shape("find_unique", with_deleted)
        shape.equal(key)
        shape.include(include)

        def build() -> Planned[list[M]]:
            self._of.unique_key(key, deleted_too=with_deleted)
            if None in key.values():
                raise UnplannedError("the key has no value")
            return self._objects(shape, (), key, (), include, deleted_too=with_deleted, many=False)

        refuse_unstorable(key)
        found = self._run(shape, build)
        return found[0] if found else None

    def get(self, *, include: Include = (), with_deleted: bool = False, **key: object) -> M:
        """Return the row with a unique key."""
        found = self.find_unique(include=include, with_deleted=with_deleted, **key)
        if found is None:
            raise not_found(self._of)
        return found

    def find_many(
        self,
        *where: Condition,
        order_by: Order | Sequence[Order] = (),
        take: int | None = None,
        skip: int | None = None,
        include: Include = (),
        with_deleted: bool = False,
        **equals: object,
    ) -> list[M]:
        """Return the rows that meet the conditions."""
        shape = Shape("find_many", with_deleted)
        shape.expressions(where)
        shape.equal(equals)
        shape.expressions(order_by)
        shape.number("+take", take)
        shape.number("+skip", skip)
        shape.include(include)

        def build() -> Planned[list[M]]:
            order = orders(self._of, order_by)
            if order and (take is not None or skip is not None):
                order += orders(self._of, self._of.primary_key)
            return self._objects(shape, where, equals, order, include, deleted_too=with_deleted, many=take != 1)

        for name, number in (("take", take), ("skip", skip)):
            at_most(name, number or 0)
        refuse_unstorable(equals)
        return self._run(shape, build)

    def find_first(self, *where: Condition, **options: Any) -> M | None:  # noqa: ANN401 - of any column
        """Return the first row that meets the conditions, or None."""
        found = self.find_many(*where, take=1, **options)
        return found[0] if found else None

    def count(self, *where: Condition, with_deleted: bool = False, **equals: object) -> int:
        """Return how many rows meet the conditions."""
        number: int = self._figure("count", where, equals, deleted_too=with_deleted)
        return number

    def exists(self, *where: Condition, with_deleted: bool = False, **equals: object) -> bool:
        """Tell whether any row meets the conditions."""
        answer: bool = self._figure("exists", where, equals, deleted_too=with_deleted)
        return answer

    def _figure(
        self, method: str, where: Sequence[Condition], equals: Mapping[str, object], *, deleted_too: bool
    ) -> Any:  # noqa: ANN401 - a number, or a flag
        shape = Shape(method, deleted_too)
        shape.expressions(where)
        shape.equal(equals)

        def build() -> Planned[Any]:
            found = conditions(self._of, where, self._bound(shape, equals), deleted_too=deleted_too)
            figure: ColumnElement[Any] = func.count() if method == "count" else literal_column("1")
            counted = select(figure).select_from(self._of.table).where(*found)
            counted = without_entities(self._of, counted)
            statement = counted if method == "count" else select(counted.exists())
            return Planned(planned(statement, self.plans.dialect, shape.binds), lambda rows, _: rows[0][0])

        refuse_unstorable(equals)
        return self._run(shape, build)

    def _objects(
        self,
        shape: Shape,
        where: Sequence[Condition],
        equals: Mapping[str, object],
        order: Sequence[ColumnElement[Any]],
        include: Include,
        *,
        deleted_too: bool,
        many: bool,
    ) -> Planned[list[M]]:
        of, dialect = self._of, self.plans.dialect
        tree = branches(of, include, deleted_too=deleted_too)
        found = fit_places(of, tree)
        limits = {name: shape.numbered(f"+{name}") for name in ("take", "skip")}
        columns = root_columns(of) if tree else of.columns.values()
        rows = select(*columns).where(*conditions(of, where, self._bound(shape, equals), deleted_too=deleted_too))
        rows = rows.order_by(*order).limit(limits["take"]).offset(limits["skip"])
        rows = without_entities(of, rows)
        in_session = Persistent(found, tree, dialect)
        if not tree:
            maker = Rows(of, dialect)
            return Planned(planned(rows, dialect, shape.binds, many=many), maker.objects, [of], [maker], in_session)
        plan = planned(tree_statement(found, rows, order), dialect, shape.binds, many=True)
        linking = Linking(found, dialect)
        return Planned(plan, linking.objects, [place.of for place in found], linking.makers, in_session)


def fit_places(of: Description[Any], tree: Branches) -> list[Place]:
    """Return the root of a tree and the places below it.

    Raises:
        UnplannedError: the rows of one are loaded by a session.
    """
    found = places(of, tree)
    for place in found:
        if reason := unfit_model(place.of):
            raise UnplannedError(reason)
    return found


def refuse_unstorable(values: Mapping[str, object]) -> None:
    """Leave what cannot be stored, and so not be found, to a session, which has the words for it.

    Raises:
        UnplannedError: a text has a NUL or a lone surrogate.
    """
    if not all(is_storable(value) for value in values.values() if isinstance(value, str)):
        raise UnplannedError("a text cannot be stored")
