"""`ByPlan`: the methods of a repository on an engine that go by plans, in one round trip."""

from typing import TypeVar

from pgauthkit.repositories.generic.plans.creates import Creates
from pgauthkit.repositories.generic.plans.methods.figures import Figures
from pgauthkit.repositories.generic.plans.methods.keyed import Keyed
from pgauthkit.repositories.generic.plans.methods.many import Many
from pgauthkit.repositories.generic.plans.methods.pages import Pages
from pgauthkit.repositories.generic.plans.reads import Reads
from pgauthkit.repositories.generic.plans.writes import Writes

__all__ = ["ByPlan"]

M = TypeVar("M")


class ByPlan(Reads[M], Pages[M], Figures[M], Creates[M], Writes[M], Many[M], Keyed[M]):
    """Its methods are called as those of the repository, and say by an error that a session is needed."""
