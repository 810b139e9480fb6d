"""What a purge costs the sign-ins that run beside it: `python -m benchmarks.purge`."""

import argparse
import itertools
import multiprocessing
import secrets
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from statistics import quantiles
from typing import Final

import attrs
import psycopg

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.migrate import deploy
from pgauthkit.values import PurgeReport

__all__ = ["main"]

SETTINGS: Final = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
USERS: Final = 10_000
CHUNK: Final = 5000  # lines
LOOK_EVERY: Final = 0.002  # seconds
OVER: Final = str(datetime.now(UTC) - timedelta(days=60))
LIVE: Final = str(datetime.now(UTC) + timedelta(days=60))
LINKS: Final = "magic_links (id, token_hash, email, expires_at)"
USED: Final = "magic_links (id, token_hash, email, expires_at, used_at)"
LIMITS: Final = "rate_limits (key, full_at)"
SESSIONS: Final = """sessions (id, selector_hash, access_token_hash, refresh_token_hash, authenticated_at, last_used_at,
    access_expires_at, idle_expires_at, expires_at, user_id)"""
# Each sign-in has rows of its own, so whatever is found here was held by the purge.
WAITING: Final = """
    SELECT wait_event FROM pg_stat_activity
    WHERE datname = current_database() AND application_name = 'load' AND wait_event_type = 'Lock'"""


@attrs.frozen
class Load:
    """What a load went through.

    Attributes:
        seconds: of each sign-in: ask for a link, use it, authenticate, refresh.
        lasted: the seconds for which it went on.
        waits: how often a look at the server found a statement of the load that waited for a lock, by what for.
    """

    seconds: list[float]
    lasted: float
    waits: Counter[str]

    def row(self, name: str) -> str:
        """Return a line of the table."""
        hundredths = [value * 1000 for value in quantiles(self.seconds, n=100)]
        waits = ", ".join(f"{kind} {count}" for kind, count in self.waits.items()) or "none"
        rate = len(self.seconds) / self.lasted
        return f"{name:<16}{rate:>8.0f}{hundredths[49]:>9.1f} ms{hundredths[98]:>9.1f} ms   {waits}"


def fill(url: str, rows: int) -> None:
    """Write rows that are over, a fifth each: links, used links, sessions, idle sessions, limits; and live sessions."""
    fifth = range(rows // 5)
    with psycopg.connect(url, autocommit=True) as connection:
        copy(connection, "users (id, email)", ((f"u{number}", f"user{number}@example.com") for number in range(USERS)))
        copy(connection, LINKS, ((f"l{number}", digest(), "someone@example.com", OVER) for number in fifth))
        copy(connection, USED, ((f"m{number}", digest(), "someone@example.com", OVER, OVER) for number in fifth))
        copy(connection, SESSIONS, (session(f"s{number}", OVER, OVER) for number in fifth))
        copy(connection, SESSIONS, (session(f"t{number}", OVER, LIVE) for number in fifth))
        copy(connection, SESSIONS, (session(f"v{number}", LIVE, LIVE) for number in fifth))
        copy(connection, LIMITS, ((digest(), OVER) for _ in fifth))
        connection.execute("VACUUM ANALYZE")
        connection.execute("CHECKPOINT")


def session(name: str, idle: str, end: str) -> tuple[str, ...]:
    """Return a row of a session."""
    return (name, digest(), digest(), digest(), OVER, OVER, idle, idle, end, f"u{secrets.randbelow(USERS)}")


def digest() -> str:
    """Return the hash of something, as COPY reads it."""
    return "\\\\x" + secrets.token_hex(32)


def copy(connection: psycopg.Connection, table: str, rows: Iterable[tuple[str, ...]]) -> None:
    """Write rows by COPY."""
    lines = ("\t".join(row) + "\n" for row in rows)
    with connection.cursor() as cursor, cursor.copy(f"COPY pgauthkit.{table} FROM STDIN".encode()) as into:
        while chunk := "".join(itertools.islice(lines, CHUNK)):
            into.write(chunk)


def purged(url: str, batch_size: int) -> tuple[PurgeReport, float]:
    """Purge, in a process of its own; return what went, and how long it took."""
    engine = create_engine(url)
    start = time.perf_counter()
    report = AuthService(engine).purge(batch_size=batch_size)
    lasted = time.perf_counter() - start
    engine.dispose()
    return report, lasted


@contextmanager
def loaded(url: str, clients: int) -> Generator[Callable[[], Load]]:
    """Let clients sign in, one after another, as fast as they can; gives what ends it and tells how it went."""
    engine = create_engine(url, pool_size=clients, connect_args={"application_name": "load"})
    auth, stop, numbers = AuthService(engine, AuthConfig()), threading.Event(), itertools.count()
    waits: Counter[str] = Counter()

    def look() -> None:
        with psycopg.connect(url, autocommit=True) as connection:
            while not stop.wait(LOOK_EVERY):
                waits.update(row[0] for row in connection.execute(WAITING))

    def sign_in() -> list[float]:
        seconds: list[float] = []
        while not stop.is_set():
            number = next(numbers)
            start = time.perf_counter()
            ip = f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"
            link = auth.request_magic_link(f"{secrets.token_hex(8)}@example.com", ip=ip)
            tokens = auth.verify_magic_link(link.token.reveal()).tokens
            auth.authenticate(tokens.access_token.reveal())
            auth.refresh(tokens.refresh_token.reveal())
            seconds.append(time.perf_counter() - start)
        return seconds

    with ThreadPoolExecutor(clients + 1) as threads:
        start = time.perf_counter()
        looking = threads.submit(look)
        signing_in = [threads.submit(sign_in) for _ in range(clients)]

        def end() -> Load:
            stop.set()
            looking.result()
            seconds = [value for client in signing_in for value in client.result()]
            return Load(seconds, time.perf_counter() - start, waits)

        try:
            yield end
        finally:
            stop.set()
    engine.dispose()


def measured(url: str, rows: int, clients: int, batch_size: int) -> str:
    """Return the table: the load alone, and beside a purge."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as process:
        process.submit(time.sleep, 0).result()
        fill(url, rows)
        with loaded(url, clients) as end:
            report, lasted = process.submit(purged, url, batch_size).result()
            beside = end()
    with loaded(url, clients) as end:
        time.sleep(lasted)
        alone = end()
    gone = sum(attrs.astuple(report))
    return "\n".join(
        [
            f"{gone:,} rows purged in {lasted:.1f} s, {gone / lasted:,.0f} rows a second:",
            f"{report.magic_links:,} links, {report.sessions:,} sessions, {report.rate_limits:,} rate limits.",
            f"{'':<16}{'sign-ins/s':>8}{'median':>10}{'p99':>12}   waits for a lock",
            alone.row("load alone"),
            beside.row("with the purge"),
        ]
    )


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.purge", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="that are over")
    parser.add_argument("--clients", type=int, default=2, help="that sign in meanwhile")
    parser.add_argument("--batch-size", type=int, default=1000)
    given = parser.parse_args()
    with EmbeddedPostgres(settings=SETTINGS, durable=True) as server:
        deploy(server.url())
        sys.stdout.write(measured(server.url(), given.rows, given.clients, given.batch_size) + "\n")


if __name__ == "__main__":
    main()
