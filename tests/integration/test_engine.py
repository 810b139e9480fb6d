"""Engines: from a URL or from the environment, with defaults for a service."""

import asyncio
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, NullPool, QueuePool, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.errors import ConfigError

if TYPE_CHECKING:
    from tests.integration.conftest import Database

PLACE = "app:do-not-print-me@db.example:6432/app?application_name=shop"
Make = Callable[..., Engine | AsyncEngine]


@pytest.fixture(params=[create_engine, create_async_engine])
def make(request: pytest.FixtureRequest) -> Make:
    """Makes a sync engine, then an async one."""
    made: Make = request.param
    return made


def pool_of(engine: Engine) -> QueuePool:
    assert isinstance(engine.pool, QueuePool)
    return engine.pool


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg_async"])
def test_ways_to_write_it(make: Make, scheme: str) -> None:
    """However the URL begins, it means PostgreSQL through psycopg 3."""
    engine = make(f"{scheme}://{PLACE}")
    assert make_url(f"postgresql+psycopg://{PLACE}") == engine.url
    assert engine.dialect.driver == "psycopg"
    assert isinstance(engine, AsyncEngine) is engine.dialect.is_async


def test_a_url_of_sqlalchemy(make: Make) -> None:
    """A URL that was read already will do."""
    assert make_url(f"postgresql+psycopg://{PLACE}") == make(make_url(f"postgresql://{PLACE}")).url


def test_from_the_environment(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a URL that of DATABASE_URL is taken, and one that is given is stronger."""
    monkeypatch.setenv("DATABASE_URL", f"postgres://{PLACE}")
    assert make_url(f"postgresql+psycopg://{PLACE}") == make().url
    assert make("postgresql://elsewhere/app").url.host == "elsewhere"


@pytest.mark.parametrize("value", [None, ""])
def test_from_nowhere(make: Make, monkeypatch: pytest.MonkeyPatch, value: str | None) -> None:
    """Without a URL and without DATABASE_URL there is no engine."""
    monkeypatch.delenv("DATABASE_URL", raising=False)
    if value is not None:
        monkeypatch.setenv("DATABASE_URL", value)
    with pytest.raises(ConfigError, match="none was given, and the environment has no DATABASE_URL"):
        make(value)


@pytest.mark.parametrize(
    "url", ["sqlite://", "mysql://app@db.example/app", "postgresql+psycopg2://db.example/app", "https://db.example"]
)
def test_another_database(make: Make, url: str) -> None:
    """Another scheme is refused, by its name."""
    with pytest.raises(ConfigError, match=r"must begin with postgresql://, not ") as caught:
        make(url)
    assert url.partition(":")[0] in str(caught.value)


@pytest.mark.parametrize("url", ["do-not-print-me", "postgresql://app:do-not-print-me@db.example:port/app", "://"])
def test_unreadable(make: Make, url: str) -> None:
    """What is no URL is refused, and not repeated, as there may be a password in it."""
    with pytest.raises(ConfigError, match="cannot be read") as caught:
        make(url)
    assert "do-not-print-me" not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__


def test_defaults_reach_the_server(database: "Database") -> None:
    """The application has a name, the driver waits at most ten seconds for a connection, and dead peers are noticed."""
    engine = create_engine(database.url)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SHOW application_name")) == "pgauthkit"
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
    assert {"keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3"}.items() <= parameters.items()
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("10", "30000")
    assert pool_of(engine)._recycle == 1800
    engine.dispose()


def test_parameters_are_not_logged(database: "Database", caplog: pytest.LogCaptureFixture) -> None:
    """With `echo=True` the log has statements, and no values, in errors neither."""
    engine = create_engine(database.url, echo=True)
    with engine.connect() as connection:
        connection.execute(sa.text("SELECT :value"), {"value": "do-not-print-me"})
        with pytest.raises(sa.exc.DataError) as caught:
            connection.execute(sa.text("SELECT CAST(:value AS int) / 0"), {"value": 4321})
    engine.dispose()
    assert "SELECT" in caplog.text
    assert "do-not-print-me" not in caplog.text
    assert "4321" not in f"{caught.value}{caplog.text}"


def test_options_are_passed_on_and_are_stronger(database: "Database") -> None:
    """What the host says of the pool and the connection counts, and the other defaults stay."""
    options: dict[str, Any] = {"pool_size": 3, "pool_recycle": 60, "hide_parameters": False}
    engine = create_engine(database.url, connect_args={"application_name": "shop", "connect_timeout": "3"}, **options)
    assert (pool_of(engine).size(), pool_of(engine)._recycle, engine.hide_parameters) == (3, 60, False)
    with engine.connect() as connection:
        assert connection.scalar(sa.text("SHOW application_name")) == "shop"
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
    assert (parameters["connect_timeout"], parameters["keepalives_idle"]) == ("3", "30")
    engine.dispose()


def test_the_hosts_dictionaries_stay_as_they_are() -> None:
    """Options are read, not changed."""
    connect_args = {"connect_timeout": "3"}
    create_engine("postgresql://db.example/app", connect_args=connect_args, poolclass=NullPool)
    assert connect_args == {"connect_timeout": "3"}


def test_async(database: "Database") -> None:
    """An async engine has the same defaults."""

    async def main() -> str | None:
        engine = create_async_engine(database.url)
        async with engine.connect() as connection:
            name = await connection.scalar(sa.text("SHOW application_name"))
        await engine.dispose()
        return str(name)

    assert asyncio.run(main()) == "pgauthkit"
