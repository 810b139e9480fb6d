"""The same work in databases of several sizes, the pages that it had to read for that, and a purge of the largest."""

import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from benchmarks import heats, plan
from benchmarks.databases import SHARED_BUFFERS, build, connected, settle
from benchmarks.heats import Arena
from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres

__all__ = ["measured"]

Line = dict[str, Any]

# Pages that were not in the server's own memory, and all that were asked for; the system's cache may have had them.
PAGES: Final = b"""SELECT sum(heap_blks_read + coalesce(idx_blks_read, 0)),
    sum(heap_blks_read + coalesce(idx_blks_read, 0) + heap_blks_hit + coalesce(idx_blks_hit, 0))
    FROM pg_statio_user_tables WHERE schemaname = 'pgauthkit'"""
EXPIRED: Final = b"""UPDATE pgauthkit.sessions SET expires_at = now() - interval '9 days'
    WHERE id IN (SELECT id FROM pgauthkit.sessions TABLESAMPLE SYSTEM (10))"""


def measured(server: EmbeddedPostgres, size: plan.Size) -> Iterator[Line]:
    """Yield the blocks of each work, the pages of each database in it, and what a purge took."""
    urls: dict[int, str] = {}
    for sessions in size.sizes:
        start = time.monotonic()
        urls[sessions] = build(server, sessions, name=f"sessions_{sessions}")
        yield {**_database(urls[sessions], sessions), "seconds": time.monotonic() - start}
    for heat in plan.sizes(size):
        before = {sessions: _pages(url) for sessions, url in urls.items()}
        yield from heats.run(heat, size, Arena(urls=urls, tokens=(Path(), Path())))
        for sessions, url in urls.items():
            read, every = (now - then for now, then in zip(_pages(url), before[sessions], strict=True))
            share = read / every if every else 0
            yield {"kind": "pages", "work": heat.work, "sessions": sessions, "share": share, "pages": every}
    for sessions in (size.sizes[0], size.sizes[-1]):
        yield _purge(urls[sessions], sessions)


def _database(url: str, sessions: int) -> Line:
    """Return how large a database is beside the server's memory, and the machine's."""
    with connected(url) as connection:
        found = connection.execute("SELECT pg_database_size(current_database())").fetchone()
    return {
        "kind": "database",
        "sessions": sessions,
        "gigabytes": (found[0] if found else 0) / 2**30,
        "shared_buffers": SHARED_BUFFERS,
        "memory_gb": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
    }


def _pages(url: str) -> tuple[int, int]:
    with connected(url) as connection:
        found = connection.execute(PAGES).fetchone()
    return (int(found[0] or 0), int(found[1] or 0)) if found else (0, 0)


def _purge(url: str, sessions: int) -> Line:
    with connected(url) as connection:
        connection.execute(EXPIRED)
    settle(url)
    engine = create_engine(url)
    start = time.perf_counter()
    report = AuthService(engine).purge()
    seconds = time.perf_counter() - start
    engine.dispose()
    return {"kind": "purge", "rows": report.sessions, "sessions": sessions, "seconds": seconds}
