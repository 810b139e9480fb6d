"""The way to the database: repeated where the server asks for it, and unharmed by whatever happens to a connection."""

import _thread
import asyncio
import socket
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeVar, cast

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import Dialect, Engine, NullPool, make_url, orm
from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg
from sqlalchemy.dialects.postgresql.psycopg2 import PGDialect_psycopg2
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession
from sqlalchemy.pool import Pool, PoolProxiedConnection, SingletonThreadPool, StaticPool

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine, create_engine
from pgauthkit.database.line import Line
from pgauthkit.errors import ConfigError, DatabaseUnavailableError, PgAuthKitError, RetryableError

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

T = TypeVar("T")
ADA, EVE = "ada@example.com", "eve@example.com"
PATIENCE = 60.0


LOCK_USERS: Final = "SELECT 1 FROM pgauthkit.users FOR UPDATE"
LOCK_LINKS: Final = "SELECT 1 FROM pgauthkit.magic_links FOR UPDATE"


@contextmanager
def holding(database: "Database", lock: LiteralString) -> Generator[None]:
    """Hold what a query locks, in a transaction that ends with the block."""
    with psycopg.connect(database.url) as other:
        other.execute(lock)
        yield


@pytest.fixture
def engine(host: "Host", pgauthkit_url: str) -> Engine:
    """An engine of its own, for what may happen to its connections."""
    return host.engine(pgauthkit_url)


def pooled(host: "Host", engine: Engine, work: Callable[[PoolProxiedConnection], T]) -> T:
    """Do something with a connection of the pool, and give it back."""

    def borrow() -> T:
        connection = engine.raw_connection()
        try:
            return work(connection)
        finally:
            connection.close()

    return host.call(borrow)


def driver(connection: PoolProxiedConnection) -> "psycopg.BaseConnection[Any]":
    return cast("psycopg.BaseConnection[Any]", connection.driver_connection)


def checked_out(engine: Engine) -> int:
    pool = engine.pool
    assert isinstance(pool, sa.QueuePool)
    return pool.checkedout()


def free_of_the_drivers(error: BaseException) -> bool:
    """Tell whether nothing of the driver, with the server's DETAIL, hangs on an error."""
    return (error.__cause__, error.__context__) == (None, None)


