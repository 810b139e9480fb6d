"""`authenticate` with access tokens from a file, awaited: see `benchmarks.contenders.tokens`.

Works: `cached_async` as `cached`; `arrivals`, asked for at random times, as often as `RATE` in the environment says.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable

from benchmarks.block import Order, order, serve_arrivals, serve_async
from benchmarks.contenders.tokens import URL, config, supply
from pgauthkit import AsyncAuthService
from pgauthkit.database import create_async_engine

__all__ = ["main"]


async def main(given: Order) -> None:
    """Do what was ordered."""
    engine = create_async_engine(URL, pool_size=given.clients)
    auth = AsyncAuthService(engine, config(given))
    if given.work == "arrivals":
        return await serve_arrivals(float(os.environ["RATE"]), supply(given.work), auth.authenticate)

    async def connect() -> Callable[[str], Awaitable[object]]:
        return auth.authenticate

    await serve_async(given.clients, supply(given.work), connect)
    return await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main(order()))
