"""`ByPlan`: the methods of a repository on an engine that go by plans, in one round trip."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, TypeVar

from pgauthkit.repositories.generic.plans.creates import Creates
from pgauthkit.repositories.generic.plans.methods.figures import Figures
from pgauthkit.repositories.generic.plans.methods.many import Many
from pgauthkit.repositories.generic.plans.methods.pages import Pages
from pgauthkit.repositories.generic.plans.reads import Reads
from pgauthkit.repositories.generic.plans.shapes import UnplannedError
from pgauthkit.repositories.generic.plans.writes import Writes

__all__ = ["SLOW", "ByPlan"]

M = TypeVar("M")

SLOW: Final = object()
"""What `attempt` returns for a call that goes through a session."""


class ByPlan(Reads[M], Pages[M], Figures[M], Creates[M], Writes[M], Many[M]):
    """Its methods are called as those of the repository, and say by an error that a session is needed."""

    def attempt(self, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> object:
        """Make a call by a plan, or return `SLOW`, and say once in the query log why.

        Raises:
            RepositoryError: what the method raises.
        """
        method = getattr(self, name, None)
        if method is None:
            return SLOW
        try:
            return method(*args, **kwargs)
        except UnplannedError as unplanned:
            reason = str(unplanned)
        if self.plans.is_news(name, reason) and self._calls.log:
            self._calls.log.tell(f"{self._of.name}.{name} goes through a session: {reason}.")
        return SLOW
