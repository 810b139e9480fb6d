"""Waiting in a task for an answer: as psycopg does, until the call must end or the task is cancelled."""

import asyncio
import functools
import select
import time
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.errors import DivisionByZero, error_from_result
from psycopg.generators import execute

from pgauthkit.database.awaiting.arriving import wait_in_task
from pgauthkit.database.deadline import READ, WRITE, CallTimeoutError, one_call

if TYPE_CHECKING:
    from tests.integration.conftest import Database

SLEEP = b"SELECT pg_catalog.pg_sleep(30)"


def awaited(test: Callable[["Database"], Coroutine[Any, Any, None]]) -> Callable[["Database"], None]:
    """Run a test in an event loop of its own."""

    @functools.wraps(test)
    def run(database: "Database") -> None:
        asyncio.run(test(database))

    return run


@asynccontextmanager
async def connected(database: "Database") -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
    """Connect, without a transaction."""
    url = database.url.replace("+psycopg", "")
    async with await psycopg.AsyncConnection.connect(url, autocommit=True) as driver:
        yield driver


def asking(driver: psycopg.AsyncConnection[Any], sql: bytes) -> Generator[int, int, Any]:
    """Run a statement, and return its only value."""
    driver.pgconn.send_query(sql)
    (result,) = yield from execute(driver.pgconn)
    if result.get_value(0, 0) is None:
        raise error_from_result(result)
    return result.get_value(0, 0)


@awaited
async def test_answers(database: "Database") -> None:
    """What the steps return or raise comes back, of an answer in many parts too, and the socket is free for more."""
    async with connected(database) as driver:
        assert await wait_in_task(driver, asking(driver, b"SELECT 1")) == b"1"
        assert await wait_in_task(driver, asking(driver, b"SELECT repeat('x', 1000000)")) == b"x" * 1_000_000
        with pytest.raises(DivisionByZero):
            await wait_in_task(driver, asking(driver, b"SELECT 1 / 0"))
        assert await (await driver.execute("SELECT 2")).fetchone() == (2,)


@awaited
async def test_nothing_to_wait_for(database: "Database") -> None:
    """Steps that need not wait return at once."""

    def steps() -> Generator[int, int, str]:
        yield from ()
        return "done"

    async with connected(database) as driver:
        assert await wait_in_task(driver, steps()) == "done"


@awaited
async def test_steps_that_write(database: "Database") -> None:
    """A statement too long for the socket waits until it may be written, and for what comes meanwhile."""
    seen: list[int] = []

    async with connected(database) as driver:

        def steps() -> Generator[int, int, list[int]]:
            seen.append((yield WRITE))
            driver.pgconn.send_query(b"SELECT 1")
            driver.pgconn.flush()
            seen.append((yield READ))
            seen.append((yield READ | WRITE))  # either
            yield from execute(driver.pgconn)
            return seen

        assert (await wait_in_task(driver, steps()))[:2] == [WRITE, READ]
        assert seen[2] & (READ | WRITE)


@awaited
async def test_a_call_that_must_end(database: "Database") -> None:
    """When the time is up the server is asked to stop, and the connection is closed."""
    async with connected(database) as driver:
        begun = time.monotonic()
        with one_call(0.1), pytest.raises(CallTimeoutError):
            await wait_in_task(driver, asking(driver, SLEEP))
        assert time.monotonic() - begun < 10
        assert driver.closed
    async with connected(database) as driver:
        with one_call(30.0):
            assert await wait_in_task(driver, asking(driver, b"SELECT 1")) == b"1"


@awaited
async def test_a_task_that_is_cancelled(database: "Database") -> None:
    """The server is asked to stop, and the connection is closed: nobody gets the late answer for that to another."""
    async with connected(database) as driver:
        task = asyncio.create_task(wait_in_task(driver, asking(driver, SLEEP)))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert driver.closed


@awaited
async def test_an_answer_in_the_turn_of_a_cancellation(database: "Database") -> None:
    """An answer that arrives as its task is cancelled is no error of the loop, and nobody gets it for another."""
    reported: list[dict[str, Any]] = []
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda _loop, context: reported.append(context))
    async with connected(database) as driver:
        task = asyncio.create_task(wait_in_task(driver, asking(driver, b"SELECT 1")))
        await asyncio.sleep(0)
        select.select([driver.pgconn.socket], [], [], 60.0)
        loop.call_soon(task.cancel)  # goes before the socket, which is looked at in the same turn
        with pytest.raises(asyncio.CancelledError):
            await task
        assert driver.closed
    assert reported == []
