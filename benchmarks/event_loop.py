"""How long the event loop stands still while codes are verified at once: `python -m benchmarks.event_loop`."""

import argparse
import asyncio
import gc
import sys
import time
from collections.abc import Coroutine, Sequence
from contextlib import suppress

import attrs

from pgauthkit import AsyncAuthService, AuthConfig
from pgauthkit.database import create_async_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import InvalidCodeError
from pgauthkit.ops.migrate import deploy
from pgauthkit.values import IssuedMagicLink

__all__ = ["main"]

BEAT = 0.001  # seconds
LIMIT = 0.020  # seconds
REST = 0.5  # seconds


@attrs.define
class Heart:
    """A task that wants to run every millisecond.

    Attributes:
        busiest: the seconds that the loop's own thread computed between two beats: for how long it was blocked.
        longest: the seconds for which it was kept from it, by that and by whatever else the machine did.
    """

    longest: float = 0.0
    busiest: float = 0.0

    async def beat(self) -> None:
        """Beat until cancelled."""
        wall, busy = time.perf_counter(), time.thread_time()
        while True:
            await asyncio.sleep(BEAT)
            now, used = time.perf_counter(), time.thread_time()
            self.longest = max(self.longest, now - wall - BEAT)
            self.busiest = max(self.busiest, used - busy)
            wall, busy = now, used

    async def watch(self, work: Sequence[Coroutine[object, object, object]]) -> None:
        """Beat while all of it is done at once."""
        beating = asyncio.create_task(self.beat())
        await asyncio.gather(*work)
        beating.cancel()
        with suppress(asyncio.CancelledError):
            await beating


async def measured(url: str, codes: int, rounds: int) -> dict[str, Heart]:
    """Return a heart for each thing that the loop did, in turn, in every round."""
    engine = create_async_engine(url, pool_size=codes)
    auth = AsyncAuthService(engine, AuthConfig(codes=True))
    hearts = {"nothing": Heart(), "asking for links": Heart(), "wrong codes": Heart(), "right codes": Heart()}
    await round_of(auth, codes, "first", [Heart()] * 4)  # connects, and prepares the statements
    # Python's own search for garbage stops everything for 30 ms, whatever is being done: not what is measured here.
    gc.collect()
    gc.freeze()
    for number in range(rounds):
        await round_of(auth, codes, f"round{number}-", list(hearts.values()))
    await engine.dispose()
    return hearts


async def round_of(auth: AsyncAuthService, codes: int, who: str, hearts: Sequence[Heart]) -> None:
    """Do each thing once."""
    nothing, asking, wrong, right = hearts
    await nothing.watch([asyncio.sleep(REST)])
    links = await asked(auth, codes, who, asking)
    await wrong.watch([refused(auth, link) for link in links])
    await right.watch([verified(auth, link) for link in links])


async def asked(auth: AsyncAuthService, count: int, who: str, heart: Heart) -> list[IssuedMagicLink]:
    """Ask for links with codes, which are hashed as well; each for an address and an ip of its own."""
    links: list[IssuedMagicLink] = []

    async def ask(number: int) -> None:
        links.append(await auth.request_magic_link(f"{who}{number}@example.com", ip=f"192.0.2.{number}"))

    await heart.watch([ask(number) for number in range(count)])
    return links


async def refused(auth: AsyncAuthService, link: IssuedMagicLink) -> None:
    """Try a wrong code."""
    with suppress(InvalidCodeError):
        await auth.verify_code(link.id, "BBBB-BBBB", ip="203.0.113.7")


async def verified(auth: AsyncAuthService, link: IssuedMagicLink) -> None:
    """Sign in with the right one."""
    assert link.code
    await auth.verify_code(link.id, link.code.reveal(), ip="203.0.113.7")


def main() -> None:
    """Print the longest times; exit 1 where the loop was blocked for longer than the limit."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.event_loop", description=__doc__)
    parser.add_argument("--codes", type=int, default=20, help="verified at once")
    parser.add_argument("--rounds", type=int, default=10)
    given = parser.parse_args()
    with EmbeddedPostgres() as server:
        deploy(server.url())
        hearts = asyncio.run(measured(server.url(), given.codes, given.rounds))
    for name, heart in hearts.items():
        longest, busiest = heart.longest * 1000, heart.busiest * 1000
        sys.stdout.write(f"{name:<16}  computing {busiest:6.2f} ms  kept waiting {longest:6.2f} ms\n")
    sys.exit(any(heart.busiest >= LIMIT for heart in hearts.values()))


if __name__ == "__main__":
    main()
