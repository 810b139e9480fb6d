"""What happens to a cluster under load, and what is known of it afterwards."""

import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Final

import attrs
import psycopg
from tests.cluster.books import missing
from tests.cluster.cluster import Cluster
from tests.cluster.load import Book, Broken, Load
from tests.cluster.nodes import Node
from tests.cluster.programs import wait_until

EVENTS: Final = ("switchover", "kill", "freeze")
TWINS: Final = ("sync", "async")
WARM: Final = 3.0  # seconds of load before, and after
HEAD_START: Final = 3.0  # seconds for which an old primary that was thawed has learned nothing yet
POSITION: Final = "SELECT pg_current_wal_flush_lsn() - '0/0'::pg_lsn"
FORK: Final = """
SELECT pg_read_file('pg_wal/' || substr(pg_walfile_name(pg_current_wal_lsn()), 1, 8) || '.history')
"""


@attrs.frozen(kw_only=True)
class Part:
    """What one load has seen of an event.

    Attributes:
        route: how it reached the database.
        twin: `sync` or `async`.
        books: what it was told.
        outage: seconds without an answer, the longest of its people's.
        broken: what was acknowledged and does not hold.
        forgivable: those of them that this way of replication and this route may lose.
    """

    route: str
    twin: str
    books: list[Book]
    outage: float
    broken: list[Broken]
    forgivable: list[Broken]

    @property
    def longest(self) -> float:
        """Seconds that a call took."""
        return max(book.longest for book in self.books)


@attrs.frozen(kw_only=True)
class Outcome:
    """An event.

    Attributes:
        event: which.
        synchronous: whether the cluster replicated synchronously.
        new_primary: seconds until another node was the primary.
        unsure: the last seconds before the event, of which asynchronous replication may have lost something.
        parts: what each load has seen.
        stall: seconds for which this very process got no time of the machine, at the most.
    """

    event: str
    synchronous: bool
    new_primary: float
    unsure: float
    parts: list[Part]
    stall: float

    @property
    def name(self) -> str:
        """The event and the mode."""
        return f"{self.event}, {'synchronous' if self.synchronous else 'asynchronous'}"


@attrs.define
class Moments:
    """When what happened, by `time.monotonic`."""

    fault: float = 0.0
    new_primary: float = 0.0
    thaw: float = float("inf")
    stall: float = 0.0
    fork: int = 0
    positions: list[tuple[float, int]] = attrs.field(factory=list)

    @property
    def safe_until(self) -> float:
        """The last moment before which everything acknowledged is known to be on the new primary."""
        return max((at for at, position in self.positions if position <= self.fork), default=0.0)

    def may_lose(self, broken: Broken, route: str, *, synchronous: bool) -> bool:
        """Say whether something may be lost by this way of replication and this route.

        Asynchronous replication loses what the new primary had not yet got. And a URL with several hosts fences nobody:
        an old primary that wakes up answers until it knows better. What it has not seen it refuses; and what it
        acknowledges is lost, but not with synchronous replication, with which it can acknowledge nothing.
        """
        stale = route == "several hosts" and max(broken.acknowledged, broken.refused or 0) >= self.thaw
        if synchronous:
            return stale and broken.refused is not None
        return stale or self.safe_until <= broken.acknowledged <= self.new_primary


def happen(cluster: Cluster, event: str, *, synchronous: bool) -> Outcome:
    """Let something happen under load by every route, and look into the books afterwards."""
    cluster.settle(synchronous=synchronous)
    loads = {
        (route, twin): Load(f"{event}-{synchronous}-{twin}-{number}".lower(), url, is_async=twin == "async")
        for number, (route, url) in enumerate(cluster.routes().items())
        for twin in TWINS
    }
    old = cluster.leader()
    moments = Moments()
    with _watching(moments), _going(loads.values()), _sampling(old, moments):
        time.sleep(WARM)
        _strike(cluster, old, event, moments)
        time.sleep(WARM)
    cluster.settle(synchronous=synchronous)
    moments.fork = _fork(cluster)
    parts = [_look(cluster, way, load, moments, synchronous=synchronous) for way, load in loads.items()]
    return Outcome(
        event=event,
        synchronous=synchronous,
        new_primary=moments.new_primary - moments.fault,
        unsure=max(0.0, moments.fault - moments.safe_until),
        parts=parts,
        stall=moments.stall,
    )


def _strike(cluster: Cluster, old: Node, event: str, moments: Moments) -> None:
    others = [node for node in cluster.nodes if node is not old]
    moments.fault = time.monotonic()
    asking = threading.Thread(target=lambda: old.ask("/switchover", leader=old.name))
    if event == "switchover":
        asking.start()
    else:
        {"kill": old.kill, "freeze": old.freeze}[event]()
    moments.new_primary = wait_until(
        lambda: any(node.takes_writes() for node in others), "there is a new primary", patience=90
    )
    if event == "switchover":
        asking.join()
    elif event == "kill":
        time.sleep(WARM)
        old.start()
    else:
        time.sleep(WARM)
        moments.thaw = time.monotonic()
        old.thaw_server()
        time.sleep(HEAD_START)
        old.thaw_patroni()
        wait_until(lambda: old.answers("/replica"), "the old primary follows", patience=90)


def _look(cluster: Cluster, way: tuple[str, str], load: Load, moments: Moments, *, synchronous: bool) -> Part:
    route, twin = way
    broken = [broken for book in load.books for broken in [*book.broken, *missing(book, cluster.proxy("app"))]]
    return Part(
        route=route,
        twin=twin,
        books=load.books,
        outage=max(book.longest_silence(moments.fault, moments.new_primary) for book in load.books),
        broken=broken,
        forgivable=[one for one in broken if moments.may_lose(one, route, synchronous=synchronous)],
    )


@contextmanager
def _going(loads: Iterable[Load]) -> Iterator[None]:
    for load in loads:
        load.start()
    try:
        wait_until(lambda: all(load.is_going() for load in loads), "every load has begun")
        yield
    finally:
        for load in loads:
            load.finish()


@contextmanager
def _sampling(old: Node, moments: Moments) -> Iterator[None]:
    """Note how far the WAL of the old primary is on its disk, all the time."""
    stop = threading.Event()

    def sample() -> None:
        url = f"postgresql://postgres@127.0.0.1:{old.port}/app"
        with suppress(psycopg.OperationalError), psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(0.02):
                at = time.monotonic()
                row = connection.execute(POSITION).fetchone()
                assert row
                moments.positions.append((at, int(row[0])))

    thread = threading.Thread(target=sample)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def _watching(moments: Moments) -> Iterator[None]:
    """Note for how long this process got no time of the machine: no call can be quicker than that."""
    stop = threading.Event()

    def watch() -> None:
        while True:
            began = time.monotonic()
            if stop.wait(0.02):
                return
            moments.stall = max(moments.stall, time.monotonic() - began - 0.02)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _fork(cluster: Cluster) -> int:
    """Return the position in the WAL at which the new primary has begun a line of its own."""
    with cluster.connection("app") as connection:
        row = connection.execute(FORK).fetchone()
        assert row
        high, low = str(row[0]).strip().splitlines()[-1].split()[1].split("/")
        return (int(high, 16) << 32) + int(low, 16)