class TestRepeated:
    @pytest.fixture
    def tries(self, database: "Database") -> Iterator[Callable[[], int]]:
        """Counts statements that begin to update a user; unlike a row, a sequence is not rolled back."""
        database.tell("CREATE SEQUENCE tries")
        database.tell(
            "CREATE FUNCTION count_try() RETURNS trigger LANGUAGE plpgsql "
            "AS $$ BEGIN PERFORM nextval('tries'); RETURN NULL; END $$"
        )
        database.tell("CREATE TRIGGER count_try BEFORE UPDATE ON pgauthkit.users EXECUTE FUNCTION count_try()")

        def tries() -> int:
            ((count,),) = database.ask("SELECT nextval('tries') - 1")
            database.ask("SELECT setval('tries', 1, false)")
            return int(count)

        yield tries
        database.tell("DROP FUNCTION count_try CASCADE")
        database.tell("DROP SEQUENCE tries")

    @pytest.fixture
    def failing(self, database: "Database", tries: Callable[[], int]) -> Iterator[Callable[[str], None]]:
        """Lets each update of a user fail with a SQLSTATE, when it has been counted."""

        def fail(state: str) -> None:
            body = f"BEGIN RAISE EXCEPTION 'secret' USING ERRCODE = '{state}', DETAIL = 'secret'; END"
            function = f"CREATE FUNCTION fail() RETURNS trigger LANGUAGE plpgsql AS $${body}$$"
            with psycopg.connect(database.url, autocommit=True) as connection:
                connection.execute(function.encode())
                connection.execute("CREATE TRIGGER fail BEFORE UPDATE ON pgauthkit.users EXECUTE FUNCTION fail()")
            tries()

        yield fail
        database.tell("DROP FUNCTION fail CASCADE")

    @pytest.mark.parametrize("level", [r"repeatable\ read", "serializable"])
    def test_a_serialization_failure(
        self,
        *,
        host: "Host",
        database: "Database",
        pgauthkit_config: AuthConfig,
        background: ThreadPoolExecutor,
        tries: Callable[[], int],
        level: str,
    ) -> None:
        """A statement that lost against another is run again, and sees what the other wrote."""
        options = f"-c default_transaction_isolation={level}"
        auth = host.service(database.url, pgauthkit_config, connect_args={"options": options})
        user_id = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).user.user_id
        tries()
        with psycopg.connect(database.url) as other:
            other.execute("UPDATE pgauthkit.users SET role = 'ADMIN'")
            tries()
            opened = background.submit(auth.open_session, user_id)
            database.wait_for_lock()
        assert opened.result(PATIENCE).user.role == "ADMIN"
        assert tries() == 2
        assert database.ask("SELECT count(*) FROM pgauthkit.sessions") == [(2,)]

    def test_a_deadlock(
        self,
        *,
        host: "Host",
        database: "Database",
        pgauthkit_config: AuthConfig,
        background: ThreadPoolExecutor,
        tries: Callable[[], int],
    ) -> None:
        """A statement that the server chose to end a deadlock is run again, when the other has gone on."""
        auth = host.service(database.url, pgauthkit_config, connect_args={"options": "-c deadlock_timeout=10ms"})
        user_id = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).user.user_id
        first, second = sorted(auth.request_magic_link(ADA).id for _ in range(2))
        lock_link = "SELECT 1 FROM pgauthkit.magic_links WHERE id = %s FOR UPDATE"
        tries()
        # Of the two in the deadlock only the service looks for one, and so is the one that is given up.
        patient = "-c deadlock_timeout=10min"
        with psycopg.connect(database.url) as gate, psycopg.connect(database.url, options=patient) as other:
            gate.execute(lock_link, [second])
            other.execute(LOCK_USERS)
            ended = background.submit(auth.deactivate_user, user_id)  # has the first link, waits for the second
            database.wait_for_lock()
            locked = background.submit(other.execute, lock_link, [first])  # has the user, waits for the first link
            database.wait_for_lock(2)
            gate.rollback()  # now the service has both links, and waits for the user
            locked.result(PATIENCE)
        assert len(ended.result(PATIENCE)) == 1
        # Once more than twice where the second try was back before the other had woken up, and met it again.
        assert tries() >= 2

    @pytest.mark.parametrize(("state", "bound", "least", "most"), [("40001", 0.0, 1, 1), ("40P01", 1.0, 2, 400)])
    def test_not_for_ever(
        self,
        *,
        auth: AuthService,
        database: "Database",
        tries: Callable[[], int],
        failing: Callable[[str], None],
        state: str,
        bound: float,
        least: int,
        most: int,
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        """Where repeating does not help for long enough, the error says that it may be tried again, and no more."""
        user_id = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).user.user_id
        failing(state)
        before = database.contents()
        monkeypatch.setattr("pgauthkit.database.runner.RETRY_FOR", bound)
        with pytest.raises(RetryableError) as caught:
            auth.deactivate_user(user_id)
        assert least <= tries() <= most
        assert free_of_the_drivers(caught.value)
        assert "secret" not in f"{caught.value!r}"
        assert before == database.contents()

    def test_nothing_else(
        self,
        auth: AuthService,
        tries: Callable[[], int],
        failing: Callable[[str], None],
    ) -> None:
        """An error of another kind is told at once, by its SQLSTATE, without the server's words."""
        user_id = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).user.user_id
        failing("22012")
        with pytest.raises(PgAuthKitError) as caught:
            auth.deactivate_user(user_id)
        assert tries() == 1
        assert str(caught.value) == "PostgreSQL refused the statement (SQLSTATE 22012, DivisionByZero)."
        assert free_of_the_drivers(caught.value)


