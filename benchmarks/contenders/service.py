"""pgauthkit itself: the service and the repositories, as a host uses them.

Variants: none for the service where it has the work, `repository` for a repository in a session of its own, and
`sqlalchemy` for what SQLAlchemy does without a repository.
"""

import itertools
from collections.abc import Callable, Iterable
from datetime import timedelta
from typing import Any

from sqlalchemy import Engine, orm, select

from benchmarks.block import Order, order, serve, serve_batches
from benchmarks.contenders.scene import Scene
from benchmarks.rows import link_of, pair_of
from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.database import create_engine
from pgauthkit.models import User
from pgauthkit.repositories import UserRepository
from pgauthkit.tokens import Kind

__all__ = ["BULK", "config", "supply"]

BULK = 20_000
HUNDRED = 100


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
    elif work == "find_email":
        keys = scene.some_emails()
    elif work == "request_link":
        keys = scene.some_links_wanted()
    else:
        keys = scene.some_users()
    endless = itertools.cycle(keys)
    return lambda _seconds: endless


def operation(engine: Engine, work: str, variant: str = "") -> Callable[[Any], object]:
    """Return the work as calls of pgauthkit."""
    auth = AuthService(engine, config())

    def refresh(box: list[str]) -> None:
        box[0] = auth.refresh(box[0]).refresh_token.reveal()

    def find_in_repository(email: str) -> None:
        with orm.Session(engine) as db:
            assert UserRepository(db).find_by_email(email)

    def include(start: str) -> None:
        with orm.Session(engine) as db:
            UserRepository(db).find_many(User.id > start, order_by="id", take=100, include=["sessions"])

    def include_by_sqlalchemy(start: str) -> None:
        page = select(User).where(User.id > start).order_by(User.id).limit(HUNDRED)
        with orm.Session(engine) as db:
            assert len(db.scalars(page.options(orm.selectinload(User.sessions))).all()) <= HUNDRED

    operations: dict[str, Callable[[Any], object]] = {
        "authenticate": auth.authenticate,
        "request_link": lambda wanted: auth.request_magic_link(wanted[0], ip=wanted[1]),
        "verify_link": auth.verify_magic_link,
        "refresh": refresh,
        "list_sessions": auth.list_sessions,
        "find_email": auth.find_user if variant == "" else find_in_repository,
        "include": include if variant == "" else include_by_sqlalchemy,
    }
    return operations[work]


def bulk(scene: Scene, engine: Engine) -> None:
    """Serve `create_many`."""
    rounds = itertools.count()

    def prepare() -> list[dict[str, Any]]:
        stamp = f"{scene.slot}-{next(rounds)}"
        return [{"email": f"bulk-{stamp}-{n}@example.com"} for n in range(BULK)]

    def create(rows: list[dict[str, Any]]) -> None:
        with orm.Session(engine) as db, db.begin():
            assert UserRepository(db).create_many(rows) == BULK

    def tidy() -> None:
        with scene.connect() as connection:
            connection.execute("DELETE FROM pgauthkit.users WHERE email LIKE 'bulk-%'")
            connection.execute("VACUUM (ANALYZE) pgauthkit.users")

    serve_batches(prepare, create, tidy)


def main(given: Order) -> None:
    """Do what was ordered."""
    scene = Scene.of(given)
    engine = create_engine(scene.url, pool_size=given.clients)
    if given.work == "create_many":
        bulk(scene, engine)
    else:
        does = operation(engine, given.work, given.variant)
        serve(given.clients, supply(scene, given.work), lambda: does)


if __name__ == "__main__":
    main(order())
