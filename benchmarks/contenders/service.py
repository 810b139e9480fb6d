"""pgauthkit itself: the service, as a host uses it."""

import itertools
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine

from benchmarks.block import Order, order, serve
from benchmarks.contenders.scene import Scene
from benchmarks.rows import link_of, pair_of
from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.database import create_engine
from pgauthkit.tokens import Kind

__all__ = ["config", "supply"]


def config() -> AuthConfig:
    """Return a configuration that limits nobody, while every limit is asked."""
    wide = RateLimit(1_000_000, per=timedelta(seconds=1))
    return AuthConfig(rate_limits=RateLimits(per_ip=wide, per_email=wide, per_email_and_ip=wide, code_attempts=wide))


def supply(scene: Scene, work: str) -> Callable[[float], Iterable[Any]]:
    """Return what makes the keys of a block."""
    if work == "verify_link":
        return lambda seconds: [link_of(n).text(Kind.MAGIC_LINK).reveal() for n in scene.own_links(seconds)]
    if work == "authenticate":
        keys: list[Any] = [pair_of(n).access.text(Kind.ACCESS).reveal() for n in scene.some_sessions()]
    elif work == "refresh":
        # A box for the token that comes next, so that each session can be refreshed again.
        keys = [[pair_of(n).refresh.text(Kind.REFRESH).reveal()] for n in scene.own_sessions()]
    elif work == "request_link":
        keys = scene.some_links_wanted()
    else:
        keys = scene.some_users()
    endless = itertools.cycle(keys)
    return lambda _seconds: endless


def operation(engine: Engine, work: str) -> Callable[[Any], object]:
    """Return the work as calls of pgauthkit."""
    auth = AuthService(engine, config())

    def refresh(box: list[str]) -> None:
        box[0] = auth.refresh(box[0]).refresh_token.reveal()

    operations: dict[str, Callable[[Any], object]] = {
        "authenticate": auth.authenticate,
        "request_link": lambda wanted: auth.request_magic_link(wanted[0], ip=wanted[1]),
        "verify_link": auth.verify_magic_link,
        "refresh": refresh,
        "list_sessions": auth.list_sessions,
    }
    return operations[work]


def main(given: Order) -> None:
    """Do what was ordered."""
    scene = Scene.of(given)
    engine = create_engine(scene.url, pool_size=given.clients)
    does = operation(engine, given.work)
    serve(given.clients, supply(scene, given.work), lambda: does)


if __name__ == "__main__":
    main(order())
