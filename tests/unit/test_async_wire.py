"""The threads of the async twin, in which codes are hashed."""

import asyncio
import os
import subprocess
import sys
import threading
import time

from sqlalchemy.util import greenlet_spawn

from pgauthkit.aio.wire import MOST_THREADS, AsyncWire

FORKED = """
import asyncio, os, signal
from sqlalchemy.util import greenlet_spawn
from pgauthkit.aio.wire import AsyncWire

def compute():
    return asyncio.run(greenlet_spawn(AsyncWire().compute, os.getpid))

assert compute() == os.getpid()
if (child := os.fork()) == 0:
    signal.alarm(60)
    os._exit(int(compute() != os.getpid()))
assert os.waitpid(child, 0) == (child, 0)
"""


def test_services_share_the_threads() -> None:
    """However many services there are, no more is hashed at once than the process has cores, four at most."""
    names: set[str] = set()

    def slow() -> None:
        time.sleep(0.01)
        names.add(threading.current_thread().name)

    async def many() -> None:
        await asyncio.gather(*(greenlet_spawn(AsyncWire().compute, slow) for _ in range(20)))

    asyncio.run(many())
    asyncio.run(many())
    assert len(names) == min(MOST_THREADS, os.cpu_count() or 1)
    assert all(name.startswith("pgauthkit-argon2") for name in names)


def test_a_fork_has_threads_of_its_own() -> None:
    """A server that forks workers after a code was hashed does not leave them waiting for threads they do not have."""
    # Python 3.12 warns of any fork of a process with threads, which is what is tried.
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (told.returncode, told.stderr) == (0, "")
