"""`create_many` and `upsert_many` against a bare COPY, and the memory of a million rows: `python -m benchmarks.bulk`.

It starts a PostgreSQL of its own. The three ways take turns, so that what disturbs one disturbs all. The time is that
of the best round; the processor time, which other work on the machine disturbs least, is that of this process and of
the server's together, on average. The memory is measured in a process of its own, above what ten thousand rows need.
"""

import itertools
import os
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
from sqlalchemy import Engine, Numeric, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from pgauthkit.database import create_engine
from pgauthkit.identifiers import new_id
from pgauthkit.models import CuidPrimaryKey
from pgauthkit.repositories import Repository, transaction
from pgauthkit.testing import TestServer

# ruff: noqa: T201 - it prints its figures

ROWS, ROUNDS, MANY = 20_000, 15, 1_000_000
COPY = "COPY bulk_products (id, sku, name, price, stock, created_at) FROM STDIN"


class Base(DeclarativeBase):
    """The base of the one model."""


class Product(CuidPrimaryKey, Base):
    """Something with the usual types, a primary key and a unique one."""

    __tablename__ = "bulk_products"

    sku: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    price: Mapped[Decimal] = mapped_column(Numeric(10, 2))
    stock: Mapped[int]
    created_at: Mapped[datetime]


def rows(number: int) -> Iterator[dict[str, Any]]:
    """Make rows one at a time."""
    now = datetime.now(UTC).replace(tzinfo=None)
    for n in range(number):
        yield {"sku": f"sku-{n}", "name": f"Product {n}", "price": Decimal(n) / 100, "stock": n, "created_at": now}


def copy(engine: Engine) -> None:
    """Write the rows with psycopg's COPY, ids included, as its documentation shows."""
    with engine.begin() as connection:
        driver: Any = connection.connection.driver_connection
        with driver.cursor() as cursor, cursor.copy(COPY) as sent:
            for row in rows(ROWS):
                sent.write_row((new_id(), *row.values()))


def create_many(engine: Engine) -> None:
    """Write the rows with `create_many`."""
    with transaction(engine) as db:
        Repository(db, Product).create_many(rows(ROWS))


def upsert_many(engine: Engine) -> None:
    """Write the rows with `upsert_many`, into an empty table."""
    with transaction(engine) as db:
        Repository(db, Product).upsert_many(rows(ROWS), "sku", ["price", "stock"])


def timed(engine: Engine, write: Callable[[Engine], None]) -> tuple[float, float]:
    """Return the seconds, and those of the processors, that a way takes on an empty table."""
    with engine.begin() as connection:
        connection.execute(text("TRUNCATE bulk_products"))
        pid = connection.execute(text("SELECT pg_backend_pid()")).scalar_one()
    start, before = time.perf_counter(), busy(pid)
    write(engine)
    return time.perf_counter() - start, busy(pid) - before


def busy(pid: int) -> float:
    """Return the processor time, in seconds, of this process and of the server's: the pool has one connection."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return time.process_time() + (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def compare(engine: Engine) -> None:
    """Print the times, and their ratios to COPY."""
    ways = (copy, create_many, upsert_many)
    taken: dict[str, list[tuple[float, float]]] = {way.__name__: [] for way in ways}
    for number, way in itertools.product(range(ROUNDS + 1), ways):
        figures = timed(engine, way)
        if number:  # the first round warms up
            taken[way.__name__].append(figures)
    print(f"{ROWS:,} rows, {ROUNDS} rounds:")
    base, base_busy = summed_up(taken["copy"])
    for name, rounds in taken.items():
        best, average = summed_up(rounds)
        print(
            f"  {name:<12} {best * 1000:4.0f} ms, {best / base:.2f} x COPY;"
            f" processors {average * 1000:4.0f} ms, {average / base_busy:.2f} x COPY"
        )


def summed_up(rounds: Sequence[tuple[float, float]]) -> tuple[float, float]:
    """Return the time of the best round, and the average processor time."""
    return min(seconds for seconds, _ in rounds), statistics.mean(seconds for _, seconds in rounds)


def remember(url: str) -> None:
    """Write a million rows from an iterator, and print what that added to the memory of the process at its peak."""
    engine = create_engine(url)
    with transaction(engine) as db:
        db.execute(text("TRUNCATE bulk_products"))
        Repository(db, Product).create_many(rows(10_000))
        db.execute(text("TRUNCATE bulk_products"))
    before = peak()
    with transaction(engine) as db:
        written = Repository(db, Product).create_many(rows(MANY))
    print(f"{written:,} rows from an iterator: {peak() - before:.1f} MB more at the peak than after 10,000 rows")


def peak() -> float:
    """Return the most memory that this process has had, in MB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    """Measure both."""
    with TestServer(None, major=16) as server, server.database() as url:
        engine = create_engine(url, pool_size=1, max_overflow=0)
        Base.metadata.create_all(engine)
        print(f"PostgreSQL {server_version(url)}, Python {sys.version.split()[0]}, {os.cpu_count()} cores")
        compare(engine)
        engine.dispose()
        subprocess.run([sys.executable, "-m", "benchmarks.bulk", url], check=True)  # noqa: S603 - this very file


def server_version(url: str) -> str:
    """Ask the server for its version."""
    with psycopg.connect(url) as connection:
        return connection.info.parameter_status("server_version") or "unknown"


if __name__ == "__main__":
    remember(sys.argv[1]) if sys.argv[1:] else main()
