"""The pytest plugin: fixtures on a real PostgreSQL, each a thin coat over a class of `pgauthkit.testing`.

Nothing of pgauthkit is imported until a fixture is used.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import Engine, orm
    from sqlalchemy.ext.asyncio import AsyncEngine

    from pgauthkit import AsyncAuthService, AuthConfig, AuthService
    from pgauthkit.testing import Clock, MakeSignIn, MakeUser, Outbox, TestServer


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pgauthkit-url` and `--pgauthkit-major`."""
    group = parser.getgroup("pgauthkit")
    group.addoption("--pgauthkit-url", help="a PostgreSQL that runs already; without it an embedded one is started")
    group.addoption("--pgauthkit-major", type=int, default=16, help="the version of the embedded one  [default: 16]")


@pytest.fixture(scope="session")
def pgauthkit_server(request: pytest.FixtureRequest) -> Iterator[TestServer]:
    """A PostgreSQL server for the whole run: `--pgauthkit-url`, or an embedded one."""
    from pgauthkit.testing import TestServer

    url, major = (request.config.getoption(f"--pgauthkit-{name}") for name in ("url", "major"))
    with TestServer(url, major=major) as server:
        yield server


@pytest.fixture
def pgauthkit_empty_url(pgauthkit_server: TestServer) -> Iterator[str]:
    """The URL of a new database with nothing in it."""
    with pgauthkit_server.database(migrated=False) as url:
        yield url


@pytest.fixture
def pgauthkit_url(pgauthkit_server: TestServer) -> Iterator[str]:
    """The URL of a new database with every migration applied."""
    with pgauthkit_server.database() as url:
        yield url


@pytest.fixture
def pgauthkit_engine(pgauthkit_url: str) -> Iterator[Engine]:
    """An engine on `pgauthkit_url`."""
    from pgauthkit.database import create_engine

    engine = create_engine(pgauthkit_url)
    yield engine
    engine.dispose()


@pytest.fixture
def pgauthkit_async_engine(pgauthkit_url: str) -> Iterator[AsyncEngine]:
    """An async engine on `pgauthkit_url`, for the event loop of the test, whichever plugin runs it."""
    from pgauthkit.database import create_async_engine

    engine = create_async_engine(pgauthkit_url)
    yield engine
    asyncio.run(engine.dispose())


@pytest.fixture
def pgauthkit_session(pgauthkit_engine: Engine) -> Iterator[orm.Session]:
    """A session of SQLAlchemy whose work, commits included, is rolled back after the test."""
    from sqlalchemy import orm

    with pgauthkit_engine.connect() as connection:
        transaction = connection.begin()
        with orm.Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture
def pgauthkit_clock() -> Clock:
    """The clock of `pgauthkit_auth` and `pgauthkit_async_auth`; it stands still until it is told to move."""
    from pgauthkit.testing import Clock

    return Clock()


@pytest.fixture
def pgauthkit_config(pgauthkit_clock: Clock) -> AuthConfig:
    """The configuration of `pgauthkit_auth` and `pgauthkit_async_auth`: override it in a conftest.py."""
    from pgauthkit import AuthConfig

    return AuthConfig(clock=pgauthkit_clock)


@pytest.fixture
def pgauthkit_auth(pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> AuthService:
    """The service on `pgauthkit_engine`."""
    from pgauthkit import AuthService

    return AuthService(pgauthkit_engine, pgauthkit_config)


@pytest.fixture
def pgauthkit_async_auth(pgauthkit_async_engine: AsyncEngine, pgauthkit_config: AuthConfig) -> AsyncAuthService:
    """The async service on `pgauthkit_async_engine`."""
    from pgauthkit import AsyncAuthService

    return AsyncAuthService(pgauthkit_async_engine, pgauthkit_config)


@pytest.fixture
def pgauthkit_make_user(pgauthkit_engine: Engine) -> MakeUser:
    """Makes users in the test's database: `pgauthkit_make_user("ada@example.com", role=UserRole.ADMIN)`."""
    from pgauthkit.testing import MakeUser

    return MakeUser(pgauthkit_engine)


@pytest.fixture
def pgauthkit_sign_in(pgauthkit_auth: AuthService, pgauthkit_make_user: MakeUser) -> MakeSignIn:
    """Signs somebody in, without a mail: `pgauthkit_sign_in("ada@example.com").tokens.access_token.reveal()`."""
    from pgauthkit.testing import MakeSignIn

    return MakeSignIn(pgauthkit_auth, pgauthkit_make_user)


@pytest.fixture
def pgauthkit_outbox() -> Outbox:
    """A mailer that keeps what is sent; give it to the application in place of its own."""
    from pgauthkit.testing import Outbox

    return Outbox()