class TestCommit:
    """The server sends the rows of a statement before it commits, and may refuse that still."""

    @pytest.fixture
    def refused(self, database: "Database") -> Iterator[Callable[[str, int], None]]:
        """Lets the commit of so many new sessions fail with a SQLSTATE."""
        database.tell("CREATE SEQUENCE commits")

        def refuse(state: str, times: int) -> None:
            fails = f"IF nextval('commits') <= {times} THEN RAISE EXCEPTION 'secret' USING ERRCODE = '{state}'; END IF"
            function = (
                f"CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN {fails}; RETURN NEW; END$$"
            )
            with psycopg.connect(database.url, autocommit=True) as connection:
                connection.execute(function.encode())
                connection.execute(
                    "CREATE CONSTRAINT TRIGGER refuse AFTER INSERT ON pgauthkit.sessions"
                    " DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse()"
                )

        yield refuse
        database.tell("DROP FUNCTION refuse CASCADE")
        database.tell("DROP SEQUENCE commits")

    def test_refused(
        self, auth: AuthService, database: "Database", refused: Callable[[str, int], None], engine: Engine
    ) -> None:
        """Nobody is told of a sign-in that was not committed, and the link is as good as before."""
        link = auth.request_magic_link(ADA).token.reveal()
        refused("23514", 1)
        before = database.contents()
        with pytest.raises(PgAuthKitError, match="SQLSTATE 23514") as caught:
            auth.verify_magic_link(link)
        assert free_of_the_drivers(caught.value)
        assert before == database.contents()
        assert auth.verify_magic_link(link).user.email == ADA
        assert checked_out(engine) == 0

    def test_lost_against_another(
        self, auth: AuthService, database: "Database", refused: Callable[[str, int], None]
    ) -> None:
        """A serialization that fails at the commit is repeated as any other: one sign-in, one session."""
        link = auth.request_magic_link(ADA).token.reveal()
        refused("40001", 3)
        signed_in = auth.verify_magic_link(link)
        assert database.ask("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]
        assert auth.authenticate(signed_in.tokens.access_token.reveal()).email == ADA
        assert database.ask("SELECT nextval('commits')") == [(5,)]


class TestHungUp:
    def test_an_idle_connection(
        self, auth: AuthService, engine: Engine, cut: Callable[[], None], sign_in: "SigningIn"
    ) -> None:
        """A connection that the server closed in between is noticed before it is used, and the call just works."""
        access_token = sign_in().tokens.access_token.reveal()
        cut()
        assert auth.authenticate(access_token).email == ADA
        assert checked_out(engine) == 0

    def test_all_of_them(self, host: "Host", engine: Engine, cut: Callable[[], None], sign_in: "SigningIn") -> None:
        """After a restart of the server every connection of the pool is dead; one call works all the same."""

        def fill(_first: PoolProxiedConnection) -> None:
            others = [engine.raw_connection() for _ in range(3)]
            for connection in others:
                connection.close()

        pooled(host, engine, fill)
        cut()
        assert sign_in().user.email == ADA
        assert checked_out(engine) == 0

    def test_a_write_happens_once(self, auth: AuthService, cut: Callable[[], None], sign_in: "SigningIn") -> None:
        """What is written after such a surprise is written once."""
        user_id = sign_in().user.user_id
        cut()
        opened = auth.open_session(user_id)
        assert len(auth.list_sessions(user_id)) == 2
        assert opened.user == auth.authenticate(opened.tokens.access_token.reveal())

    @pytest.mark.parametrize("reset", ["rollback", None])
    def test_closed_by_the_host(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, reset: str | None
    ) -> None:
        """A connection that somebody closed behind the pool's back is replaced, whether the pool looks at it or not."""
        engine = host.engine(database.url, pool_reset_on_return=reset)
        auth = host.service_on(engine, pgauthkit_config)
        auth.request_magic_link(ADA)
        pooled(host, engine, lambda connection: driver(connection).pgconn.finish())
        assert auth.request_magic_link(ADA).email == ADA
        assert checked_out(engine) == 0

    def test_something_to_read(self, auth: AuthService, host: "Host", engine: Engine, database: "Database") -> None:
        """A connection on which something waits to be read is good for nothing worse than a new one."""

        def listen(connection: PoolProxiedConnection) -> None:
            cursor = connection.cursor()
            cursor.execute("LISTEN news")
            connection.commit()

        pooled(host, engine, listen)
        database.tell("NOTIFY news")
        assert auth.request_magic_link(ADA).email == ADA
        assert checked_out(engine) == 0


class TestLost:
    def test_in_the_middle_of_a_call(
        self,
        auth: AuthService,
        engine: Engine,
        database: "Database",
        sign_in: "SigningIn",
        background: ThreadPoolExecutor,
    ) -> None:
        """A call whose connection is lost fails, as nobody knows what became of it; the pool is fine afterwards."""
        user_id = sign_in().user.user_id
        with holding(database, LOCK_USERS):
            opened = background.submit(auth.open_session, user_id)
            database.wait_for_lock()
            database.ask(
                "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity "
                "WHERE datname = current_database() AND wait_event_type = 'Lock'"
            )
            error = opened.exception(PATIENCE)
        assert isinstance(error, DatabaseUnavailableError)
        assert free_of_the_drivers(error)
        assert checked_out(engine) == 0
        assert user_id == auth.open_session(user_id).user.user_id
        assert database.ask("SELECT count(*) FROM pgauthkit.sessions") == [(2,)]

    def test_while_it_is_waited_for(
        self, pgauthkit_engine: Engine, pgauthkit_config: AuthConfig, caplog: pytest.LogCaptureFixture
    ) -> None:
        """A connection whose socket fails before libpq knows it is replaced, and no ROLLBACK is tried on it."""
        auth = AuthService(pgauthkit_engine, pgauthkit_config)
        with pgauthkit_engine.connect() as connection:
            line = Line.of(connection.connection)

        def fail(steps: Generator[Any, Any, Any]) -> None:
            next(steps)  # by which the statement is sent
            raise psycopg.OperationalError("connection socket closed")

        vars(line)["wait"] = fail
        with pytest.raises(DatabaseUnavailableError):
            auth.list_sessions("nobody")
        assert auth.list_sessions("nobody") == []
        assert caplog.messages == []

    def test_a_statement_that_takes_too_long(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, sign_in: "SigningIn"
    ) -> None:
        """A statement that the server cancels is told as such, and the connection is as good as before."""
        user_id = sign_in().user.user_id
        # A limit that what is not held up keeps to, also on a busy machine.
        engine = host.engine(database.url, connect_args={"options": "-c statement_timeout=1000"})
        auth = host.service_on(engine, pgauthkit_config)
        with holding(database, LOCK_USERS), pytest.raises(DatabaseUnavailableError) as caught:
            auth.open_session(user_id)
        hint = "The statement was cancelled: see statement_timeout, and who holds a lock."
        assert (hint,) == caught.value.hints
        assert str(caught.value).startswith("The database gave the statement up (SQLSTATE 57014, QueryCanceled) at ")
        assert free_of_the_drivers(caught.value)
        assert checked_out(engine) == 0
        auth.open_session(user_id)

    def test_a_lock_that_takes_too_long(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, sign_in: "SigningIn"
    ) -> None:
        """A statement that gives up waiting for a lock is told as such."""
        user_id = sign_in().user.user_id
        auth = host.service(database.url, pgauthkit_config, connect_args={"options": "-c lock_timeout=50"})
        with holding(database, LOCK_USERS), pytest.raises(DatabaseUnavailableError, match="see lock_timeout"):
            auth.open_session(user_id)
        auth.open_session(user_id)

    def test_no_connection_left_in_the_pool(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig
    ) -> None:
        """Where all connections are in use for too long the error says so."""
        engine = host.engine(database.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
        auth = host.service_on(engine, pgauthkit_config)

        def ask(_connection: PoolProxiedConnection) -> None:
            auth.request_magic_link(ADA)

        with pytest.raises(DatabaseUnavailableError, match="Every connection of the pool is in use") as caught:
            pooled(host, engine, ask)
        assert free_of_the_drivers(caught.value)
        assert checked_out(engine) == 0
        auth.request_magic_link(ADA)

    def test_a_standby(self, host: "Host", database: "Database", pgauthkit_config: AuthConfig) -> None:
        """Where nothing can be written the error says so."""
        read_only = {"options": "-c default_transaction_read_only=on"}
        auth = host.service(database.url, pgauthkit_config, connect_args=read_only)
        with pytest.raises(DatabaseUnavailableError, match="read-only standby"):
            auth.request_magic_link(ADA)
        assert auth.list_sessions("nobody") == []


class TestBrokenOff:
    def test_a_task_that_is_cancelled(self, database: "Database", pgauthkit_config: AuthConfig) -> None:
        """A task that is cancelled in mid-statement ends at once, changes nothing, and leaves the pool fine."""

        async def main() -> None:
            engine = create_async_engine(database.url)
            auth = AsyncAuthService(engine, pgauthkit_config)
            link = await auth.request_magic_link(ADA)
            with psycopg.connect(database.url) as other:
                other.execute("SELECT 1 FROM pgauthkit.magic_links FOR UPDATE")
                task = asyncio.create_task(auth.verify_magic_link(link.token.reveal()))
                await asyncio.to_thread(database.wait_for_lock)
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                assert checked_out(engine.sync_engine) == 0
            assert (await auth.peek_magic_link(link.token.reveal())).email == ADA
            assert (await auth.verify_magic_link(link.token.reveal())).user.email == ADA
            await engine.dispose()

        asyncio.run(main())

    def test_a_task_that_takes_too_long(self, database: "Database", pgauthkit_config: AuthConfig) -> None:
        """The same by a timeout of the host, for many tasks at once."""

        async def main() -> None:
            engine = create_async_engine(database.url)
            auth = AsyncAuthService(engine, pgauthkit_config)
            tokens = [(await auth.request_magic_link(ADA)).token.reveal() for _ in range(5)]
            with psycopg.connect(database.url) as other:
                other.execute("SELECT 1 FROM pgauthkit.magic_links FOR UPDATE")
                calls = [asyncio.wait_for(auth.verify_magic_link(token), 0.3) for token in tokens]
                outcomes = await asyncio.gather(*calls, return_exceptions=True)
            assert [TimeoutError] * 5 == [type(outcome) for outcome in outcomes]
            assert checked_out(engine.sync_engine) == 0
            assert (await auth.verify_magic_link(tokens[0])).user.email == ADA
            await engine.dispose()

        asyncio.run(main())

    def test_a_task_that_is_cancelled_while_it_connects(self, pgauthkit_config: AuthConfig) -> None:
        """A task that is cancelled while there is no connection yet leaves none behind."""

        async def main() -> None:
            with socket.create_server(("127.0.0.1", 0)) as silent:
                engine = create_async_engine(f"postgresql://nobody@127.0.0.1:{silent.getsockname()[1]}/nothing")
                auth = AsyncAuthService(engine, pgauthkit_config)
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(auth.request_magic_link(ADA), 0.1)
                assert checked_out(engine.sync_engine) == 0
                await engine.dispose()

        asyncio.run(main())

    @pytest.mark.usefixtures("interruptible")
    def test_ctrl_c(
        self,
        pgauthkit_engine: Engine,
        database: "Database",
        pgauthkit_config: AuthConfig,
        background: ThreadPoolExecutor,
    ) -> None:
        """An interrupt from the keyboard in the middle of a statement leaves the pool fine."""
        auth = AuthService(pgauthkit_engine, pgauthkit_config)
        token = auth.request_magic_link(ADA).token.reveal()

        def interrupt() -> None:
            database.wait_for_lock()
            _thread.interrupt_main()

        with holding(database, LOCK_LINKS):
            interrupted = background.submit(interrupt)
            with pytest.raises(KeyboardInterrupt):
                auth.verify_magic_link(token)
            interrupted.result(PATIENCE)
        assert checked_out(pgauthkit_engine) == 0
        assert auth.verify_magic_link(token).user.email == ADA


class TestEnginesOfTheHost:
    @pytest.mark.parametrize(("level", "autocommit"), [(None, False), ("AUTOCOMMIT", True), ("REPEATABLE READ", False)])
    def test_the_connection_is_given_back_as_it_was(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, level: str | None, *, autocommit: bool
    ) -> None:
        """Whatever the engine's isolation level, sign-in works, and the host's own work goes on as it did."""
        engine = host.engine(database.url, **({"isolation_level": level} if level else {}))
        auth = host.service_on(engine, pgauthkit_config)
        host.in_connection(engine, lambda connection: connection.execute(sa.text("SELECT 1")))
        token = auth.request_magic_link(ADA).token.reveal()
        user_id = auth.verify_magic_link(token).user.user_id
        with pytest.raises(PgAuthKitError):
            auth.verify_magic_link(token)
        assert autocommit is pooled(host, engine, lambda connection: bool(driver(connection).autocommit))
        rename = sa.text("UPDATE pgauthkit.users SET email = 'x@example.com'")

        def undo(connection: sa.Connection) -> None:
            connection.execute(rename)
            connection.rollback()

        host.in_connection(engine, undo)
        expected = "x@example.com" if autocommit else ADA
        assert [(user_id, expected)] == database.ask("SELECT id, email FROM pgauthkit.users")

    def test_autocommit_is_restored_after_an_error(
        self, host: "Host", pgauthkit_empty_url: str, pgauthkit_config: AuthConfig
    ) -> None:
        """After a statement that failed the connection is in the mode that it was in."""
        empty = host.engine(pgauthkit_empty_url)
        with pytest.raises(PgAuthKitError):
            host.service_on(empty, pgauthkit_config).request_magic_link(ADA)
        assert pooled(host, empty, lambda connection: driver(connection).autocommit) is False

    @pytest.mark.parametrize(
        "options",
        [
            {"poolclass": NullPool},
            {"pool_pre_ping": True},
            {"pool_size": 1},
            {"connect_args": {"prepare_threshold": None}},
        ],
        ids=["none", "pinging", "of one", "unprepared"],
    )
    def test_pools(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, options: dict[str, Any]
    ) -> None:
        """Any pool will do, and a driver that was told to prepare nothing."""
        auth = host.service(database.url, pgauthkit_config, **options)
        signed_in = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())
        assert signed_in.user == auth.authenticate(signed_in.tokens.access_token.reveal())

    @pytest.mark.parametrize("moment", ["connect", "checkout"])
    def test_a_listener_that_leaves_a_transaction_open(
        self, host: "Host", engine: Engine, configured: "Configured", moment: str
    ) -> None:
        """A setting that the host makes on each new connection stands in nobody's way, and is kept."""

        def set_path(connection: DBAPIConnection, *_: object) -> None:
            cursor = connection.cursor()
            cursor.execute("SET search_path TO elsewhere")
            cursor.close()

        sa.event.listen(engine, moment, set_path)
        auth = configured()
        for _ in range(2):
            auth.request_magic_link(ADA)
        path = host.in_connection(engine, lambda connection: connection.execute(sa.text("SHOW search_path")).scalar())
        assert path == "elsewhere"

    @pytest.mark.parametrize("pool", [StaticPool, SingletonThreadPool])
    def test_a_pool_that_shares(self, pool: type[Pool]) -> None:
        """A pool that gives one connection to several callers is refused, before they get each other's answers."""
        engine = create_engine("postgresql://localhost/nothing", poolclass=pool)
        with pytest.raises(ConfigError, match=rf"engine: a {pool.__name__} gives one connection to several callers"):
            AuthService(engine)

    def test_sqlite(self) -> None:
        """Another database is refused."""
        with pytest.raises(ConfigError, match=r"engine: its driver must be psycopg 3, not pysqlite\."):
            AuthService(sa.create_engine("sqlite://"))

    def test_psycopg2(self) -> None:
        """Another driver is refused."""
        url = make_url("postgresql+psycopg2://nobody@nowhere/nothing")
        dialect: Dialect = PGDialect_psycopg2()  # type: ignore[no-untyped-call]
        other = Engine(NullPool(cast("Any", None)), dialect, url)
        with pytest.raises(ConfigError, match=r"not psycopg2\."):
            AuthService(other)

    def test_asyncpg(self) -> None:
        """Another async driver is refused."""
        url = make_url("postgresql+asyncpg://nobody@nowhere/nothing")
        dialect: Dialect = PGDialect_asyncpg()  # type: ignore[no-untyped-call]
        other = Engine(NullPool(cast("Any", None)), dialect, url)
        with pytest.raises(ConfigError, match=r"not asyncpg\."):
            AsyncAuthService(AsyncEngine(other))

    @pytest.mark.parametrize("service", [AuthService, AsyncAuthService])
    @pytest.mark.parametrize("wrong", ["postgresql://db.example/app", orm.Session(), orm.sessionmaker(), None])
    def test_no_engine(self, service: Callable[[object], object], wrong: object) -> None:
        """A URL, a session or what makes sessions is refused when the service is made, with what to take instead."""
        with pytest.raises(ConfigError, match=rf"{type(wrong).__name__} is no engine\. Take one of create_engine"):
            service(wrong)

    @pytest.mark.parametrize("service", [AuthService, AsyncAuthService])
    def test_no_configuration(self, service: Callable[..., object], pgauthkit_engine: Engine) -> None:
        """A dict in place of the configuration, and an engine in place of the reads on a replica, are both named."""
        with pytest.raises(ConfigError) as refused:
            service(pgauthkit_engine, {"codes": True}, replica=pgauthkit_engine)
        assert refused.value.problems == ("config: dict is no AuthConfig.", "replica: Engine is no ReplicaReads.")

    def test_within_nothing(self, pgauthkit_engine: Engine, pgauthkit_async_engine: AsyncEngine) -> None:
        """What is neither a session nor a connection of the right kind is refused before anything is asked."""
        services: tuple[Any, Any] = AuthService(pgauthkit_engine), AsyncAuthService(pgauthkit_async_engine)
        for service, kind in zip(services, ("", "Async"), strict=True):
            for wrong in (pgauthkit_engine, pgauthkit_async_engine, orm.sessionmaker(), None):
                with pytest.raises(ConfigError, match=rf"is neither an? {kind}Session nor an? {kind}Connection"):
                    service.within(wrong)
        with pytest.raises(ConfigError, match="AsyncSession is neither a Session"):
            services[0].within(AsyncSession(pgauthkit_async_engine))
        with pytest.raises(ConfigError, match="Session is neither an AsyncSession"):
            services[1].within(orm.Session(pgauthkit_engine))

    def test_an_async_engine_for_the_sync_service(self, pgauthkit_async_engine: AsyncEngine) -> None:
        """Each service wants an engine of its own kind."""
        with pytest.raises(ConfigError, match="AuthService takes an Engine"):
            AuthService(pgauthkit_async_engine.sync_engine)

    def test_a_sync_engine_for_the_async_service(self, pgauthkit_engine: Engine) -> None:
        """Each service wants an engine of its own kind."""
        wrong: Any = pgauthkit_engine
        with pytest.raises(ConfigError, match="AsyncAuthService an AsyncEngine"):
            AsyncAuthService(wrong)


def test_two_services_share_an_engine(configured: "Configured", sign_in: "SigningIn", engine: Engine) -> None:
    """Services with different configurations work side by side on one pool."""
    first, second = configured(), configured(allow_sign_up=False)
    token = sign_in(by=first).tokens.access_token.reveal()
    assert first.authenticate(token) == second.authenticate(token)
    assert checked_out(engine) == 0


def test_sync_threads(database: "Database", pgauthkit_config: AuthConfig, background: ThreadPoolExecutor) -> None:
    """One service is used by many threads at once, each with a connection of its own."""
    engine = create_engine(database.url, pool_size=5)
    auth = AuthService(engine, pgauthkit_config)
    emails = [f"user{number}@example.com" for number in range(20)]
    links = background.map(auth.request_magic_link, emails)
    users = background.map(lambda link: auth.verify_magic_link(link.token.reveal()).user.email, links)
    assert emails == list(users)
    engine.dispose()


def test_async_tasks(database: "Database", pgauthkit_config: AuthConfig) -> None:
    """One service is used by many tasks at once."""

    async def main() -> list[str]:
        engine = create_async_engine(database.url, pool_size=5)
        auth = AsyncAuthService(engine, pgauthkit_config)

        async def sign_in(email: str) -> str:
            link = await auth.request_magic_link(email)
            return (await auth.verify_magic_link(link.token.reveal())).user.email

        found = await asyncio.gather(*map(sign_in, emails))
        await engine.dispose()
        return found

    emails = [f"user{number}@example.com" for number in range(20)]
    assert emails == asyncio.run(main())
