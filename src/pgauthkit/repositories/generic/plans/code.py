"""Code that is written for a model, once, and compiled: what is the same for each row is not asked at each."""

import logging
import os
import sys
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import CodeType
from typing import Any, Final

__all__ = ["compiled", "show"]

_log: Final = logging.getLogger("pgauthkit.plans")


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


def show(text: str) -> None:
    """Log a part of a plan, a statement or code (DEBUG), and print it if the environment has `PGAUTHKIT_SHOW_PLANS=1`.

    Args:
        text: the part, as it has just been made.
    """
    _log.debug("%s", text)
    if os.environ.get("PGAUTHKIT_SHOW_PLANS") == "1":
        print(text, end="\n\n", file=sys.stderr)  # noqa: T201 - that is what was asked for
