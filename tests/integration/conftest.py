"""What the tests of the service share: one body for both twins, and one database that is emptied for each test."""

import asyncio
import contextlib
import time
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from typing import Any, Final, LiteralString, Protocol, TypeVar, cast

import attrs
import psycopg
import pytest
from argon2 import Parameters, Type
from sqlalchemy import Connection, Engine, orm
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, AsyncSession, async_session
from sqlalchemy.pool import PoolProxiedConnection
from sqlalchemy.util import await_only, greenlet_spawn
from sqlalchemy.util.concurrency import in_greenlet

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.database.line import Line
from pgauthkit.testing import Clock, TestServer
from pgauthkit.values import AuthEvent, SignIn

T = TypeVar("T")
Row = tuple[Any, ...]

CHEAP_ARGON2: Final = Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)
PATIENCE: Final = 60.0  # seconds, before a test that hangs fails


class Host(ABC):
    """A host application: it owns engines, a service on each, and transactions of its own."""

    is_sync: bool

    def __init__(self) -> None:
        self._kept: dict[str, Engine] = {}
        self._made: list[Engine] = []

    def service(self, url: str, config: AuthConfig, **options: Any) -> AuthService:  # noqa: ANN401 - SQLAlchemy's own
        """Return the service on a new engine with these options."""
        return self.service_on(self.engine(url, **options), config)

    def engine(self, url: str, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
        """Return a new engine, which lives as long as the test; an async one by its sync side."""
        self._made.append(self.new_engine(url, **options))
        return self._made[-1]

    def kept_engine(self, url: str) -> Engine:
        """Return an engine that tests share: to connect and to prepare statements would take most of their time."""
        if url not in self._kept:
            self._kept[url] = self.new_engine(url)
        return self._kept[url]

    @abstractmethod
    def new_engine(self, url: str, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
        """Make an engine."""

    @abstractmethod
    def service_on(self, engine: Engine, config: AuthConfig) -> AuthService:
        """Return the service, with every call waited for."""

    @abstractmethod
    def call(self, work: Callable[[], T]) -> T:
        """Do something synchronous with an engine."""

    @abstractmethod
    def in_session(self, engine: Engine, work: Callable[[orm.Session], T]) -> T:
        """Do something in a session, and commit unless it raises."""

    @abstractmethod
    def in_connection(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        """Do something with a connection, and commit unless it raises."""

    def tidy(self) -> None:
        """Dispose of the engines that were made for a test."""
        while self._made:
            self.call(self._made.pop().dispose)

    def renew(self) -> None:
        """Have the engines that are kept connect anew."""
        for engine in self._kept.values():
            self.call(engine.dispose)

    def close(self) -> None:
        """Dispose of all engines."""
        self._made.extend(self._kept.values())
        self.tidy()


class SyncHost(Host):
    """A host without an event loop."""

    is_sync = True

    def new_engine(self, url: str, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
        return create_engine(url, **options)

    def service_on(self, engine: Engine, config: AuthConfig) -> AuthService:
        return AuthService(engine, config)

    def call(self, work: Callable[[], T]) -> T:
        return work()

    def in_session(self, engine: Engine, work: Callable[[orm.Session], T]) -> T:
        with orm.Session(engine) as db:
            result = work(db)
            db.commit()
            return result

    def in_connection(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        with engine.connect() as connection:
            result = work(connection)
            connection.commit()
            return result


class AsyncHost(Host):
    """A host with an event loop."""

    is_sync = False

    def __init__(self) -> None:
        super().__init__()
        self._runner = asyncio.Runner()

    def new_engine(self, url: str, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
        return create_async_engine(url, **options).sync_engine

    def service_on(self, engine: Engine, config: AuthConfig) -> AuthService:
        return cast("AuthService", Waiting(self, AsyncAuthService(AsyncEngine(engine), config)))

    def call(self, work: Callable[[], T]) -> T:
        return self.wait(greenlet_spawn(work))

    def in_session(self, engine: Engine, work: Callable[[orm.Session], T]) -> T:
        async def transaction() -> T:
            async with AsyncSession(AsyncEngine(engine)) as db:
                result = await db.run_sync(work)
                await db.commit()
                return result

        return self.wait(transaction())

    def in_connection(self, engine: Engine, work: Callable[[Connection], T]) -> T:
        async def connected() -> T:
            async with AsyncEngine(engine).connect() as connection:
                result = await connection.run_sync(work)
                await connection.commit()
                return result

        return self.wait(connected())

    def wait(self, awaitable: Awaitable[T]) -> T:
        """Wait: in the loop, where something synchronous of the host runs in it, or else by starting it."""
        if in_greenlet():
            return await_only(awaitable)

        async def awaited() -> T:
            return await awaitable

        return self._runner.run(awaited())

    def close(self) -> None:
        super().close()
        self._runner.close()


class Waiting:
    """`AsyncAuthService` with every call waited for: it takes and returns what `AuthService` does."""

    def __init__(self, host: AsyncHost, service: AsyncAuthService) -> None:
        self._host = host
        self._service = service

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._service, name)
        return lambda *args, **kwargs: self._host.wait(method(*args, **kwargs))

    def within(self, db: orm.Session | Connection) -> "Waiting":
        ours = AsyncConnection(AsyncEngine(db.engine), db) if isinstance(db, Connection) else async_session(db)
        return Waiting(self._host, self._service.within(cast("AsyncSession", ours)))


class Database:
    """A database, and a way to look into it beside the service."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = psycopg.connect(url, autocommit=True)

    def ask(self, question: LiteralString, *values: object) -> list[Row]:
        """Return the rows of a query."""
        return self._connection.execute(question, values).fetchall()

    def tell(self, command: LiteralString, *values: object) -> None:
        """Run a command."""
        self._connection.execute(command, values)

    def contents(self) -> list[list[Row]]:
        """Return every row of every table."""
        return [
            self.ask("SELECT * FROM pgauthkit.users ORDER BY id"),
            self.ask("SELECT * FROM pgauthkit.magic_links ORDER BY id"),
            self.ask("SELECT * FROM pgauthkit.sessions ORDER BY id"),
            self.ask("SELECT * FROM pgauthkit.devices ORDER BY id"),
            self.ask("SELECT * FROM pgauthkit.rate_limits ORDER BY key"),
        ]

    def empty(self) -> None:
        """Delete every row; quicker than TRUNCATE where there are few."""
        self.tell(
            "WITH a AS (DELETE FROM pgauthkit.sessions), b AS (DELETE FROM pgauthkit.magic_links), "
            "c AS (DELETE FROM pgauthkit.users) DELETE FROM pgauthkit.rate_limits"
        )

    def wait_until(self, question: LiteralString, *values: object) -> None:
        """Wait until a query gives a row."""
        deadline = time.monotonic() + PATIENCE
        while not self.ask(question, *values):
            assert time.monotonic() < deadline, question
            time.sleep(0.005)

    def wait_for_lock(self, statements: int = 1) -> None:
        """Wait until so many statements of this database wait for a lock."""
        self.wait_until(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
            "HAVING count(*) >= %s",
            statements,
        )

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


class Configured(Protocol):
    """Gives the twin with another configuration, on the test's engine."""

    def __call__(self, **changes: object) -> AuthService: ...


class SigningIn(Protocol):
    """Signs somebody in by a link."""

    def __call__(self, email: str = "ada@example.com", *, by: AuthService | None = None) -> SignIn: ...


def ask(connection: PoolProxiedConnection, sql: str, **parameters: object) -> Any:  # noqa: ANN401 - what the server says
    """Run a statement as the service does, below SQLAlchemy and psycopg's cursors."""
    line = Line.of(connection)
    return line.wait(line.ask(sql, parameters))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("pg18"):
        metafunc.parametrize("major", [16, 18])


@pytest.fixture
def major() -> int:
    """The version of PostgreSQL; a test with the mark `pg18` is run on 18 as well."""
    return 16


@pytest.fixture(scope="session")
def connect() -> Iterator[Callable[[str], Database]]:
    """Gives a way to look into a database, until the end of the run."""
    with ExitStack() as closing:
        yield lambda url: closing.enter_context(contextlib.closing(Database(url)))


@pytest.fixture(scope="session")
def database_16(pgauthkit_server: TestServer, connect: Callable[[str], Database]) -> Iterator[Database]:
    with pgauthkit_server.database() as url:
        yield connect(url)


@pytest.fixture(scope="session")
def pg18_server() -> Iterator[TestServer]:
    with TestServer(backend="embedded", major=18) as server:
        yield server


@pytest.fixture(scope="session")
def database_18(pg18_server: TestServer, connect: Callable[[str], Database]) -> Iterator[Database]:
    with pg18_server.database() as url:
        yield connect(url)


@pytest.fixture
def database(request: pytest.FixtureRequest, major: int) -> Database:
    """A migrated database without rows: one for all tests, since a new one for each would take most of the time."""
    database: Database = request.getfixturevalue(f"database_{major}")
    database.empty()
    return database


@pytest.fixture
def pgauthkit_url(database: Database) -> str:
    """The plugin's fixtures work on the same database."""
    return database.url


@pytest.fixture
def events() -> list[AuthEvent]:
    """What was told to the observer so far."""
    return []


@pytest.fixture
def pgauthkit_config(pgauthkit_clock: Clock, events: list[AuthEvent]) -> AuthConfig:
    """Defaults but for time, an observer, and codes that are hashed quickly."""
    return AuthConfig(clock=pgauthkit_clock, argon2=CHEAP_ARGON2, observers=(events.append,))


@pytest.fixture(scope="session")
def hosts() -> Iterator[dict[str, Host]]:
    """A host of each kind, for the whole run."""
    hosts = {"sync": SyncHost(), "async": AsyncHost()}
    yield hosts
    for host in hosts.values():
        host.close()


@pytest.fixture(params=["sync", "async"])
def host(request: pytest.FixtureRequest, hosts: dict[str, Host]) -> Iterator[Host]:
    """The host of the sync service, then that of the async one."""
    host = hosts[request.param]
    yield host
    host.tidy()


@pytest.fixture
def cut(hosts: dict[str, Host], database: Database) -> Iterator[Callable[[], None]]:
    """Ends every connection to the database but that of `database`, and waits until they are gone."""

    def cut() -> None:
        others = (
            "FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid() "
            "AND backend_type = 'client backend'"
        )
        assert database.ask(f"SELECT pg_terminate_backend(pid) {others}") != []
        # One that a test before has closed may end by itself between the look and the signal, which is a warning.
        database.wait_until(f"SELECT 1 WHERE NOT EXISTS (SELECT 1 {others})")

    yield cut
    for host in hosts.values():  # the other twin's as well, whose next test may begin with a transaction of its own
        host.renew()


@pytest.fixture
def engine(host: Host, pgauthkit_url: str) -> Engine:
    """The engine of `auth`."""
    return host.kept_engine(pgauthkit_url)


@pytest.fixture
def configured(host: Host, engine: Engine, pgauthkit_config: AuthConfig) -> Configured:
    """Gives the twin with some fields of the configuration changed."""
    return lambda **changes: host.service_on(engine, attrs.evolve(pgauthkit_config, **changes))


@pytest.fixture
def auth(configured: Configured) -> AuthService:
    """The service: sync, then async with every call waited for."""
    return configured()


@pytest.fixture
def sign_in(auth: AuthService) -> SigningIn:
    """Signs somebody in by a link."""

    def sign_in(email: str = "ada@example.com", *, by: AuthService | None = None) -> SignIn:
        service = by or auth
        return service.verify_magic_link(service.request_magic_link(email).token.reveal())

    return sign_in


@pytest.fixture
def background() -> Iterator[ThreadPoolExecutor]:
    """Runs a call beside the test, which waits for it at the end."""
    with ThreadPoolExecutor() as threads:
        yield threads
