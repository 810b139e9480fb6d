"""Running a heat: every contender's process is started and warmed up, and then they work in turns, block by block."""

import json
import random
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import count
from types import TracebackType
from typing import Any, Final, Self

from benchmarks import plan
from benchmarks.databases import environment
from benchmarks.plan import CONTENDERS, Heat, Size

__all__ = ["Line", "run"]

Line = dict[str, Any]

_slots: Final = count(1)


class Process:
    """A contender at work on one database."""

    def __init__(self, name: str, heat: Heat, sessions: int, variables: dict[str, str]) -> None:
        contender = CONTENDERS[name]
        self.name, self.sessions, self.warm_up = name, sessions, contender.warm_up
        self._process = subprocess.Popen(  # noqa: S603 - our own programs
            [
                *contender.command(),
                f"--work={heat.work}",
                f"--variant={contender.variant}",
                f"--clients={heat.clients}",
                f"--slot={next(_slots)}",
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=variables,
        )

    def wait(self) -> None:
        """Wait until it is ready."""
        self._read()

    def block(self, seconds: float) -> Line:
        """Let it work for so long, and return what it came to."""
        assert self._process.stdin
        self._process.stdin.write(json.dumps({"seconds": seconds}) + "\n")
        self._process.stdin.flush()
        return self._read()

    def _read(self) -> Line:
        assert self._process.stdout
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended.")
        answer: Line = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        assert self._process.stdin
        self._process.stdin.close()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def run(heat: Heat, size: Size, urls: Mapping[int, str], **variables: str) -> Iterator[Line]:
    """Run a heat, and yield a line for each block; who fails is left out, and said so.

    Args:
        heat: which.
        size: how long.
        urls: of the databases, by their number of sessions.
        **variables: more for the environment of the processes.
    """
    with ExitStack() as stack:
        processes = [
            stack.enter_context(Process(name, heat, sessions, environment(urls[sessions], sessions, **variables)))
            for name, sessions in heat.entries
            if CONTENDERS[name].command()
        ]
        ready = [process for process in processes if _is_warm(process, size)]
        for number in range(size.batches if heat.work in plan.BATCHES else size.rounds):
            random.shuffle(ready)
            for process in list(ready):
                try:
                    figures = process.block(size.seconds)
                except RuntimeError as error:
                    sys.stderr.write(f"{heat.work}: {error}\n")
                    ready.remove(process)
                    continue
                yield _line(heat, process, number, figures)


def _is_warm(process: Process, size: Size) -> bool:
    try:
        process.wait()
        process.block(size.warm_up * process.warm_up)
    except RuntimeError as error:
        sys.stderr.write(f"{error}\n")
        return False
    return True


def _line(heat: Heat, process: Process, number: int, figures: Line) -> Line:
    return {
        "kind": "block",
        "work": heat.work,
        "clients": heat.clients,
        "transport": heat.transport,
        "contender": process.name,
        "sessions": process.sessions,
        "round": number,
        **figures,
    }
