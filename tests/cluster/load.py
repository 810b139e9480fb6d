"""The load: people who sign in, refresh and sign out by one route, and a book of what they were told."""

import asyncio
import secrets
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Coroutine, Generator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import timedelta
from typing import Any, Final

import attrs

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import AuthenticationError, DatabaseUnavailableError, RefreshTokenReusedError
from pgauthkit.values import TokenPair

LONGEST: Final = 240.0  # seconds, and
MOST: Final = 2_000  # visits: a load ends by itself
AGAIN: Final = 0.1  # seconds until a call that failed is repeated
BETWEEN: Final = 0.1  # seconds between two calls
# Shorter than an outage, so that what is said of refreshes is not the merit of the grace.
CONFIG: Final = AuthConfig(codes=False, refresh_grace=timedelta(seconds=5))

Answer = Generator["Call | float", Any, Any]


@attrs.frozen
class Call:
    """A method of the service, and what it is given."""

    name: str
    arguments: Sequence[str]


@attrs.frozen(kw_only=True)
class Broken:
    """Something that was acknowledged and does not hold.

    Attributes:
        what: it is.
        acknowledged: when it was.
        refused: when a call was refused for it; None where it was found out afterwards, or by a call that succeeded.
    """

    what: str
    acknowledged: float
    refused: float | None = None


@attrs.define(kw_only=True)
class Live:
    """A session that was not signed out: what it was given last, and when."""

    email: str
    pair: TokenPair
    acknowledged: float


@attrs.define
class Book:
    """What one person after another was told.

    Attributes:
        live: the sessions that go on.
        ended: the sessions that were signed out, by their ids, and when.
        signed_in: the addresses, and when.
        broken: what did not hold already while the load went on.
        stolen: sessions that were called stolen.
        foreign: errors that the contract does not have here.
        calls: how many there were of each kind.
        failures: how many of them found no database.
        longest: seconds that a call took.
        refreshes: when refreshes that had an answer ended, and the seconds that each took.
        good: when each call ended that had an answer.
    """

    live: list[Live] = attrs.field(factory=list)
    ended: dict[str, float] = attrs.field(factory=dict)
    signed_in: dict[str, float] = attrs.field(factory=dict)
    broken: list[Broken] = attrs.field(factory=list)
    stolen: list[str] = attrs.field(factory=list)
    foreign: list[str] = attrs.field(factory=list)
    calls: Counter[str] = attrs.field(factory=Counter)
    failures: int = 0
    longest: float = 0.0
    refreshes: list[tuple[float, float]] = attrs.field(factory=list)
    good: list[float] = attrs.field(factory=list)

    def longest_silence(self, since: float, until: float) -> float:
        """Return the longest time between two answers that overlaps a span of time."""
        pairs = zip(self.good, [*self.good[1:], time.monotonic()], strict=True)
        return max((b - a for a, b in pairs if b > since and a < until), default=0.0)


