"""Engines: from a URL or from the environment, with defaults for a service."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, NullPool, QueuePool, make_url
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.database.deadline import call_timeout_of
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import ConfigError, DatabaseUnavailableError

if TYPE_CHECKING:
    from tests.integration.conftest import Database, Host

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


def test_the_url_is_stronger_than_a_default(database: "Database") -> None:
    """What the URL says of the connection counts, also where the engine has a default for it; texts stay UTF-8."""
    said = {"connect_timeout": "3", "tcp_user_timeout": "9000", "client_encoding": "latin1"}
    engine = create_engine(sa.make_url(database.url).update_query_dict(said))
    with engine.connect() as connection:
        driver: Any = connection.connection.driver_connection
        parameters = driver.info.get_parameters()
    assert (parameters["connect_timeout"], parameters["tcp_user_timeout"]) == ("3", "9000")
    assert (parameters["keepalives_idle"], driver.info.encoding) == ("30", "utf-8")
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


def test_the_pool_by_the_url(make: Make) -> None:
    """The URL may size the pool; arguments are stronger, and the driver gets none of it."""
    words = "pool_size=3&max_overflow=0&pool_timeout=2.5&pool_recycle=60"
    engine = make(f"postgresql://{PLACE}&{words}", max_overflow=2)
    pool = pool_of(engine.sync_engine if isinstance(engine, AsyncEngine) else engine)
    assert (pool.size(), pool._max_overflow, pool._timeout, pool._recycle) == (3, 2, 2.5, 60)
    assert engine.url.query == {"application_name": "shop"}


def test_a_pool_that_is_none() -> None:
    """Where there is no pool, what the URL says of it is passed over."""
    assert isinstance(create_engine(f"postgresql://{PLACE}&pool_size=3", poolclass=NullPool).pool, NullPool)


def test_mistakes_in_the_url(make: Make) -> None:
    """What makes no sense is told all at once."""
    with pytest.raises(ConfigError) as caught:
        make(f"postgresql://{PLACE}&pool_size=many&pool_timeout=-1&pgbouncer=perhaps&statement_timeout=soon")
    assert caught.value.problems == (
        "url: its pool_size must be a whole number.",
        "url: its pool_timeout must be a number of seconds.",
        "url: its pgbouncer must be true or false.",
        "url: its statement_timeout must be a number of seconds.",
    )


def test_settings_that_libpq_does_not_know(make: Make) -> None:
    """Settings of nobody's, or of Prisma's, are refused by name, with what to write instead."""
    with pytest.raises(ConfigError) as caught:
        make(f"postgresql://{PLACE}&schema=public&connection_limit=5&colour=red&sslmode=prefer&application_name=a@b")
    assert caught.value.problems == (
        "url: libpq knows no setting colour.",
        "url: libpq knows no setting connection_limit. It is Prisma's; here it is pool_size.",
        "url: libpq knows no setting schema. Leave it out: models name their schema.",
    )


def test_a_value_that_libpq_does_not_know() -> None:
    """A setting with a value of nobody's is told as such, and not as a server that is not there."""
    engine = create_engine("postgresql://app@127.0.0.1:1/app?sslmode=bogus")
    with pytest.raises(DatabaseUnavailableError) as caught:
        AuthService(engine).list_sessions("nobody")
    (hint,) = caught.value.hints
    assert "has a value that libpq does not know" in hint


@pytest.mark.parametrize("password", ["one@two", "one@two/three#four", "one@two?three", "one@two:3", "a/one@two"])
def test_a_password_that_is_not_encoded(make: Make, password: str) -> None:
    """A password with an @ is refused, and no part of it shown as a host."""
    with pytest.raises(ConfigError, match="In a password @ is written %40") as caught:
        make(f"postgresql://app:{password}@127.0.0.1:5432/app?sslmode=prefer")
    assert not any(part in str(caught.value) for part in ("one", "two"))


@pytest.mark.parametrize(
    ("url", "hosts"),
    [
        ("postgresql://app:s%2Cx@one:5432,two:5433/app", ("one:5432", "two:5433")),
        ("postgres://one,two/app?target_session_attrs=read-write", ("one", "two")),
        ("postgresql://app:a,b@one/app", None),
        ("postgresql://app@one/app?options=-c%20search_path=a,b", None),
    ],
)
def test_several_hosts(make: Make, url: str, hosts: tuple[str, ...] | None) -> None:
    """Several hosts may be written as libpq has it; a comma elsewhere stays what it is."""
    engine = make(url)
    assert engine.url.query.get("host") == hosts
    assert engine.url.host == (None if hosts else "one")
    assert engine.url.database == "app"


def test_the_host_that_takes_writes() -> None:
    """Of several hosts the first that answers, and that is what is asked for, is taken."""
    with EmbeddedPostgres(tcp=True) as server:
        url = make_url(server.url())
        place = f"postgresql://postgres:{url.password}@127.0.0.1:1,127.0.0.1:{url.port}/postgres"
        engine = create_engine(f"{place}?target_session_attrs=read-write")
        with engine.connect() as connection:
            assert connection.scalar(sa.text("SHOW port")) == str(url.port)
        engine.dispose()


