"""The pytest plugin: fixtures on a real PostgreSQL, each a thin coat over a class of `pgauthkit.testing`.

Nothing of pgauthkit is imported until a fixture is used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, cast

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from sqlalchemy import Engine, orm
    from sqlalchemy.ext.asyncio import AsyncEngine

    from pgauthkit import AsyncAuthService, AuthConfig, AuthService
    from pgauthkit.database.embedded import EmbeddedPostgres
    from pgauthkit.testing import Clock, MakeSignIn, MakeUser, Outbox, Replica, TestServer
    from pgauthkit.testing.backends import BackendName
    from pgauthkit.testing.desk import Ticket


_DESK: Final = pytest.StashKey[Any]()
_SETTINGS: Final = {
    "backend": ("auto, url, container or embedded", "auto"),
    "url": ("a PostgreSQL that runs already, whose role may create databases", ""),
    "major": ("the version of the embedded server", "16"),
    "image": ("the image of the container", "postgres:16"),
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add `--pgauthkit-backend`, `-url`, `-major` and `-image`, and the same as settings (`pgauthkit_backend`, …)."""
    group = parser.getgroup("pgauthkit")
    for name, (text, default) in _SETTINGS.items():
        group.addoption(f"--pgauthkit-{name}", help=f"{text}  [default: {default or 'none'}]")
        parser.addini(f"pgauthkit_{name}", help=text, default=default)
    parser.addini(
        "pgauthkit_host_migrations", type="bool", default=True, help="whether the template has the project's migrations"
    )


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401 - of pytest-xdist, which may not be installed
    """Tell a worker of pytest-xdist where to ask for the server of the run."""
    from pgauthkit.testing.desk import Desk

    config: pytest.Config = node.config
    if _DESK not in config.stash:
        config.stash[_DESK] = Desk(lambda: _make_server(config))
    node.workerinput["pgauthkit"] = config.stash[_DESK].ticket


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server that the workers shared."""
    if desk := config.stash.get(_DESK, None):
        desk.close()


@pytest.fixture(scope="session")
def pgauthkit_server(pytestconfig: pytest.Config) -> Iterator[TestServer]:
    """A PostgreSQL server for the whole run: that of `--pgauthkit-url`, a container, or an embedded one."""
    ticket: Ticket | None = getattr(pytestconfig, "workerinput", {}).get("pgauthkit")
    with _join_server(ticket) if ticket else _make_server(pytestconfig) as server:
        yield server


def _join_server(ticket: Ticket) -> TestServer:
    from pgauthkit.testing.shared import SharedServer

    return SharedServer(ticket)


def _make_server(config: pytest.Config) -> TestServer:
    from pgauthkit.testing import TestServer

    settings, url = _read_settings(config)
    return TestServer(
        url,
        backend=cast("BackendName", settings["backend"]),
        major=_major(settings),
        image=settings["image"],
        project=_project(config),
    )


def _major(settings: Mapping[str, str]) -> int:
    if not settings["major"].isdecimal():
        raise pytest.UsageError(f"pgauthkit_major must be a number, not {settings['major']}.")
    return int(settings["major"])


def _project(config: pytest.Config) -> Path | None:
    return config.rootpath if config.getini("pgauthkit_host_migrations") else None


def _read_settings(config: pytest.Config) -> tuple[dict[str, str], str | None]:
    given = {name: str(config.getoption(f"--pgauthkit-{name}") or "") for name in _SETTINGS}
    settings = {name: value or str(config.getini(f"pgauthkit_{name}")) for name, value in given.items()}
    if given["url"] and not given["backend"]:
        settings["backend"] = "url"  # the command line goes before a file
    wanted = given["url"] or settings["backend"] in {"auto", "url"}
    return settings, settings["url"] if wanted and settings["url"] else None


@pytest.fixture
def pgauthkit_empty_url(pgauthkit_server: TestServer) -> Iterator[str]:
    """The URL of a new database with nothing in it."""
    with pgauthkit_server.database(migrated=False) as url:
        yield url


@pytest.fixture
def pgauthkit_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a new database with every migration applied; with a replica, where the test asks for that."""
    followed = "pgauthkit_replica" in request.fixturenames
    server: TestServer = request.getfixturevalue("pgauthkit_followed_server" if followed else "pgauthkit_server")
    with server.database() as url:
        yield url


