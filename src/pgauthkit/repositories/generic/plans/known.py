"""`Plans`: the plans of a model on an engine, each made once for its shape."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, Generic, Protocol, TypeVar

import attrs
from sqlalchemy import Dialect, orm

from pgauthkit.repositories.generic.description import Description
from pgauthkit.repositories.generic.plans.code import show
from pgauthkit.repositories.generic.plans.internals import MINORS, is_tried
from pgauthkit.repositories.generic.plans.plan import Plan
from pgauthkit.repositories.generic.plans.rows import Row, Rows, Types
from pgauthkit.repositories.generic.plans.shapes import Shape, UnplannedError

__all__ = ["Loading", "Planned", "Plans", "plans_of"]

T = TypeVar("T")
M = TypeVar("M")

# Shapes of calls on one model that are kept; an application has some tens.
MOST: Final = 500
# Where a dialect has them: they end with their engine.
_KEPT: Final = "pgauthkit_plans"


class Loading(Protocol):
    """What makes the answer of a plan in a session; the reason says why the session has to load it itself."""

    @property
    def reason(self) -> str | None:
        """None where it need not."""
        ...

    @property
    def objects(self) -> Callable[[Sequence[Row], Types, orm.Session], Any]:
        """Makes the answer of the rows, and of the types of their columns."""
        ...


@attrs.frozen
class Planned(Generic[T]):
    """A plan, and what becomes of its rows.

    Attributes:
        plan: the statement.
        answer: makes the answer of the rows, and of the types of their columns.
        models: those whose objects it makes.
        makers: what makes these objects.
        in_session: makes the same answer in a session.
    """

    plan: Plan
    answer: Callable[[Sequence[Row], Types], T]
    models: Sequence[Description[Any]] = ()
    makers: Sequence[Rows[Any]] = ()
    in_session: Loading | None = None


class Plans(Generic[M]):
    """What is known of the calls on a model.

    Attributes:
        of: the model.
        dialect: of the engine.
        built: how many plans were made so far.
    """

    def __init__(self, of: Description[M], dialect: Dialect) -> None:
        self.of = of
        self.dialect = dialect
        self.built: int = 0
        self._known: dict[object, Planned[Any] | str] = {}
        self._told: set[tuple[str, str]] = set()

    def find(self, shape: Shape, build: Callable[[], Planned[T]]) -> Planned[T]:
        """Return the plan of a shape, made the first time.

        Raises:
            UnplannedError: there is none.
            RepositoryError: the call is wrong.
        """
        key = (len(self.of.relations), shape.key)  # a host may add relations at any time
        try:
            found = self._known.get(key)
        except TypeError:
            raise UnplannedError("what is included cannot be told from another") from None
        if found is None:
            found = self._known[key] = self._built(build)
            if len(self._known) > MOST:
                with suppress(RuntimeError):  # another thread adds one at this moment, and removes one as well
                    self._known.pop(next(iter(self._known)), None)
        if isinstance(found, str):
            raise UnplannedError(found)
        return found

    def is_news(self, method: str, reason: str) -> bool:
        """Tell whether it is the first time that a method goes through a session for this reason."""
        known = len(self._told)
        self._told.add((method, reason))
        return len(self._told) > known

    def shown(self) -> str:
        """Return the statements of all plans, each with the code that makes objects of its rows, once there were any.

        Example:
            >>> print(plans_of(describe(Post), engine.dialect).shown())  # doctest: +SKIP
        """
        found = [planned for planned in self._known.values() if isinstance(planned, Planned)]
        parts = ((planned.plan.sql, *(maker.source for maker in planned.makers)) for planned in found)
        return "\n\n".join("\n\n".join(filter(None, part)) for part in parts)

    def _built(self, build: Callable[[], Planned[Any]]) -> Planned[Any] | str:
        if not is_tried():
            return f"plans were tried with SQLAlchemy {', '.join(MINORS)} alone"
        try:
            planned = build()
        except UnplannedError as reason:
            return str(reason)
        self.built += 1
        show(f"-- {self.of.name}\n{planned.plan.sql}")
        return planned


def plans_of(of: Description[M], dialect: Dialect) -> Plans[M]:
    """Return the plans of a model on an engine.

    Args:
        of: the model.
        dialect: of the engine; engines with options of their own have that of the engine that they come from.
    """
    found: dict[Description[Any], Plans[Any]] = vars(dialect).setdefault(_KEPT, {})
    if of not in found:
        found[of] = Plans(of, dialect)
    return found[of]