def show(host: "Host", engine: Engine, *, level: str | None = None) -> str:
    """Return the statement_timeout of a transaction, or of a statement in autocommit."""

    def ask(connection: sa.Connection) -> str:
        if level:
            connection.execution_options(isolation_level=level)
        return str(connection.scalar(sa.text("SHOW statement_timeout")))

    return host.in_connection(engine, ask)


def test_a_call_timeout(make: Make) -> None:
    """By the URL, or in the code, which is stronger; half a minute where nothing is said, and 0 for no end."""
    for options, expected in (({}, 2.5), ({"call_timeout": 4}, 4.0), ({"call_timeout": 0}, 0.0)):
        engine = make(f"postgresql://{PLACE}&call_timeout=2.5", **options)
        assert call_timeout_of(engine if isinstance(engine, Engine) else engine.sync_engine) == expected
        assert "call_timeout" not in engine.url.query
    assert call_timeout_of(create_engine(f"postgresql://{PLACE}")) == 30.0


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_call_timeout_that_is_none(make: Make, seconds: float) -> None:
    """What is no number of seconds is refused."""
    with pytest.raises(ConfigError, match="call_timeout: it must be a number of seconds, or 0 for no limit"):
        make(f"postgresql://{PLACE}", call_timeout=seconds)


def test_a_statement_timeout(host: "Host", database: "Database") -> None:
    """Every statement of the engine's is bounded, in a transaction or not, beside options of the host's."""
    engine = host.engine(
        f"{database.url}&statement_timeout=9",
        statement_timeout=timedelta(seconds=2.5),
        connect_args={"options": "-c lock_timeout=4s"},
    )
    assert show(host, engine) == "2500ms"
    assert show(host, engine, level="AUTOCOMMIT") == "2500ms"
    lock = host.in_connection(engine, lambda connection: connection.scalar(sa.text("SHOW lock_timeout")))
    assert lock == "4s"


def test_a_statement_timeout_by_the_url(host: "Host", database: "Database") -> None:
    """The URL may say it, in seconds, beside other options."""
    engine = host.engine(f"{database.url}&statement_timeout=1.5&options=-c%20lock_timeout%3D4s")
    assert show(host, engine) == "1500ms"


def test_a_statement_timeout_that_survives_a_pooler(host: "Host", database: "Database") -> None:
    """With `pgbouncer=True` it is a matter of each transaction, and nothing of it is left in the session."""
    engine = host.engine(database.url, pgbouncer=True, statement_timeout=timedelta(seconds=2.5))
    assert show(host, engine) == "2500ms"
    assert show(host, engine, level="AUTOCOMMIT") == "0"


def test_nothing_is_prepared_behind_a_pooler(host: "Host", database: "Database", pgauthkit_config: AuthConfig) -> None:
    """With `pgbouncer=True` neither the service nor the host leaves a statement on the server."""
    count = sa.text("SELECT count(*) FROM pg_prepared_statements")
    for url, options, prepared in (
        (database.url, {"pgbouncer": True}, False),
        (f"{database.url}&pgbouncer=true", {}, False),
        (f"{database.url}&pgbouncer=true", {"pgbouncer": False}, True),
        (database.url, {}, True),
    ):
        engine = host.engine(url, pool_size=1, max_overflow=0, **options)
        auth = host.service_on(engine, pgauthkit_config)
        for _ in range(3):
            auth.list_sessions("nobody")
        found = host.in_connection(engine, lambda connection: [connection.scalar(count) for _ in range(8)][-1])
        assert bool(found) is prepared


@pytest.mark.parametrize("where", ["argument", "url"])
def test_options_of_a_session_behind_a_pooler(make: Make, where: str) -> None:
    """PgBouncer refuses or forgets them, so they are refused here, with what to do."""
    asked = "-c search_path=shop"
    url = f"postgresql://{PLACE}" + (f"&options={quote(asked)}" if where == "url" else "")
    connect_args = {"options": asked} if where == "argument" else {}
    with pytest.raises(ConfigError, match="ALTER ROLE"):
        make(url, pgbouncer=True, connect_args=connect_args)


def test_no_time_at_all(make: Make) -> None:
    """A timeout of zero would mean none to the server."""
    with pytest.raises(ConfigError, match="statement_timeout: it must be a millisecond or more"):
        make(f"postgresql://{PLACE}", statement_timeout=timedelta(0))


def test_a_server_that_takes_no_writes_is_left(
    host: "Host", database: "Database", pgauthkit_config: AuthConfig
) -> None:
    """After a failover the connections to what is now a standby are not used again."""
    engine = host.engine(database.url, connect_args={"options": "-c default_transaction_read_only=on"})
    auth = host.service_on(engine, pgauthkit_config)
    backend = sa.text("SELECT pg_backend_pid()")
    before = host.in_connection(engine, lambda connection: connection.scalar(backend))
    with pytest.raises(DatabaseUnavailableError, match="read-only standby"):
        auth.request_magic_link("ada@example.com")
    assert before != host.in_connection(engine, lambda connection: connection.scalar(backend))
