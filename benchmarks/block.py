"""One contender in its process: it is told when to run a block of work, and answers with one line of JSON.

A process is started once, warms up, and then waits between its blocks, so that the blocks of several contenders can
follow each other closely, and what the machine does besides falls on all of them alike. Nothing but the standard
library is imported here: contenders of other environments use it too.
"""

import argparse
import asyncio
import json
import random
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

__all__ = ["Order", "answer", "asked", "order", "serve", "serve_arrivals", "serve_async", "serve_batches"]

Key = Any
Refill = Callable[[float], Iterable[Key]]
Operation = Callable[[Key], object]
AsyncOperation = Callable[[Key], Awaitable[object]]

_clock: Final = time.perf_counter_ns


@dataclass(frozen=True, kw_only=True)
class Order:
    """What a process is to do.

    Attributes:
        work: the name of the work load.
        variant: which of the contender's ways to do it.
        clients: how many do it at once, in this process.
        slot: a number that no other process of the run has, to keep rows apart that are written.
    """

    work: str
    variant: str
    clients: int
    slot: int


def order() -> Order:
    """Read the order from the command line."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--work", required=True)
    parser.add_argument("--variant", default="")
    parser.add_argument("--clients", type=int, default=1)
    parser.add_argument("--slot", type=int, default=0)
    return Order(**vars(parser.parse_args()))


@dataclass
class _Block:
    """What one client did: the nanoseconds of each operation, and when the last one ended."""

    latencies: list[int]
    end: int


def serve(
    clients: int, refill: Refill, connect: Callable[[], Operation], more: Callable[[], dict[str, float]] | None = None
) -> None:
    """Serve blocks, with a thread for each client; with one client, without any.

    Args:
        clients: how many.
        refill: given the seconds of a block, returns what to do it with; called before the clock starts.
        connect: returns the operation of one client.
        more: returns more figures for the answer to a block.
    """
    operations = [connect() for _ in range(clients)]
    for seconds in asked():
        keys = iter(refill(seconds))
        start, cpu = _clock(), time.process_time()
        if clients == 1:
            done = [_run(operations[0], keys, start + int(seconds * 1e9))]
        else:
            done = _threads(operations, keys, start + int(seconds * 1e9))
        cpu = time.process_time() - cpu
        _report(done, start, cpu, **(more() if more else {}))


def _run(operation: Operation, keys: Iterator[Key], deadline: int) -> _Block:
    latencies: list[int] = []
    before = _clock()
    for key in keys:
        operation(key)
        after = _clock()
        latencies.append(after - before)
        before = after
        if after >= deadline:
            break
    return _Block(latencies, before)


def _threads(operations: list[Operation], keys: Iterator[Key], deadline: int) -> list[_Block]:
    done: list[_Block] = []
    failures: list[BaseException] = []

    def client(operation: Operation) -> None:
        try:
            done.append(_run(operation, keys, deadline))
        except BaseException as error:
            failures.append(error)
            raise

    threads = [threading.Thread(target=client, args=(operation,)) for operation in operations]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return done


async def serve_async(clients: int, refill: Refill, connect: Callable[[], Awaitable[AsyncOperation]]) -> None:
    """Serve blocks, with a task for each client. See `serve`."""
    operations = [await connect() for _ in range(clients)]
    for seconds in asked():
        keys = iter(refill(seconds))
        start, cpu = _clock(), time.process_time()
        deadline = start + int(seconds * 1e9)
        done = await asyncio.gather(*(_run_async(operation, keys, deadline) for operation in operations))
        _report(done, start, time.process_time() - cpu)


async def _run_async(operation: AsyncOperation, keys: Iterator[Key], deadline: int) -> _Block:
    latencies: list[int] = []
    before = _clock()
    for key in keys:
        await operation(key)
        after = _clock()
        latencies.append(after - before)
        before = after
        if after >= deadline:
            break
    return _Block(latencies, before)


async def serve_arrivals(rate: float, refill: Refill, operation: AsyncOperation) -> None:
    """Serve blocks in which operations are asked for at random times (a Poisson process), whatever becomes of them.

    The latency of one counts from when it was to be asked for, so that waiting for the one before it counts too.

    Args:
        rate: of arrivals, a second.
        refill: see `serve`.
        operation: what arrives.
    """
    chance = random.Random(round(rate))  # noqa: S311 - arrivals, the same for everybody
    for seconds in asked():
        keys, start = iter(refill(seconds)), _clock()
        due, block = start, _Block([], start)
        tasks: list[asyncio.Task[None]] = []
        while due < start + int(seconds * 1e9):
            # The event loop sleeps by whole milliseconds, longer than it is between two arrivals: it is kept awake.
            while _clock() < due:  # noqa: ASYNC110 - a moment is waited for, which sets no event
                await asyncio.sleep(0)
            tasks.append(asyncio.create_task(_arrived(operation, next(keys), due, block)))
            due += int(chance.expovariate(rate) * 1e9)
        await asyncio.gather(*tasks)
        _report([block], start, 0)  # the processor was kept busy by the waiting


async def _arrived(operation: AsyncOperation, key: Key, due: int, block: _Block) -> None:
    await operation(key)
    block.end = _clock()
    block.latencies.append(block.end - due)


def serve_batches(prepare: Callable[[], Key], operation: Operation, tidy: Callable[[], object]) -> None:
    """Serve blocks of one large operation each.

    Args:
        prepare: returns what to do it with; called before the clock starts.
        operation: what is measured.
        tidy: undoes it; called after the clock stopped.
    """
    for _ in asked():
        key = prepare()
        start, cpu = _clock(), time.process_time()
        operation(key)
        end, cpu = _clock(), time.process_time() - cpu
        tidy()  # before the answer: whoever comes next would have it in the way
        _report([_Block([end - start], end)], start, cpu)


def asked() -> Iterator[float]:
    """Yield the seconds of each block that is asked for, until nobody asks any more."""
    _say({"ready": True})
    for line in sys.stdin:
        yield float(json.loads(line)["seconds"])


def answer(**figures: float) -> None:
    """Answer what a block came to: at least its `operations` and its `seconds`."""
    _say({name: round(value, 6) for name, value in figures.items()})


def _report(done: list[_Block], start: int, cpu: float, **more: float) -> None:
    latencies = sorted(latency for block in done for latency in block.latencies)
    if not latencies:
        raise SystemExit("Nothing was done: no keys.")
    count = len(latencies)
    answer(
        operations=count,
        seconds=(max(block.end for block in done) - start) / 1e9,
        p50_us=latencies[count // 2] / 1e3,
        p99_us=latencies[min(count - 1, count * 99 // 100)] / 1e3,
        cpu_us=cpu * 1e6 / count,
        **more,
    )


def _say(said: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()
