"""`authenticate` with access tokens from a file, by what every build has in public; on that of another commit too.

Works: `cached`, 200 sessions that come back, and `missed`, more of them than the cache keeps. Variants: none, and
`cache` for a service with a `SessionCache`.
"""

import itertools
import os
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final

from benchmarks.block import Order, order, serve
from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine

__all__ = ["URL", "config", "supply"]

URL: Final = os.environ["DATABASE_URL"]
WARM: Final = 200
# Fewer than there are tokens: each has been put out when its turn comes again.
KEPT: Final = 10_000


def config(given: Order) -> AuthConfig:
    """Return the configuration of the variant."""
    if given.variant != "cache":
        return AuthConfig()
    from pgauthkit.config import SessionCache  # noqa: PLC0415 - a build of before has none

    return AuthConfig(session_cache=SessionCache(size=KEPT) if given.work == "missed" else SessionCache())


def supply(work: str) -> Callable[[float], Iterable[str]]:
    """Return what makes the tokens of a block."""
    tokens = Path(os.environ["TOKENS"]).read_text(encoding="utf-8").splitlines()
    endless = itertools.cycle(tokens[:WARM] if work.startswith("cached") else tokens)
    return lambda _seconds: endless


def main(given: Order) -> None:
    """Do what was ordered."""
    auth = AuthService(create_engine(URL, pool_size=given.clients), config(given))
    serve(given.clients, supply(given.work), lambda: auth.authenticate)


if __name__ == "__main__":
    main(order())
