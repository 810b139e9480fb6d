"""A process of a host that keeps sessions: it reads all of them, over and over, and ends some, until it shall stop.

It is started by `test_session_cache.py`, and with the URL of a replica, which it asks instead of keeping anything, by
`replica/test_race.py`. It prints what it saw as JSON. Times are of a clock that all processes have.
"""

import asyncio
import json
import random
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

from sqlalchemy import Engine, event

from pgauthkit import AsyncAuthService, AuthConfig, AuthService, ReplicaReads
from pgauthkit.config import SessionCache
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import AuthenticationError, PgAuthKitError
from pgauthkit.service.memory.marks import elapsed

AT_ONCE: Final = 3  # who read at once in a process
# How a session is ended by the service, given its tokens and whose it is.
ENDINGS: Final[list[Callable[[Any, dict[str, str]], Any]]] = [
    lambda auth, one: auth.sign_out(one["access"]),
    lambda auth, one: auth.sign_out(one["refresh"]),
    lambda auth, one: auth.refresh(one["refresh"]),
    lambda auth, one: auth.revoke_session(one["user"], one["session"]),
    lambda auth, one: auth.revoke_sessions(one["user"]),
    lambda auth, one: auth.deactivate_user(one["user"]),
    lambda auth, one: auth.change_email(one["user"], f"moved-{one['user']}@example.com"),
]


class Log:
    """What happened to each session in this process."""

    def __init__(self, sessions: list[dict[str, str]]) -> None:
        self.sessions = sessions
        self.is_over = False
        self.calls = 0
        self.asked = 0
        self.unavailable: dict[int, float] = {}
        self.last_good: dict[int, float] = {}
        self.refused: dict[int, float] = {}
        self.doomed: dict[int, float] = {}
        self.ended: dict[int, float] = {}

    def draw(self) -> tuple[int, float]:
        self.calls += 1
        return random.randrange(len(self.sessions)), elapsed()

    def good(self, number: int, begun: float) -> None:
        self.last_good[number] = max(begun, self.last_good.get(number, 0.0))

    def failed(self, number: int, error: PgAuthKitError) -> None:
        (self.refused if isinstance(error, AuthenticationError) else self.unavailable).setdefault(number, elapsed())

    def wait(self) -> None:
        """Wait until something may be ended, once there is a reader."""
        sys.stdout.write("reading\n")
        sys.stdout.flush()
        sys.stdin.readline()

    def watch(self, engine: Engine) -> None:
        """Count what is sent to the primary, and not by calls alone."""

        def note(*_arguments: object) -> None:
            self.asked += 1

        event.listen(engine, "checkout", note)

    def print(self) -> None:
        names = ("calls", "asked", "unavailable", "last_good", "refused", "doomed", "ended")
        sys.stdout.write(json.dumps({name: getattr(self, name) for name in names}))


def run(auth: AuthService, log: Log, mine: list[int]) -> None:
    """Read in threads, and end what is ours in this one."""

    def read() -> None:
        while not log.is_over:
            number, begun = log.draw()
            try:
                auth.authenticate(log.sessions[number]["access"])
                log.good(number, begun)
            except PgAuthKitError as error:
                log.failed(number, error)

    threads = [threading.Thread(target=read) for _ in range(AT_ONCE)]
    for thread in threads:
        thread.start()
    log.wait()
    for number in mine:
        threading.Event().wait(0.02)
        with suppress(PgAuthKitError):  # nothing is promised of a call that fails
            log.doomed[number] = elapsed()
            ENDINGS[number % len(ENDINGS)](auth, log.sessions[number])
            log.ended[number] = elapsed()
    sys.stdin.read()
    log.is_over = True
    for thread in threads:
        thread.join()


async def run_async(auth: AsyncAuthService, log: Log, mine: list[int]) -> None:
    """Do the same in tasks."""

    async def read() -> None:
        while not log.is_over:
            number, begun = log.draw()
            try:
                await auth.authenticate(log.sessions[number]["access"])
                log.good(number, begun)
            except PgAuthKitError as error:
                log.failed(number, error)
            await asyncio.sleep(0)  # a hit does not wait for anything

    tasks = [asyncio.create_task(read()) for _ in range(AT_ONCE)]
    await asyncio.to_thread(log.wait)
    for number in mine:
        await asyncio.sleep(0.02)
        with suppress(PgAuthKitError):
            log.doomed[number] = elapsed()
            await ENDINGS[number % len(ENDINGS)](auth, log.sessions[number])
            log.ended[number] = elapsed()
    await asyncio.to_thread(sys.stdin.read)
    log.is_over = True
    await asyncio.gather(*tasks)


def main(kind: str, url: str, file: str, seconds: str, replica: str = "") -> None:
    """Run as a host of one kind, with sessions that are read from a file."""
    with open(file, encoding="utf-8") as sessions:  # noqa: PTH123 - a name from the command line
        log = Log(json.load(sessions))
    bound = timedelta(seconds=float(seconds))
    cache = None if replica else SessionCache(bound)
    config = AuthConfig(rate_limits=None, refresh_grace=timedelta(0), session_cache=cache)
    mine = list(range(["sync", "async"].index(kind), len(log.sessions), 3))
    if kind == "sync":
        engine, other = create_engine(url), create_engine(replica or url)
        log.watch(engine)
        run(AuthService(engine, config, replica=ReplicaReads(other, bound) if replica else None), log, mine)
        engine.dispose()
        other.dispose()
    else:
        asyncio.run(in_loop((url, replica), config, log, mine, bound))
    log.print()


async def in_loop(urls: tuple[str, str], config: AuthConfig, log: Log, mine: list[int], bound: timedelta) -> None:
    url, replica = urls
    engine, other = create_async_engine(url), create_async_engine(replica or url)
    log.watch(engine.sync_engine)
    reads = ReplicaReads(other, bound) if replica else None
    await run_async(AsyncAuthService(engine, config, replica=reads), log, mine)
    await engine.dispose()
    await other.dispose()


main(*sys.argv[1:])
