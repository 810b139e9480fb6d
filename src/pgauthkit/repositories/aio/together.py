"""`Together`: rows by their unique keys, for which calls of one turn of the event loop send one statement."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast

from sqlalchemy import Engine

from pgauthkit.database.awaiting.gathering import ApartError, Gathering
from pgauthkit.database.deadline import call_timeout_of, one_call, time_left
from pgauthkit.database.greenlet import in_greenlet
from pgauthkit.database.querylog import QueryLog
from pgauthkit.repositories.generic import Repository
from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.plans.by_plan import ByPlan
from pgauthkit.repositories.generic.plans.calls import OnEngine

__all__ = ["Together", "together"]

M = TypeVar("M")
Question: TypeAlias = tuple[bool, dict[str, Any]]
# Where an engine has them: they end with it. Engines with options of their own have others.
_KEPT: Final = "pgauthkit_together"


class _Made(Generic[M]):
    """An object, or what makes it in the task of its caller, whose context variables types of the host may ask."""

    __slots__ = ("make",)

    def __init__(self, make: Callable[[], M]) -> None:
        self.make = make


class Together(Generic[M]):
    """Looks rows up on an engine.

    Whatever goes wrong with a statement for many, such as a value that the server refuses, each looks up alone then.
    """

    def __init__(self, repository: Repository[M], plans: ByPlan[M], limit: float) -> None:
        self._repository = repository
        self._plans = plans
        self._limit = limit
        self._gathering: Gathering[Question, M | _Made[M] | None] = Gathering(self._alone, self._ask, self._kind)

    async def find(self, key: dict[str, Any], *, with_deleted: bool) -> M | None:
        """Return the row with a unique key, or None; an object of its own for each call."""
        found = await self._gathering.answer((with_deleted, key))
        return cast("_Made[M]", found).make() if isinstance(found, _Made) else found

    async def _alone(self, question: Question) -> M | None:
        with_deleted, key = question
        return await in_greenlet(self._repository.find_unique, with_deleted=with_deleted, **key)

    async def _ask(self, group: Sequence[Question]) -> list[_Made[M] | None]:
        keys = [key for _, key in group]
        with one_call(self._limit):
            try:
                found = await in_greenlet(self._plans.find_each, keys, with_deleted=group[0][0])
            except Exception as error:  # of any type: alone, each has its own
                if left := time_left():
                    raise ApartError(left) from error
                raise
        return [make and _Made(make) for make in found]

    def _kind(self, question: Question) -> Hashable:
        with_deleted, key = question
        return self._plans.kind(key, with_deleted=with_deleted)


def together(engine: Engine, repository: Repository[M], of: Description[M]) -> Together[M]:
    """Return what looks rows up for a repository, and for others of its model and engine."""
    kept = cast("dict[Hashable, Together[M]]", cast("Any", vars(engine)).setdefault(_KEPT, {}))
    key = of, call_timeout_of(engine), QueryLog.on(engine)
    found = kept.get(key)
    if found is None:
        found = kept[key] = Together(repository, ByPlan(OnEngine(engine, of.table), of), call_timeout_of(engine))
    return found
