"""What browsers that wait for an approval cost: `python -m benchmarks.waiting`."""

import argparse
import itertools
import random
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial
from typing import Final

import attrs
import psycopg

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import ApprovalPendingError
from pgauthkit.ops.migrate import deploy

__all__ = ["main"]

# Without a standby the server writes nothing to the log by itself; a checkpoint would, and none is due.
SETTINGS: Final = {"wal_level": "minimal", "max_wal_senders": "0", "autovacuum": "off", "checkpoint_timeout": "1h"}
POLL_EVERY: Final = 3  # seconds, as `ApprovalPendingError.retry_after` says
BLOCK: Final = 2_000  # calls
LOGGED: Final = "SELECT pg_current_wal_insert_lsn() - '0/0', pg_snapshot_xmax(pg_current_snapshot())::text::int"


@attrs.frozen
class Cost:
    """What a block of calls cost.

    Attributes:
        seconds: of the median call.
        logged: bytes of WAL.
        transactions: ids that were given away.
    """

    seconds: float
    logged: int
    transactions: int


def timed(connection: psycopg.Connection, call: Callable[[str], object], tokens: Sequence[str]) -> Cost:
    """Call with each token, one after another."""
    before = connection.execute(LOGGED).fetchone() or ()
    seconds: list[float] = []
    for token in tokens:
        start = time.perf_counter()
        call(token)
        seconds.append(time.perf_counter() - start)
    after = connection.execute(LOGGED).fetchone() or ()
    return Cost(statistics.median(seconds), int(after[0] - before[0]), after[1] - before[1])


def poll(auth: AuthService, handoff: str) -> None:
    """Ask as the page of a waiting browser does."""
    with suppress(ApprovalPendingError):
        auth.claim_sign_in(handoff)
        raise AssertionError


def fill(auth: AuthService, browsers: int) -> tuple[list[str], list[str]]:
    """Have so many browsers wait, and as many people signed in; return their tokens."""
    handoffs: list[str] = []
    access: list[str] = []
    for number in range(browsers):
        waits = auth.request_magic_link(f"waits{number}@example.com", handoff=True).handoff
        assert waits
        handoffs.append(waits.reveal())
        link = auth.request_magic_link(f"ada{number}@example.com").token.reveal()
        access.append(auth.verify_magic_link(link).tokens.access_token.reveal())
    return handoffs, access


def measured(url: str, browsers: int, rounds: int) -> str:
    """Return the figures: a poll and an authenticate, block by block in turns."""
    engine = create_engine(url)
    # Sessions in use a moment ago: what an authenticate writes at most once in that time is not compared with.
    auth = AuthService(engine, AuthConfig(rate_limits=None, touch_interval=timedelta(hours=1)))
    works = dict(zip(("poll", "authenticate"), fill(auth, browsers), strict=True))
    calls: dict[str, Callable[[str], object]] = {"poll": partial(poll, auth), "authenticate": auth.authenticate}
    costs: dict[str, list[Cost]] = {"poll": [], "authenticate": []}
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")
        for name, call in calls.items():  # every browser once: what a first read writes is written
            timed(connection, call, works[name])
        endless = {name: itertools.cycle(random.sample(tokens, len(tokens))) for name, tokens in works.items()}
        for number in range(rounds):
            for name, call in sorted(calls.items(), reverse=bool(number % 2)):
                costs[name].append(timed(connection, call, list(itertools.islice(endless[name], BLOCK))))
    engine.dispose()
    ratios = [one.seconds / two.seconds for one, two in zip(costs["poll"], costs["authenticate"], strict=True)]
    return report(browsers, costs, ratios)


def report(browsers: int, costs: dict[str, list[Cost]], ratios: list[float]) -> str:
    """Write it down."""
    first, middle, third = statistics.quantiles(ratios, n=4)
    lines = [
        f"{name:<14}{statistics.median(cost.seconds for cost in blocks) * 1e6:8.0f} us a call, "
        f"{sum(cost.logged for cost in blocks):,} bytes of WAL and "
        f"{sum(cost.transactions for cost in blocks):,} transaction ids for {len(blocks) * BLOCK:,} calls"
        for name, blocks in costs.items()
    ]
    share = browsers / POLL_EVERY * statistics.median(cost.seconds for cost in costs["poll"])
    return "\n".join(
        [
            f"{browsers:,} browsers wait.",
            *lines,
            f"A poll takes {middle:.2f} of an authenticate ({first:.2f} to {third:.2f}).",
            f"All of them, each every {POLL_EVERY} s, are {browsers / POLL_EVERY:,.0f} polls a second.",
            f"One caller asks {share:.0%} of its time for that.",
        ]
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.waiting", description=__doc__)
    parser.add_argument("--browsers", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=15)
    given = parser.parse_args()
    with EmbeddedPostgres(settings=SETTINGS) as server:
        deploy(server.url())
        sys.stdout.write(measured(server.url(), given.browsers, given.rounds) + "\n")


if __name__ == "__main__":
    main()
