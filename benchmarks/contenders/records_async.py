"""Repositories at work, awaited: see `benchmarks.contenders.records`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from benchmarks.block import Order, order, serve_async
from benchmarks.contenders.records import READS, URL, Call, calls, cursors, keys, supply
from benchmarks.contenders.tables import Tables, tables
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.repositories import AsyncRepository

__all__ = ["main"]

Operation = Callable[[Any], Awaitable[object]]


def on_engine(engine: AsyncEngine, model: type[Any], call: Call) -> Operation:
    """Return the call on an engine."""
    repository = AsyncRepository(engine, model)

    async def does(key: object) -> None:
        assert await call(repository, key)

    return does


def in_session(engine: AsyncEngine, model: type[Any], call: Call, *, reads: bool) -> Operation:
    """Return the call in a session of its own, as a host has it."""

    async def read(key: object) -> None:
        async with AsyncSession(engine) as db:
            assert await call(AsyncRepository(db, model), key)

    async def write(key: object) -> None:
        async with AsyncSession(engine) as db, db.begin():
            assert await call(AsyncRepository(db, model), key)

    return read if reads else write


async def operation(engine: AsyncEngine, of: Tables, given: Order, probe: Any) -> Operation:  # noqa: ANN401 - a key
    """Return the work in the way that was ordered; see `benchmarks.contenders.records.operation`."""
    model, call = of.link if given.work == "create" else of.user, calls(of)[given.work]
    if given.variant == "engine":
        return on_engine(engine, model, call)
    if given.variant == "best":
        try:
            repository: Any = AsyncRepository(engine, of.user)  # type: ignore[arg-type,unused-ignore] # of some builds
            await repository.find_unique(email=probe)
            return on_engine(engine, model, call)
        except Exception:  # noqa: BLE001, S110 - whatever an older build makes of an engine
            pass
    return in_session(engine, model, call, reads=given.work in READS)


async def main(given: Order) -> None:
    """Do what was ordered."""
    of = tables()
    engine = create_async_engine(URL, pool_size=given.clients)
    found = keys(of, given.work)
    does = await operation(engine, of, given, found[0])
    if given.work == "page":
        found = cursors(create_engine(URL), of)

    async def connect() -> Operation:
        return does

    await serve_async(given.clients, supply(found), connect)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(order()))
