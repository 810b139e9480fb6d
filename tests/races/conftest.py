"""Racers: the same calls at once, by threads on the sync service and by tasks on the async one."""

import asyncio
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Callable, Coroutine, Generator, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack, contextmanager
from functools import cache
from typing import Any, Final, TypeVar, cast

import psycopg
import pytest
from argon2 import Parameters, Type
from psycopg import sql

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.testing import TestServer

T = TypeVar("T")
# What a racer does. In the async twin it is given the async service, and what it returns is awaited.
Call = Callable[[AuthService], T]
Query = Callable[..., list[tuple[Any, ...]]]
Held = Callable[..., AbstractContextManager[Callable[[int], None]]]

ROUNDS: Final = 50
MOST_RACERS: Final = 50
PATIENCE: Final = 60.0  # seconds, before a test that hangs fails
WAITING: Final = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
CHEAP_ARGON2: Final = Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rounds", type=int, help=f"how often a race is run at each level; {ROUNDS} at the least")


class Host(ABC):
    """One process of a host: a service with an engine of its own."""

    auth: AuthService

    @abstractmethod
    def start(self, calls: Sequence[Call[Any]]) -> list[Future[Any]]:
        """Start all calls at once, and return without waiting for them."""

    @abstractmethod
    def close(self) -> None:
        """Give every connection back."""

    def race(self, calls: Sequence[Call[Any]]) -> list[object]:
        """Start all calls at once, and return what each returned or raised."""
        return self.outcomes(self.start(calls))

    @staticmethod
    def outcomes(started: Sequence[Future[Any]]) -> list[object]:
        """Return what each call returned or raised."""
        return [future.exception(PATIENCE) or future.result() for future in started]


MakeHost = Callable[[AuthConfig], Host]


class Threads(Host):
    """The sync service, raced by threads."""

    def __init__(self, url: str, config: AuthConfig, pool: ThreadPoolExecutor) -> None:
        self._engine = create_engine(url, pool_size=MOST_RACERS, call_timeout=0)
        self._pool = pool
        self.auth = AuthService(self._engine, config)

    def start(self, calls: Sequence[Call[Any]]) -> list[Future[Any]]:
        barrier = threading.Barrier(len(calls))
        return [self._pool.submit(self._run, barrier, call) for call in calls]

    def _run(self, barrier: threading.Barrier, call: Call[T]) -> T:
        barrier.wait(PATIENCE)
        return call(self.auth)

    def close(self) -> None:
        self._engine.dispose()


class Tasks(Host):
    """The async service, raced by tasks of one event loop."""

    def __init__(self, url: str, config: AuthConfig, loop: asyncio.AbstractEventLoop) -> None:
        self._engine = create_async_engine(url, pool_size=MOST_RACERS, call_timeout=0)
        self._loop = loop
        self._service = AsyncAuthService(self._engine, config)
        self.auth = cast("AuthService", Awaited(self._service, self._wait))

    def start(self, calls: Sequence[Call[Any]]) -> list[Future[Any]]:
        service = cast("AuthService", self._service)
        return [asyncio.run_coroutine_threadsafe(call(service), self._loop) for call in calls]

    def _wait(self, coroutine: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(PATIENCE)

    def close(self) -> None:
        self._wait(self._engine.dispose())


class Awaited:
    """The async service with each call waited for, so that one test serves both twins."""

    def __init__(self, service: AsyncAuthService, wait: Callable[[Coroutine[Any, Any, object]], object]) -> None:
        self._service = service
        self._wait = wait

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._service, name)
        return lambda *args, **kwargs: self._wait(method(*args, **kwargs))


@pytest.fixture(scope="session")
def database(pgauthkit_server: TestServer) -> Iterator[Callable[[str], str]]:
    """Gives the URL of the database whose transactions are all at one level; an engine's own has no effect here."""
    with ExitStack() as databases:

        @cache
        def at(level: str) -> str:
            url = databases.enter_context(pgauthkit_server.database())
            with psycopg.connect(url, autocommit=True) as connection:
                name = sql.Identifier(connection.info.dbname)
                command = sql.SQL("ALTER DATABASE {} SET default_transaction_isolation TO {}")
                connection.execute(command.format(name, sql.Literal(level)))
            return url

        yield at


@pytest.fixture
def isolation() -> str:
    """The level of the test, unless it is run at each."""
    return "read committed"


@pytest.fixture
def pgauthkit_url(database: Callable[[str], str], isolation: str) -> str:
    """An emptied database: making one for each test would take longer than the races."""
    url = database(isolation)
    with psycopg.connect(url, autocommit=True) as connection:
        for table in ("sessions", "magic_links", "users", "rate_limits"):
            connection.execute(sql.SQL("DELETE FROM pgauthkit.{}").format(sql.Identifier(table)))
    return url


@pytest.fixture(scope="session")
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2 * MOST_RACERS) as executor:
        yield executor


@pytest.fixture(scope="session")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    running = asyncio.new_event_loop()
    thread = threading.Thread(target=running.run_forever)
    thread.start()
    yield running
    running.call_soon_threadsafe(running.stop)
    thread.join()
    running.close()


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nobody of a crowd give up for want of time, which is of the machine: 50 who conflict take seconds."""
    monkeypatch.setattr("pgauthkit.database.runner.RETRY_FOR", PATIENCE)


@pytest.fixture(params=["threads", "tasks"])
def make_host(
    request: pytest.FixtureRequest, pgauthkit_url: str, pool: ThreadPoolExecutor, loop: asyncio.AbstractEventLoop
) -> Iterator[MakeHost]:
    """Makes hosts on one database: those of the sync service, then those of the async one."""
    with ExitStack() as hosts:

        def make(config: AuthConfig) -> Host:
            host: Host
            if request.param == "threads":
                host = Threads(pgauthkit_url, config, pool)
            else:
                host = Tasks(pgauthkit_url, config, loop)
            hosts.callback(host.close)
            return host

        yield make


@pytest.fixture
def config() -> AuthConfig:
    """No limits, database time, and codes that are hashed quickly."""
    return AuthConfig(rate_limits=None, codes=True, argon2=CHEAP_ARGON2)


@pytest.fixture
def host(make_host: MakeHost, config: AuthConfig) -> Host:
    return make_host(config)


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    # Known only where this folder is named on the command line.
    return max(ROUNDS, int(request.config.getoption("--rounds", None) or 0))


@pytest.fixture
def query(pgauthkit_url: str) -> Iterator[Query]:
    """Asks the database itself."""
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:

        def ask(statement: str, **parameters: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

        yield ask


@pytest.fixture
def in_queue(query: Query) -> Callable[[int], None]:
    """Waits until so many statements wait for a lock."""

    def wait_for(count: int) -> None:
        deadline = time.monotonic() + PATIENCE
        while (waiting := query(WAITING)) < [(count,)]:
            assert time.monotonic() < deadline, f"{waiting} of {count} wait"

    return wait_for


@pytest.fixture
def held(pgauthkit_url: str, in_queue: Callable[[int], None]) -> Held:
    """Holds what a statement locks, and rolls it back; gives a way to wait until so many stand in the queue."""

    @contextmanager
    def hold(statement: str, **parameters: object) -> Generator[Callable[[int], None]]:
        with psycopg.connect(pgauthkit_url) as connection:
            connection.execute(statement.encode(), parameters)
            yield in_queue
            connection.rollback()

    return hold
