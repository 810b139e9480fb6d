"""How many bytes an entry of the session cache takes: `entry_room 100000` prints a line of JSON.

What Python has allocated is counted with a few entries and with all of them; the tokens are made and dropped.
"""

import asyncio
import gc
import json
import os
import sys
import tracemalloc
from datetime import timedelta
from typing import Final

from benchmarks.rows import pair_of
from pgauthkit import AsyncAuthService, AuthConfig
from pgauthkit.config import SessionCache
from pgauthkit.database import create_async_engine
from pgauthkit.tokens import Kind

__all__ = ["main"]

AT_ONCE: Final = 64
FIRST: Final = 1_024
LONG: Final = timedelta(hours=1)


async def fill(auth: AsyncAuthService, numbers: range) -> int:
    """Let the cache have these sessions, and return what is allocated then."""
    for start in range(numbers.start, numbers.stop, AT_ONCE):
        some = range(start, min(start + AT_ONCE, numbers.stop))
        await asyncio.gather(*(auth.authenticate(pair_of(n).access.text(Kind.ACCESS).reveal()) for n in some))
    gc.collect()
    return tracemalloc.get_traced_memory()[0]


async def main(count: int) -> None:
    """Print the bytes of an entry, and the time of all in the database and of all in memory."""
    engine = create_async_engine(os.environ["DATABASE_URL"])
    config = AuthConfig(session_cache=SessionCache(max_staleness=LONG, size=count), touch_interval=LONG)
    auth = AsyncAuthService(engine, config)
    tracemalloc.start()
    few = await fill(auth, range(FIRST))
    every = await fill(auth, range(FIRST, count))
    await engine.dispose()
    print(json.dumps({"bytes": (every - few) / (count - FIRST)}))  # noqa: T201 - the answer


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
