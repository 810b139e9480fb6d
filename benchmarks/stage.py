"""Where a run takes place: the server with its databases, and what each row of the plan needs of them."""

import sys
import tempfile
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import attrs
import psycopg

from benchmarks import costs, heats, large, plan, room
from benchmarks.before import Before
from benchmarks.databases import build, build_before, settle
from benchmarks.figures import Blocks
from benchmarks.heats import Arena, Line
from benchmarks.peers.tables import prepare
from pgauthkit.database.embedded import EmbeddedPostgres

__all__ = ["Stage"]

# The share of what 8 in a closed loop get from the build of before that arrives at random times.
LOAD = 0.7


@attrs.define(kw_only=True)
class Stage:
    """The server of a run.

    Attributes:
        server: it runs.
        size: how much is measured.
        before: the build of another commit, if it takes part.
    """

    server: EmbeddedPostgres
    size: plan.Size
    before: Before | None
    _arena: Arena = attrs.field(init=False)

    @contextmanager
    def set(self, rows: tuple[str, ...]) -> Generator[None]:
        """Make the databases that these rows need, and the files beside them."""
        with tempfile.TemporaryDirectory(prefix="pgak-bench-") as directory:
            today, other = (Path(directory) / name for name in ("today", "before"))
            main = self.size.main
            urls = {main: build(self.server, main, today)} if set(rows) - {"costs", "session_bytes", "sizes"} else {}
            before_url = ""
            if urls and self.before:
                try:
                    before_url = build_before(self.server, self.before, main, other)
                except Exception as error:  # noqa: BLE001 - its rows fail by themselves, and say so
                    sys.stderr.write(f"{self.before.commit} made no database: {error}\n")
            if set(rows) & (set(plan.RECORDS) | {"authenticate", "verify_link", "refresh"}):
                prepare(urls[main], main)
            variables = {"PGBENCH": str(self.server.bin / "pgbench")}
            self._arena = Arena(
                urls=urls, before=self.before, before_url=before_url, tokens=(today, other), variables=variables
            )
            yield

    def lines(self, row: str) -> Iterator[Line]:
        """Yield a line for each thing that is measured for a row; what cannot be is said in one."""
        start = time.monotonic()
        try:
            yield from self._lines(row)
        except Exception as error:  # noqa: BLE001 - the other rows are measured nevertheless
            sys.stderr.write(f"{row}: {error}\n")
            yield {"kind": "failed", "row": row, "work": row, "contender": "", "why": type(error).__name__}
        yield {"kind": "took", "row": row, "seconds": round(time.monotonic() - start, 1)}

    def _lines(self, row: str) -> Iterator[Line]:
        if row == "costs":
            yield from costs.measured(self.server, self.size)
        elif row == "session_bytes":
            yield from room.sessions(self.server, self.size.bytes_rows, self.before)
        elif row == "entry_bytes":
            yield room.entries(self._arena.urls[self.size.main], self.size.main)
        elif row == "sizes":
            yield from large.measured(self.server, self.size)
        else:
            yield from self._raced(row)

    def _raced(self, row: str) -> Iterator[Line]:
        for heat in plan.heats(self.size, row):
            arena = self._arena
            for url in filter(None, (arena.urls[self.size.main], arena.before_url)):
                _settled(url)
            if row == "arrivals":
                rate = self._rate()
                arena = attrs.evolve(arena, variables={**arena.variables, "RATE": str(rate)})
                yield {"kind": "rate", "row": row, "rate": rate}
            yield from heats.run(heat, self.size, arena)

    def _rate(self) -> float:
        """Return how often `authenticate` is asked for at random times: by what the slower build can do at once."""
        names = ("before async", "pgauthkit async")[: 1 if self.before else 2]
        entries = tuple(plan.Entry(name, self.size.main) for name in names)
        heat = plan.Heat(row="arrivals", work="authenticate", clients=8, entries=entries)
        found = [line for line in heats.run(heat, self.size, self._arena) if line["kind"] == "block"]
        return LOAD * min(Blocks(found).where(contender=name).rate().middle for name in {x["contender"] for x in found})


def _settled(url: str) -> None:
    try:
        settle(url)
    except psycopg.Error as error:
        sys.stderr.write(f"Not settled: {type(error).__name__}\n")
