"""One service for each twin, on one database that every test finds empty; and how long hypothesis tries."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any, Final, TypeVar, cast

import psycopg
import pytest
from argon2 import Parameters, Type
from hypothesis import settings
from sqlalchemy.pool import ConnectionPoolEntry

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.testing import Clock, TestServer

T = TypeVar("T")
Query = Callable[..., list[tuple[Any, ...]]]
MakeAuth = Callable[..., AuthService]

CHEAP_ARGON2: Final = Parameters(
    type=Type.ID, version=19, salt_len=16, hash_len=16, time_cost=1, memory_cost=8, parallelism=1
)

# Known where this folder is named on the command line: pytest tests/security --hypothesis-profile=fuzz
settings.register_profile("fuzz", settings.get_profile("default"), max_examples=10_000)


class Awaited:
    """The async service with each call waited for, so that one test serves both twins."""

    def __init__(self, service: AsyncAuthService, runner: asyncio.Runner) -> None:
        self._service = service
        self._runner = runner

    def __getattr__(self, name: str) -> Callable[..., object]:
        method = getattr(self._service, name)
        return lambda *args, **kwargs: self._runner.run(method(*args, **kwargs))


@pytest.fixture(scope="session")
def database(pgauthkit_server: TestServer) -> Iterator[str]:
    with pgauthkit_server.database() as url:
        yield url


@pytest.fixture
def empty(database: str) -> Iterator[Callable[[], None]]:
    """Deletes every row: making a database for each test would take longer than the tests."""
    with psycopg.connect(database, autocommit=True) as connection:

        def delete() -> None:
            connection.execute(
                "WITH a AS (DELETE FROM pgauthkit.sessions), b AS (DELETE FROM pgauthkit.magic_links), "
                "c AS (DELETE FROM pgauthkit.users) DELETE FROM pgauthkit.rate_limits"
            )

        yield delete


@pytest.fixture
def pgauthkit_url(database: str, empty: Callable[[], None]) -> str:
    empty()
    return database


@pytest.fixture
def query(pgauthkit_url: str) -> Iterator[Query]:
    """Asks the database itself."""
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:

        def ask(statement: str, **parameters: object) -> list[tuple[Any, ...]]:
            cursor = connection.execute(statement.encode(), parameters)
            return cursor.fetchall() if cursor.description else []

        yield ask


@pytest.fixture
def config(pgauthkit_clock: Clock) -> AuthConfig:
    """A clock that stands still, no limits, and codes that are hashed quickly."""
    return AuthConfig(clock=pgauthkit_clock, rate_limits=None, codes=True, argon2=CHEAP_ARGON2)


@pytest.fixture(params=["sync", "async"])
def make_auth(request: pytest.FixtureRequest, pgauthkit_url: str) -> Iterator[MakeAuth]:
    """Makes services, each on an engine of its own: those of the sync twin, then those of the async one."""
    with ExitStack() as closing:
        runner = closing.enter_context(asyncio.Runner())

        def of_sync(config: AuthConfig, *, url: str = pgauthkit_url, **options: Any) -> AuthService:  # noqa: ANN401
            engine = create_engine(url, **options)
            closing.callback(engine.dispose)
            return AuthService(engine, config)

        def of_async(config: AuthConfig, *, url: str = pgauthkit_url, **options: Any) -> AuthService:  # noqa: ANN401
            engine = create_async_engine(url, **options)
            closing.callback(lambda: runner.run(engine.dispose()))
            return cast("AuthService", Awaited(AsyncAuthService(engine, config), runner))

        yield of_sync if request.param == "sync" else of_async


@pytest.fixture
def auth(make_auth: MakeAuth, config: AuthConfig) -> AuthService:
    return make_auth(config)


@pytest.fixture
def server_log() -> list[str]:
    """What the server writes to its log: each statement, with the values of its parameters."""
    return []


@pytest.fixture
def listening(server_log: list[str]) -> dict[str, Any]:
    """Options of an engine whose connections are told what the server logs of them."""

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        server_log.append(f"{diagnostic.message_primary}\n{diagnostic.message_detail}")

    def connected(_connection: object, record: ConnectionPoolEntry) -> None:
        cast("psycopg.Connection", record.driver_connection).add_notice_handler(note)

    return {
        "connect_args": {"options": "-c log_statement=all -c client_min_messages=log"},
        "pool_events": [(connected, "connect")],
    }