class Person:
    """One after another, until `stop` is set; what they do, apart from how calls are made.

    Args:
        name: of the load, for the addresses.
        stop: set when no new visit is to begin.
        between: seconds between two calls.
    """

    def __init__(self, name: str, stop: threading.Event, between: float) -> None:
        self.book: Final = Book()
        self._name = name
        self._stop = stop
        self._between = between
        self._end = time.monotonic() + LONGEST

    def live(self) -> Answer:
        """Yield the calls to make and the seconds to wait, and be sent their answers."""
        for number in range(MOST):
            if self._stop.is_set() or time.monotonic() > self._end:
                return
            yield from self._visit(f"{self._name}-{number}@example.com", signs_out=number % 3 == 0)

    def _visit(self, email: str, *, signs_out: bool) -> Answer:
        link, *_ = yield from self._until(Call("request_magic_link", [email]))
        asked = time.monotonic()
        token = link.token.reveal()
        signed_in, failures, refusal = yield from self._until(Call("verify_magic_link", [token]))
        if signed_in is None:
            # Where a call had no answer the link may have been used by it: that is no fault.
            self._note(refusal, asked if failures == 0 else None)
            return
        self.book.signed_in[email] = at = time.monotonic()
        twice, *_ = yield from self._until(Call("verify_magic_link", [token]))
        if twice is not None:
            self.book.broken.append(Broken(what="a link was used twice", acknowledged=at))
            return
        yield from self._stay(Live(email=email, pair=signed_in.tokens, acknowledged=at), signs_out=signs_out)

    def _stay(self, live: Live, *, signs_out: bool) -> Answer:
        for _ in range(4):
            access, refresh = live.pair.access_token.reveal(), live.pair.refresh_token.reveal()
            identity, _, refusal = yield from self._until(Call("authenticate", [access]))
            if identity is None:
                self._note(refusal, live.acknowledged)
                return
            pair, _, refusal = yield from self._until(Call("refresh", [refresh]))
            if pair is None:
                self._note(refusal, live.acknowledged)
                return
            live.pair, live.acknowledged = pair, time.monotonic()
        if not signs_out:
            self.book.live.append(live)
            return
        _, _, refusal = yield from self._until(Call("sign_out", [live.pair.access_token.reveal()]))
        if refusal is not None:
            self._note(refusal, live.acknowledged)
            return
        self.book.ended[live.pair.session_id] = time.monotonic()

    def _note(self, refusal: Exception | None, acknowledged: float | None) -> None:
        if isinstance(refusal, RefreshTokenReusedError):
            self.book.stolen.append(repr(refusal))
        if acknowledged is not None:
            broken = Broken(what=f"refused: {refusal!r}", acknowledged=acknowledged, refused=time.monotonic())
            self.book.broken.append(broken)

    def _until(self, call: Call) -> Answer:
        """Repeat a call while there is no database; return its answer, the failures before, and a refusal."""
        failures = 0
        while True:
            yield self._between
            began = time.monotonic()
            try:
                answer = yield call
            except AuthenticationError as refusal:
                self._count(call, began, good=True)
                return None, failures, refusal
            except Exception as error:
                self._count(call, began, good=False)
                if not isinstance(error, DatabaseUnavailableError):
                    self.book.foreign.append(f"{call.name}: {type(error).__name__} {error}")
                if time.monotonic() > self._end:
                    raise
                failures += 1
                yield AGAIN
            else:
                self._count(call, began, good=True)
                return answer, failures, None

    def _count(self, call: Call, began: float, *, good: bool) -> None:
        now = time.monotonic()
        self.book.calls[call.name] += 1
        self.book.longest = max(self.book.longest, now - began)
        if good:
            self.book.good.append(now)
            if call.name == "refresh":
                self.book.refreshes.append((now, now - began))
        else:
            self.book.failures += 1


class Load:
    """Some people at once, by one route, sync or async, in threads of their own.

    Args:
        name: for the addresses, and the reports.
        url: the route.
        is_async: which twin.
        people: how many at once.
        between: seconds between two calls of one of them.
    """

    def __init__(self, name: str, url: str, *, is_async: bool, people: int = 2, between: float = BETWEEN) -> None:
        self.name = f"{name}-{secrets.token_hex(4)}"
        self._url = url
        self._stop = threading.Event()
        self._people = [Person(f"{self.name}-{number}", self._stop, between) for number in range(people)]
        run = self._run_async if is_async else self._run
        self._thread = threading.Thread(target=run, name=name)

    @property
    def books(self) -> list[Book]:
        """A book for each person."""
        return [person.book for person in self._people]

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def is_going(self) -> bool:
        """Say whether everybody has refreshed once."""
        return all(book.calls["refresh"] for book in self.books)

    def finish(self) -> None:
        """Let no new visit begin, and wait for those that have begun."""
        self._stop.set()
        self._thread.join(LONGEST)
        assert not self._thread.is_alive(), f"{self.name} hangs"

    def _run(self) -> None:
        engine = create_engine(self._url)
        auth = AuthService(engine, CONFIG)

        async def call(asked: Call) -> Any:  # noqa: ANN401 - what the method returns
            return getattr(auth, asked.name)(*asked.arguments)

        async def sleep(seconds: float) -> None:
            time.sleep(seconds)  # noqa: ASYNC251 - a thread without a loop

        with ThreadPoolExecutor(len(self._people)) as pool:
            list(pool.map(lambda person: _finish(_live(person, call, sleep)), self._people))
        engine.dispose()

    def _run_async(self) -> None:
        async def run() -> None:
            engine = create_async_engine(self._url)
            auth = AsyncAuthService(engine, CONFIG)

            async def call(asked: Call) -> Any:  # noqa: ANN401 - what the method returns
                return await getattr(auth, asked.name)(*asked.arguments)

            await asyncio.gather(*(_live(person, call, asyncio.sleep) for person in self._people))
            await engine.dispose()

        asyncio.run(run())


async def _live(
    person: Person, call: Callable[[Call], Awaitable[Any]], sleep: Callable[[float], Awaitable[None]]
) -> None:
    script = person.live()
    answer: Any = None
    with suppress(StopIteration):
        step = next(script)
        while True:
            try:
                answer = await (sleep(step) if isinstance(step, float) else call(step))
            except Exception as error:  # noqa: BLE001 - the person judges it
                step = script.throw(error)
            else:
                step = script.send(answer)


def _finish(coroutine: Coroutine[Any, Any, None]) -> None:
    """Run to its end what waits for nobody."""
    with suppress(StopIteration):
        coroutine.send(None)
