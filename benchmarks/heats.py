"""Running a heat: every contender's process is started and warmed up, and then they work in turns, block by block."""

import random
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from pathlib import Path
from typing import Any, Final

import attrs

from benchmarks.before import Before
from benchmarks.databases import environment
from benchmarks.entrants import CONTENDERS, SHARED
from benchmarks.plan import BATCHES, Entry, Heat, Size
from benchmarks.process import Ended, Process

__all__ = ["Arena", "Line", "run"]

Line = dict[str, Any]

# A process is warm when this many blocks in a row have gained less than this share; one of Node gains for seconds.
PATIENCE: Final = 3
GAIN: Final = 1.03
PEERS: Final = ("python", "node")
STEPS: Final = 12

_slots: Final = count(1)


@attrs.frozen(kw_only=True)
class Arena:
    """Where the heats are run.

    Attributes:
        urls: of the databases of today's build, by their number of sessions.
        before: the build of another commit, if it takes part.
        before_url: of the database that this build has made.
        tokens: the files with access tokens: of today's build's main database, and of the other's.
        variables: more for the environment of the processes.
    """

    urls: Mapping[int, str]
    before: Before | None = None
    before_url: str = ""
    tokens: tuple[Path, Path]
    variables: Mapping[str, str] = {}

    def start(self, entry: Entry, heat: Heat) -> Process:
        """Start the process of a contender."""
        contender = CONTENDERS[entry.name]
        own = contender.home == "then" or (contender.home == "before" and heat.tables != SHARED)
        return Process(
            [
                *contender.command(self.before),
                f"--work={heat.work}",
                f"--variant={contender.variant}",
                f"--clients={heat.clients}",
                f"--slot={next(_slots)}",
            ],
            contender.folder(self.before),
            environment(
                self.before_url if own else self.urls[entry.sessions],
                entry.sessions,
                TOKENS=str(self.tokens[own]),
                TABLES=heat.tables,
                **self.variables,
            ),
        )


def run(heat: Heat, size: Size, arena: Arena) -> Iterator[Line]:
    """Run a heat, and yield a line for each block, and one for each contender that failed, which is left out then."""
    with ExitStack() as stack:
        ready: list[tuple[Entry, Process]] = []
        there = [entry for entry in heat.entries if CONTENDERS[entry.name].command(arena.before)]
        for entry in heat.entries:
            if entry not in there and CONTENDERS[entry.name].home in PEERS:
                yield _failed(heat, entry, Ended("not installed"))
        started = [(entry, stack.enter_context(arena.start(entry, heat))) for entry in there]
        for entry, process in started:
            try:
                process.wait()
                seconds = _warm_up(process, size.warm_up * (1 if CONTENDERS[entry.name].home == "node" else 0.1))
                yield _line("warm", heat, entry, seconds=seconds)
                ready.append((entry, process))
            except Ended as error:
                yield _failed(heat, entry, error)
        for number in range(size.batches if heat.work in BATCHES or heat.seconds else size.rounds):
            random.shuffle(ready)
            for entry, process in list(ready):
                try:
                    figures = process.block(heat.seconds or size.seconds)
                    yield _line("block", heat, entry, round=number, **figures)
                except Ended as error:
                    ready.remove((entry, process))
                    yield _failed(heat, entry, error)
        for _, process in started:
            process.end()  # all at once, as an interpreter takes a while to end


def _warm_up(process: Process, most: float) -> float:
    """Let it work as long as it gains by that, and no longer than this; return the seconds."""
    best, idle, spent = 0.0, 0, 0.0
    while idle < PATIENCE and spent < most:
        figures = process.block(most / STEPS)
        spent += max(most / STEPS, figures["seconds"])
        rate = figures["operations"] / figures["seconds"]
        idle = 0 if rate > best * GAIN else idle + 1
        best = max(best, rate)
    return spent


def _failed(heat: Heat, entry: Entry, error: Ended) -> Line:
    sys.stderr.write(f"{heat.work}, {entry.name}: {error}\n")
    return _line("failed", heat, entry, why=str(error))


def _line(kind: str, heat: Heat, entry: Entry, **figures: object) -> Line:
    return {
        "kind": kind,
        "row": heat.row,
        "work": heat.work,
        "clients": heat.clients,
        "tables": heat.tables,
        "contender": entry.name,
        "sessions": entry.sessions,
        **figures,
    }
