"""pgauthkit itself, awaited."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine

from benchmarks.block import Order, order, serve_async
from benchmarks.contenders.scene import Scene
from benchmarks.contenders.service import config, supply
from pgauthkit import AsyncAuthService
from pgauthkit.database import create_async_engine

__all__ = ["main"]


def operation(engine: AsyncEngine, work: str) -> Callable[[Any], Awaitable[object]]:
    """Return the work as calls of pgauthkit."""
    auth = AsyncAuthService(engine, config())

    async def refresh(box: list[str]) -> None:
        box[0] = (await auth.refresh(box[0])).refresh_token.reveal()

    operations: dict[str, Callable[[Any], Awaitable[object]]] = {
        "authenticate": auth.authenticate,
        "request_link": lambda wanted: auth.request_magic_link(wanted[0], ip=wanted[1]),
        "verify_link": auth.verify_magic_link,
        "refresh": refresh,
        "list_sessions": auth.list_sessions,
    }
    return operations[work]


async def main(given: Order) -> None:
    """Do what was ordered."""
    scene = Scene.of(given)
    engine = create_async_engine(scene.url, pool_size=given.clients)
    does = operation(engine, given.work)

    async def connect() -> Callable[[Any], Awaitable[object]]:
        return does

    await serve_async(given.clients, supply(scene, given.work), connect)
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(order()))
