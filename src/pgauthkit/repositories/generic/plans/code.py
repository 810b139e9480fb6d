"""Code that is written for a model, once, and compiled: what is the same for each row is not asked at each."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any

from pgauthkit.repositories.generic.plans.showing import show

__all__ = ["compiled"]


def compiled(name: str, source: str, known: Mapping[str, object]) -> Callable[..., Any]:
    """Return a function, given its text.

    Args:
        name: of the function.
        source: its text, of our own words; of a host there are names of attributes in it, as identifiers or literals.
        known: the names that it uses.
    """
    names: dict[str, Any] = dict(known)
    exec(_code(source), names)  # noqa: S102 - as a dataclass is made
    made: Callable[..., Any] = names[name]
    return made


@lru_cache(500)
def _code(source: str) -> CodeType:
    show(source)
    return compile(source, "<pgauthkit plan>", "exec")
