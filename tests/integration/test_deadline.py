"""`call_timeout`: a call ends, whatever server, network or pool do, and the pool works again afterwards."""

import os
import select
import signal
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Engine, NullPool

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database.deadline import (
    READ,
    WRITE,
    CallTimeoutError,
    call_timeout_of,
    limit_calls,
    wait_in_thread,
    watch,
)
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import DatabaseUnavailableError, RetryableError
from pgauthkit.ops.migrate import deploy

if TYPE_CHECKING:
    from sqlalchemy.pool import PoolProxiedConnection
    from tests.integration.conftest import Database, Host

T = TypeVar("T")
ADA = "ada@example.com"
LIMIT = 0.2  # seconds
MOST = 10.0  # seconds: more than a busy machine adds to the limit, and less than anything else would end a call after
PATIENCE = 60.0
CANCEL_WITHIN = "pgauthkit.database.deadline.CANCEL_WITHIN"
TOO_LONG = (
    "No answer within call_timeout. The call may have been carried out or not: read what it would have changed,"
    " or make it again where that does no harm."
)
UNACKNOWLEDGED = "The wait for a synchronous standby was cancelled: it was committed, and a failover may still lose it."


def in_vain(call: Callable[[], object]) -> tuple[str, ...]:
    """Call, which must fail long before anything but the limit would end it, and return what is said."""
    begun = time.monotonic()
    with pytest.raises(DatabaseUnavailableError) as caught:
        call()
    assert time.monotonic() - begun < MOST
    assert (caught.value.__cause__, caught.value.__context__) == (None, None)
    return caught.value.hints