@pytest.fixture(scope="session")
def pgauthkit_pair(pytestconfig: pytest.Config) -> Iterator[EmbeddedPostgres]:
    """An embedded server with a replica, whatever the backend is, started for the first test that asks for one."""
    from pgauthkit.database.embedded import EmbeddedPostgres

    with EmbeddedPostgres(major=_major(_read_settings(pytestconfig)[0]), replica=True) as server:
        yield server


@pytest.fixture(scope="session")
def pgauthkit_followed_server(pgauthkit_pair: EmbeddedPostgres, pytestconfig: pytest.Config) -> Iterator[TestServer]:
    """The server of tests with a replica: the first of `pgauthkit_pair`."""
    from pgauthkit.testing import TestServer

    with TestServer(pgauthkit_pair.url(), backend="url", project=_project(pytestconfig)) as server:
        yield server


@pytest.fixture
def pgauthkit_replica(pgauthkit_url: str, pgauthkit_pair: EmbeddedPostgres) -> Iterator[Replica]:
    """A `Replica` of the database of `pgauthkit_url`: `catch_up`, `pause`, `resume`, `engine`."""
    from sqlalchemy import make_url

    from pgauthkit.database import create_engine
    from pgauthkit.testing import Replica

    url = pgauthkit_pair.replica.url(str(make_url(pgauthkit_url).database))
    engine = create_engine(url)
    replica = Replica(engine=engine, url=url, primary=pgauthkit_url)
    yield replica.catch_up(timeout=60.0)  # a database that is new to it, on a machine that is busy with tests
    engine.dispose()
    replica.resume()


@pytest.fixture
def pgauthkit_replica_engine(pgauthkit_replica: Replica) -> Engine:
    """An engine on `pgauthkit_replica`."""
    return pgauthkit_replica.engine


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
    import asyncio

    from pgauthkit.database import create_async_engine

    engine = create_async_engine(pgauthkit_url)
    yield engine
    # In a loop that never is the current one: the plugins that run the tests have theirs.
    with asyncio.Runner(loop_factory=asyncio.new_event_loop) as runner:
        runner.run(engine.dispose())


@pytest.fixture(scope="session")
def pgauthkit_shared_engine(pgauthkit_server: TestServer) -> Iterator[Engine]:
    """An engine on one migrated database for all tests of this process; its users must not commit."""
    from pgauthkit.database import create_engine

    with pgauthkit_server.database() as url:
        engine = create_engine(url)
        yield engine
        engine.dispose()


@pytest.fixture
def pgauthkit_session(request: pytest.FixtureRequest) -> Iterator[orm.Session]:
    """A session of SQLAlchemy whose work, commits included, is rolled back after the test.

    Where the test uses `pgauthkit_url` as well, or what stands on it, the session is on that database; else it is on
    one that all tests share, which spares the test a database.
    """
    from sqlalchemy import orm

    own = "pgauthkit_url" in request.fixturenames
    engine: Engine = request.getfixturevalue("pgauthkit_engine" if own else "pgauthkit_shared_engine")
    with engine.connect() as connection:
        transaction = connection.begin()
        with orm.Session(connection, join_transaction_mode="create_savepoint") as session:
            yield session
        transaction.rollback()


@pytest.fixture
def pgauthkit_clock() -> Clock:
    """The clock of `pgauthkit_auth` and `pgauthkit_async_auth`; it stands still until it is moved."""
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
    """Signs a user in, without a mail: `pgauthkit_sign_in("ada@example.com").tokens.access_token.reveal()`."""
    from pgauthkit.testing import MakeSignIn

    return MakeSignIn(pgauthkit_auth, pgauthkit_make_user)


@pytest.fixture
def pgauthkit_outbox() -> Outbox:
    """A mailer that keeps what is sent; give it to the application in place of its own."""
    from pgauthkit.testing import Outbox

    return Outbox()
