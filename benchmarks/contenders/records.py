"""Repositories at work, as a host calls them; on the build of another commit too.

Variants: `engine`, `session` for a session of its own for each call, `best` for an engine where the build takes one,
and `sqlalchemy` for what SQLAlchemy does without a repository.
"""

import itertools
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any, Final

import psycopg
from sqlalchemy import Engine, orm, select

from benchmarks.block import Order, order, serve, serve_batches
from benchmarks.contenders.peak import Peak
from benchmarks.contenders.tables import Tables, tables
from pgauthkit.database import create_engine
from pgauthkit.repositories import Repository

__all__ = ["BULK", "MANY", "bulk_rows", "calls", "keys", "supply", "tidy"]

BULK: Final = 20_000
MANY: Final = 10_000
HUNDRED: Final = 100
PAGES: Final = 50
URL: Final = os.environ["DATABASE_URL"]
READS: Final = frozenset({"find_unique", "find_many", "include", "page", "find_many_10000"})

Call = Callable[[Any, Any], Any]


def calls(of: Tables) -> dict[str, Call]:
    """Return each work as a call of a repository, which is awaited where the repository is an async one."""
    user = of.user
    return {
        "find_unique": lambda users, key: users.find_unique(email=key),
        "find_many": lambda users, key: users.find_many(user.id > key, order_by="id", take=100),
        "include": lambda users, key: users.find_many(user.id > key, order_by="id", take=100, include=["sessions"]),
        "find_many_10000": lambda users, _key: users.find_many(order_by="id", take=MANY),
        "page": lambda users, key: users.page(order_by="id", size=100, after=key),
        "create": lambda links, key: links.create(**of.new_link(key)),
        "update": lambda users, key: users.update({"email": key}, last_login_at=of.now()),
        "upsert": lambda users, key: users.upsert({"email": key}, create={}, update={"last_login_at": of.now()}),
        "create_many": lambda users, rows: users.create_many(rows),
    }


def keys(of: Tables, work: str) -> list[Any]:
    """Return what the calls are made with, the same for everybody: ids that others come after, or addresses."""
    users = of.names["users"]
    column = "id" if work in ("find_many", "include", "page") else "email"
    last = f"(SELECT id FROM {users} ORDER BY id DESC OFFSET 200 LIMIT 1)"  # noqa: S608 - our own names
    sql = f"SELECT {column} FROM {users} WHERE id < {last} ORDER BY md5(id) LIMIT 20000"  # noqa: S608 - the same
    with psycopg.connect(URL) as connection:
        return [row[0] for row in connection.execute(sql.encode())]


def supply(found: Iterable[Any]) -> Callable[[float], Iterable[Any]]:
    """Return what makes the keys of a block."""
    endless = itertools.cycle(found)
    return lambda _seconds: endless


def cursors(engine: Engine, of: Tables) -> list[str]:
    """Return where some pages end."""
    found: list[str] = []
    with orm.Session(engine) as db:
        for _ in range(PAGES):
            page = Repository(db, of.user).page(order_by="id", size=HUNDRED, after=found[-1] if found else None)
            if page.has_next and page.end_cursor:
                found.append(page.end_cursor)
    return found


def on_engine(engine: Engine, model: type[Any], call: Call) -> Callable[[Any], object]:
    """Return the call on an engine."""
    repository = Repository(engine, model)
    return lambda key: call(repository, key)


def in_session(engine: Engine, model: type[Any], call: Call, *, reads: bool) -> Callable[[Any], object]:
    """Return the call in a session of its own, as a host has it."""

    def read(key: object) -> object:
        with orm.Session(engine) as db:
            return call(Repository(db, model), key)

    def write(key: object) -> object:
        with orm.Session(engine) as db, db.begin():
            return call(Repository(db, model), key)

    return read if reads else write


def operation(engine: Engine, of: Tables, given: Order, probe: Any) -> Callable[[Any], object]:  # noqa: ANN401 - a key
    """Return the work in the way that was ordered; the probe is a key to find out with whether the build can do it."""
    model, call = of.link if given.work == "create" else of.user, calls(of)[given.work]
    if given.variant == "engine":
        return on_engine(engine, model, call)
    if given.variant == "best":
        try:
            repository: Any = Repository(engine, of.user)  # type: ignore[arg-type,unused-ignore] # of some builds
            repository.find_unique(email=probe)
            return on_engine(engine, model, call)
        except Exception:  # noqa: BLE001, S110 - whatever an older build makes of an engine
            pass
    return in_session(engine, model, call, reads=given.work in READS)


def by_sqlalchemy(engine: Engine, of: Tables) -> Callable[[Any], object]:
    """Return what 100 users with their sessions cost without a repository."""

    def include(key: str) -> object:
        page = select(of.user).where(of.user.id > key).order_by(of.user.id).limit(HUNDRED)
        with orm.Session(engine) as db:
            return db.scalars(page.options(orm.selectinload(of.user.sessions))).all()

    return include


def bulk_rows(given: Order) -> Callable[[], list[dict[str, Any]]]:
    """Return what makes rows for `create_many`."""
    rounds = itertools.count()
    return lambda: [{"email": f"bulk-{given.slot}-{n}-{next(rounds)}@example.com"} for n in range(BULK)]


def tidy(of: Tables) -> None:
    """Take back what `create_many` wrote."""
    users = of.names["users"]
    with psycopg.connect(URL, autocommit=True) as connection:
        connection.execute(f"DELETE FROM {users} WHERE email LIKE 'bulk-%'".encode())  # noqa: S608 - our own names
        connection.execute(f"VACUUM (ANALYZE) {users}".encode())


def main(given: Order) -> None:
    """Do what was ordered."""
    of = tables()
    engine = create_engine(URL, pool_size=given.clients)
    found = keys(of, given.work)
    if given.variant == "sqlalchemy":
        return serve(given.clients, supply(found), lambda: by_sqlalchemy(engine, of))
    does = operation(engine, of, given, found[0])
    if given.work == "create_many":
        return serve_batches(bulk_rows(given), does, lambda: tidy(of))
    if given.work == "page":
        found = cursors(engine, of)
    peak = None
    if given.work == "find_many_10000":
        operation(engine, of, replace(given, work="find_unique"), found[0])(found[0])
        peak = Peak.begin()  # connected, and everything imported

    def operate(key: object) -> None:
        assert does(key)

    return serve(given.clients, supply(found), lambda: operate, peak.figures if peak else None)


if __name__ == "__main__":
    main(order())
