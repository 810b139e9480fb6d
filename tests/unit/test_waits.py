"""What the calls of an event loop wait for: sockets of every kind of loop, an end, and whoever gives up."""

import asyncio
import gc
import select
import socket
from collections.abc import Callable, Coroutine, Generator
from contextlib import ExitStack
from contextvars import ContextVar
from time import monotonic
from typing import Any, TypeAlias, TypeVar
from weakref import ref

import pytest

from pgauthkit.database.awaiting.waits import TIMED_OUT, Waits
from pgauthkit.database.deadline import ENDLESS, READ, WRITE

T = TypeVar("T")
Pair: TypeAlias = tuple[socket.socket, socket.socket]

SHORT = 0.01  # seconds
WHO: ContextVar[str] = ContextVar("who", default="nobody")


@pytest.fixture(params=["epoll", "loop"], autouse=True)
def watched(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Sockets are watched by an epoll, as on Linux, or by the loop, as on macOS."""
    if request.param == "loop":
        monkeypatch.delattr(select, "epoll")
    return str(request.param)


@pytest.fixture
def pair() -> Generator[Callable[[], Pair]]:
    """Makes a socket to wait for, and its other end."""
    with ExitStack() as closing:

        def made() -> Pair:
            mine, theirs = socket.socketpair()
            mine.setblocking(False)
            closing.enter_context(mine)
            closing.enter_context(theirs)
            return mine, theirs

        yield made


async def ready(waited_for: socket.socket, wanted: int = READ, end: float = ENDLESS) -> int:
    waits = Waits.of(asyncio.get_running_loop())
    try:
        return await waits.ready(waited_for.fileno(), wanted, end)
    except BaseException:
        waits.forget(waited_for.fileno())
        raise


def run(work: Coroutine[Any, Any, T]) -> T:
    return asyncio.run(work)


def test_each_state(pair: Callable[[], Pair]) -> None:
    """A socket is ready to be read from, or to be written to, as was asked for; at once, or later, and again."""
    mine, theirs = pair()

    async def work() -> list[int]:
        theirs.send(b"1")
        states = [await ready(mine), await ready(mine, WRITE), await ready(mine, READ | WRITE)]
        mine.recv(1)
        asyncio.get_running_loop().call_soon(theirs.send, b"2")
        return [*states, await ready(mine)]

    read, write, either, later = run(work())
    assert (read, write, later) == (READ, WRITE, READ)
    assert either & READ or either & WRITE


def test_several_at_once(pair: Callable[[], Pair]) -> None:
    """Those whose sockets are ready in one turn of the loop are all woken, each in a context of their own."""
    pairs = [pair() for _ in range(5)]

    async def one(number: int) -> tuple[int, str]:
        WHO.set(str(number))
        return await ready(pairs[number][0]), WHO.get()

    async def work() -> list[tuple[int, str]]:
        calls = [asyncio.create_task(one(number)) for number in range(5)]
        await asyncio.sleep(0)
        for _, theirs in pairs:
            theirs.send(b"1")
        return await asyncio.gather(*calls)

    assert run(work()) == [(READ, str(number)) for number in range(5)]


def test_an_end(pair: Callable[[], Pair]) -> None:
    """Whose time is up is woken, soon or at once; others wait on, for another end, or for none."""
    pairs = [pair() for _ in range(4)]

    async def work() -> list[int]:
        now = monotonic()
        ends = [now + 20 * SHORT, now + 10 * SHORT, now - 1, ENDLESS]  # far enough apart to be looked at one by one
        calls = [asyncio.create_task(ready(mine, end=end)) for (mine, _), end in zip(pairs, ends, strict=True)]
        first = await asyncio.gather(*calls[:3])
        assert not calls[3].done()
        pairs[3][1].send(b"1")
        return [*first, await calls[3]]

    assert run(work()) == [TIMED_OUT, TIMED_OUT, TIMED_OUT, READ]


def test_an_end_that_nobody_waits_for(pair: Callable[[], Pair]) -> None:
    """Who was answered is not woken again when the time of their call would have been up, and who comes then is."""
    mine, theirs = pair()

    async def work() -> list[int]:
        theirs.send(b"1")
        first = await ready(mine, end=monotonic() + SHORT)
        mine.recv(1)
        await asyncio.sleep(2 * SHORT)
        return [first, await ready(mine, end=monotonic() + SHORT)]

    assert run(work()) == [READ, TIMED_OUT]


def test_who_gives_up(pair: Callable[[], Pair]) -> None:
    """Who is cancelled is woken for that alone, and the socket is free for the next."""
    mine, theirs = pair()

    async def work() -> int:
        call = asyncio.create_task(ready(mine))
        await asyncio.sleep(0)
        call.cancel()
        theirs.send(b"1")
        with pytest.raises(asyncio.CancelledError):
            await call
        await asyncio.sleep(SHORT)  # what has arrived is nobody's
        assert mine.recv(1) == b"1"
        next_one = asyncio.create_task(ready(mine))
        await asyncio.sleep(SHORT)
        assert not next_one.done()
        theirs.send(b"2")
        return await next_one

    assert run(work()) == READ


def test_cancelled_as_it_is_answered(pair: Callable[[], Pair]) -> None:
    """Who is cancelled before the answer is read, in the same turn, is woken once."""
    mine, theirs = pair()

    async def work() -> None:
        call = asyncio.create_task(ready(mine))
        await asyncio.sleep(0)
        wake: Any = call._fut_waiter  # type: ignore[attr-defined]  # asyncio's own
        call.cancel()
        wake.wake(READ)
        assert not wake.cancel()
        theirs.send(b"1")
        with pytest.raises(asyncio.CancelledError):
            await call

    run(work())


def test_a_socket_in_the_place_of_another(pair: Callable[[], Pair]) -> None:
    """A socket that gets the number of one that was closed is another one: nothing of that is left."""

    async def work() -> tuple[int, int]:
        before, theirs = pair()
        theirs.send(b"1")
        await ready(before)
        number = before.fileno()
        before.close()
        after, others = pair()
        assert after.fileno() == number
        call = asyncio.create_task(ready(after))
        await asyncio.sleep(SHORT)
        assert not call.done()
        others.send(b"2")
        return await call, number

    assert run(work())[0] == READ


def test_closed_as_it_is_answered(pair: Callable[[], Pair]) -> None:
    """A socket that is closed in the turn in which it becomes ready harms nobody."""
    mine, theirs = pair()

    async def work() -> int:
        loop = asyncio.get_running_loop()
        call = asyncio.create_task(ready(mine, end=monotonic() + SHORT))
        await asyncio.sleep(0)
        Waits.of(loop)._sockets.leave(mine.fileno())
        theirs.send(b"1")
        mine.close()
        return await call

    assert run(work()) == TIMED_OUT


def test_a_loop_that_goes(pair: Callable[[], Pair]) -> None:
    """The waits of a loop go with it, also where somebody still waited."""
    mine, _ = pair()
    loop = asyncio.new_event_loop()
    call = loop.create_task(ready(mine))
    loop.run_until_complete(asyncio.sleep(0))
    seen = ref(Waits.of(loop))
    call.cancel()
    loop.run_until_complete(asyncio.gather(call, return_exceptions=True))
    loop.close()
    del call, loop
    gc.collect()
    assert seen() is None