@contextmanager
def frozen(host: "Host", engine: Engine) -> Generator[None]:
    """Stop the process behind the connection of a pool of one: its socket takes everything, and nothing comes back."""
    process = host.call(lambda: backend(engine))
    os.kill(process, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(process, signal.SIGCONT)


def backend(engine: Engine) -> int:
    connection = engine.raw_connection()
    driver: Any = connection.driver_connection
    connection.close()
    return int(driver.info.backend_pid)


def of_one(host: "Host", url: str, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
    return host.engine(url, **{"pool_size": 1, "max_overflow": 0, **options})


def hurried(host: "Host", engine: Engine, config: AuthConfig) -> AuthService:
    """The service with a limit. What must succeed is for one that was made before: it has none that may be reached."""
    limit_calls(engine, LIMIT)
    return host.service_on(engine, config)


class TestFrozen:
    @pytest.mark.parametrize("options", [{}, {"pool_pre_ping": True}], ids=["plain", "pinging"])
    def test_a_frozen_server(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, options: dict[str, Any]
    ) -> None:
        """A server that says nothing more is given up, also where the pool asks it first; the pool is fine at once."""
        engine = of_one(host, database.url, **options)
        auth = host.service_on(engine, pgauthkit_config)
        signed_in = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())
        access_token = signed_in.tokens.access_token.reveal()
        limited = hurried(host, engine, pgauthkit_config)
        with frozen(host, engine):
            assert in_vain(lambda: limited.authenticate(access_token)) == (TOO_LONG,)
            assert auth.authenticate(access_token) == auth.authenticate(access_token)
        assert auth.authenticate(access_token).email == ADA

    def test_an_engine_of_the_hosts(self, host: "Host", database: "Database", pgauthkit_config: AuthConfig) -> None:
        """The same on an engine that the host made, and used, before the service was."""
        made = host.engine(database.url, poolclass=sa.pool.QueuePool if host.is_sync else sa.AsyncAdaptedQueuePool)
        host.in_connection(made, lambda connection: connection.scalar(sa.text("SELECT 1")))
        auth = host.service_on(made, pgauthkit_config)
        auth.find_user(ADA)
        limited = hurried(host, made, pgauthkit_config)
        with frozen(host, made):
            assert in_vain(lambda: limited.find_user(ADA)) == (TOO_LONG,)
        assert auth.find_user(ADA) is None

    def test_a_server_that_does_not_let_anybody_in(self, host: "Host", pgauthkit_config: AuthConfig) -> None:
        """A server that takes a connection and says nothing is given up as well, whatever connect_timeout says."""
        with socket.create_server(("127.0.0.1", 0)) as silent:
            url = f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing?call_timeout={LIMIT}"
            auth = host.service(url, pgauthkit_config)
            for _ in range(2):
                assert in_vain(lambda: auth.find_user(ADA)) == (TOO_LONG,)

    def test_a_connection_that_comes_too_late(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig
    ) -> None:
        """A connection that is made after the call has ended is closed, and nobody's."""
        engine = host.engine(database.url, call_timeout=LIMIT, poolclass=NullPool)
        auth = host.service_on(engine, pgauthkit_config)
        slow = sa.event.listens_for(engine, "do_connect")
        slow(lambda *_: time.sleep(2 * LIMIT))
        if host.is_sync:
            assert in_vain(lambda: auth.find_user(ADA)) == (TOO_LONG,)
        else:  # a loop that is held up cannot even look at the clock
            with pytest.raises(DatabaseUnavailableError):
                auth.find_user(ADA)
        for late in [one for one in threading.enumerate() if one.name == "pgauthkit-connect"]:
            late.join(PATIENCE)
        database.wait_until(
            "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'pgauthkit' "
            "AND query = '' HAVING count(*) = 0"
        )


class TestWaiting:
    def test_a_row_that_is_locked(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A call that waits for a row ends, and so does its statement on the server, which then does nothing late."""
        monkeypatch.setattr(CANCEL_WITHIN, PATIENCE)  # on a busy machine the server takes its time to hear of it
        engine = of_one(host, database.url)
        auth = host.service_on(engine, pgauthkit_config)
        token = auth.request_magic_link(ADA).token.reveal()
        limited = hurried(host, engine, pgauthkit_config)
        with psycopg.connect(database.url) as other:
            other.execute("SELECT 1 FROM pgauthkit.magic_links FOR UPDATE")
            assert in_vain(lambda: limited.verify_magic_link(token)) == (TOO_LONG,)
            database.wait_until(
                "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
                "HAVING count(*) = 0"
            )
        assert auth.verify_magic_link(token).user.email == ADA

    def test_a_pool_that_is_empty(self, host: "Host", database: "Database", pgauthkit_config: AuthConfig) -> None:
        """A call waits for a connection of the pool for no longer than it may take, and pool_timeout may be shorter."""
        for pool_timeout in (PATIENCE, LIMIT):
            engine = of_one(host, database.url, pool_timeout=pool_timeout)
            auth = host.service_on(engine, pgauthkit_config)
            auth.find_user(ADA)
            limited = auth if pool_timeout == LIMIT else hurried(host, engine, pgauthkit_config)
            connection: PoolProxiedConnection = host.call(engine.raw_connection)
            hint = "Every connection of the pool is in use: raise pool_size, or look for a leak."
            assert in_vain(lambda: limited.find_user(ADA)) == (hint,)  # noqa: B023 - called at once
            host.call(connection.close)
            assert auth.find_user(ADA) is None

    def test_repeating(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """A statement that others are in the way of is repeated for no longer than the call may take."""
        monkeypatch.setattr("pgauthkit.database.runner.RETRY_FOR", PATIENCE)
        engine = of_one(host, database.url)
        auth = host.service_on(engine, pgauthkit_config)
        user_id = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).user.user_id
        limited = hurried(host, engine, pgauthkit_config)
        body = "BEGIN RAISE EXCEPTION 'no' USING ERRCODE = '40001'; END"
        with psycopg.connect(database.url, autocommit=True) as other:
            other.execute(f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $${body}$$".encode())
            other.execute("CREATE TRIGGER fail BEFORE UPDATE ON pgauthkit.users EXECUTE FUNCTION fail()")
            begun = time.monotonic()
            with pytest.raises((RetryableError, DatabaseUnavailableError)):  # the latter where the last try is cut off
                limited.deactivate_user(user_id)
            assert time.monotonic() - begun < MOST
            other.execute("DROP FUNCTION fail CASCADE")

    def test_no_limit(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, background: ThreadPoolExecutor
    ) -> None:
        """With 0 a call takes as long as it takes."""
        auth = host.service(database.url, pgauthkit_config, call_timeout=0)
        token = auth.request_magic_link(ADA).token.reveal()
        with psycopg.connect(database.url) as other:
            other.execute("SELECT 1 FROM pgauthkit.magic_links FOR UPDATE")
            waiting = background.submit(auth.verify_magic_link, token)
            database.wait_for_lock()
        assert waiting.result(PATIENCE).user.email == ADA

    def test_within_it_is_the_hosts(self, host: "Host", database: "Database", pgauthkit_config: AuthConfig) -> None:
        """In a transaction of the host nothing ends but by the host's own limits."""
        engine = host.engine(database.url, statement_timeout=timedelta(seconds=2 * LIMIT), call_timeout=LIMIT / 10)
        auth = host.service_on(engine, pgauthkit_config)
        patient = host.service(database.url, pgauthkit_config)
        token = patient.request_magic_link(ADA).token.reveal()
        with psycopg.connect(database.url) as other:
            other.execute("SELECT 1 FROM pgauthkit.magic_links FOR UPDATE")
            with pytest.raises(DatabaseUnavailableError, match="see statement_timeout"):
                host.in_session(engine, lambda db: auth.within(db).verify_magic_link(token))


@pytest.fixture(scope="module")
def waiting_url() -> Iterator[str]:
    """A server whose commits wait for a standby that is gone, on connections that want it."""
    waits = {"wal_level": "replica", "max_wal_senders": "2", "synchronous_standby_names": "gone"}
    with EmbeddedPostgres(settings=waits) as server:
        deploy(server.url())
        yield server.url()


class TestStandby:
    """A commit waits for a synchronous standby that is gone."""

    @pytest.fixture
    def auth(self, host: "Host", waiting_url: str, pgauthkit_config: AuthConfig) -> AuthService:
        return host.service(waiting_url, pgauthkit_config, connect_args={"options": "-c synchronous_commit=on"})

    def test_for_ever(self, host: "Host", waiting_url: str, pgauthkit_config: AuthConfig) -> None:
        """The call ends, though no statement_timeout ends that wait."""
        # Half a second, in which also a busy machine gets to the commit: the connection is there before.
        options = {"options": "-c synchronous_commit=on -c statement_timeout=500"}
        engine = of_one(host, waiting_url, call_timeout=1.2, connect_args=options)
        host.call(lambda: backend(engine))
        auth = host.service_on(engine, pgauthkit_config)
        assert in_vain(lambda: auth.request_magic_link(ADA)) == (TOO_LONG,)

    def test_cancelled(self, auth: AuthService, waiting_url: str, background: ThreadPoolExecutor) -> None:
        """A wait that somebody cancels is no acknowledgement: that it is ambiguous is said, and the next call works."""
        asked = background.submit(auth.request_magic_link, ADA)
        with psycopg.connect(waiting_url, autocommit=True) as other:
            deadline = time.monotonic() + PATIENCE
            cancel = "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE wait_event = 'SyncRep'"
            while not asked.done():  # the first that waits may be of another call, which has given up
                assert time.monotonic() < deadline
                other.execute(cancel)
                time.sleep(0.01)
        error = asked.exception(PATIENCE)
        assert isinstance(error, DatabaseUnavailableError)
        assert error.hints == (UNACKNOWLEDGED,)
        assert str(error).startswith("The database did not confirm the commit")
        assert auth.find_user(ADA) is None


class TestDeadline:
    def test_time_that_is_over(self) -> None:
        """Nothing is begun when the time is over."""
        steps = watch((step for step in ["never"]), time.monotonic())
        with pytest.raises(CallTimeoutError):
            next(steps)

    def test_what_an_engine_is_told(self) -> None:
        """Half a minute where nothing was said, whoever made the engine."""
        assert call_timeout_of(sa.create_engine("postgresql+psycopg://")) == 30.0


def test_steps_that_write(database: "Database") -> None:
    """In a thread, a statement too long for the socket waits until it may be written, and for what comes meanwhile."""
    seen: list[int] = []

    with closing(psycopg.connect(database.url.replace("+psycopg", ""))) as driver:

        def steps() -> Generator[int, int, list[int]]:
            seen.append((yield WRITE))
            driver.pgconn.send_query(b"SELECT 1")
            driver.pgconn.flush()
            seen.append((yield READ))
            seen.append((yield READ | WRITE))  # both are there
            return seen

        poll = select.poll()
        poll.register(driver.fileno(), select.POLLIN)
        assert wait_in_thread(driver, poll, steps()) == [WRITE, READ, READ | WRITE]
