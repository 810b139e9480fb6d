"""pgauthkit itself, awaited."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession

from benchmarks.block import Order, order, serve_async
from benchmarks.contenders.scene import Scene
from benchmarks.contenders.service import config, supply
from pgauthkit import AsyncAuthService
from pgauthkit.database import create_async_engine
from pgauthkit.models import User
from pgauthkit.repositories import AsyncUserRepository

__all__ = ["main"]


def operation(engine: AsyncEngine, work: str) -> Callable[[Any], Awaitable[object]]:
    """Return the work as calls of pgauthkit."""
    auth = AsyncAuthService(engine, config())

    async def refresh(box: list[str]) -> None:
        box[0] = (await auth.refresh(box[0])).refresh_token.reveal()

    async def include(start: str) -> None:
        async with AsyncSession(engine) as db:
            await AsyncUserRepository(db).find_many(User.id > start, order_by="id", take=100, include=["sessions"])

    operations: dict[str, Callable[[Any], Awaitable[object]]] = {
        "authenticate": auth.authenticate,
        "request_link": lambda wanted: auth.request_magic_link(wanted[0], ip=wanted[1]),
        "verify_link": auth.verify_magic_link,
        "refresh": refresh,
        "list_sessions": auth.list_sessions,
        "find_email": auth.find_user,
        "include": include,
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
