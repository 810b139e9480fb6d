"""psycopg by itself, awaited: see `benchmarks.contenders.driver`."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg

from benchmarks.block import Order, order, serve_async
from benchmarks.contenders.scene import Scene
from benchmarks.contenders.statements import asking

__all__ = ["main"]


async def connect(scene: Scene) -> psycopg.AsyncCursor[Any]:
    """Return a cursor of a connection of its own."""
    connection = await psycopg.AsyncConnection.connect(scene.url, autocommit=True)
    return connection.cursor()


async def one_statement(given: Order, scene: Scene) -> None:
    """Serve a work load that is one statement."""
    wanted = asking(scene, given.work, least=given.variant != "ours")
    sql, after = wanted.sql.encode(), wanted.after

    async def client() -> Callable[[Any], Awaitable[object]]:
        cursor = await connect(scene)

        async def operation(parameters: dict[str, Any]) -> None:
            await cursor.execute(sql, parameters, prepare=True)
            assert await cursor.fetchall()
            after(parameters)

        return operation

    await serve_async(given.clients, wanted.supply, client)


async def main(given: Order) -> None:
    """Do what was ordered."""
    await one_statement(given, Scene.of(given))


if __name__ == "__main__":
    asyncio.run(main(order()))
