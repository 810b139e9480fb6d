"""The line of a pooled connection: what it sends below psycopg's cursors, and what it does when the server forgot."""

import os
import select
import socket
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa
from psycopg.rows import dict_row
from tests.integration.conftest import ask

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.adapters import Binaries
from pgauthkit.database.line import Line
from pgauthkit.database.preparing import MOST_PREPARED
from pgauthkit.errors import ConfigError, RetryableError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import orm
    from sqlalchemy.pool import ConnectionPoolEntry, PoolProxiedConnection
    from tests.integration.conftest import Database, Host


@pytest.fixture
def connection(pgauthkit_engine: sa.Engine) -> "Iterator[PoolProxiedConnection]":
    pooled = pgauthkit_engine.raw_connection()
    yield pooled
    pooled.close()


class TestAsking:
    def test_names_become_numbers(self, connection: "PoolProxiedConnection") -> None:
        """A name that stands twice is one parameter, and a doubled percent sign is one."""
        sql = "SELECT %(one)s::text || '%%' || %(two)s::text || %(one)s::text"
        assert ask(connection, sql, two="b", one="a", three="c") == [("a%ba",)]

    def test_no_parameters(self, connection: "PoolProxiedConnection") -> None:
        """A statement without any is sent as well."""
        assert ask(connection, "SELECT 1") == [(1,)]

    def test_types_make_statements(self, connection: "PoolProxiedConnection") -> None:
        """The same text is prepared once for each set of types, as the server takes each for another statement."""
        for value in (1, 2, None, "x"):
            assert ask(connection, "SELECT %(value)s::text", value=value) == [(value if value is None else str(value),)]
        assert len(Line.of(connection).prepared.names) == 2

    def test_bytes_in_an_array(self, connection: "PoolProxiedConnection") -> None:
        """An array of bytes is what the server reads."""
        sql = "SELECT %(these)s::bytea[]"
        for these in ([b'a\0"{}\\,NULL', b""], [b"x"], []):
            assert ask(connection, sql, these=Binaries(these)) == [(these,)]

    def test_no_transaction_is_begun(self, connection: "PoolProxiedConnection") -> None:
        """What is asked is committed at once, though the connection is not in autocommit."""
        driver: Any = connection.driver_connection
        ask(connection, "SELECT 1")
        assert driver.autocommit is False
        assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

    def test_as_many_as_the_server_should_keep(self, connection: "PoolProxiedConnection") -> None:
        """The eldest makes room for a new one, and is prepared again when it comes again."""
        for number in (*range(MOST_PREPARED + 2), 0):
            assert ask(connection, f"SELECT {number}") == [(number,)]
        assert len(Line.of(connection).prepared.names) == MOST_PREPARED
        assert ask(connection, "SELECT count(*)::int FROM pg_prepared_statements") == [(MOST_PREPARED,)]

    def test_an_error_is_psycopgs(self, connection: "PoolProxiedConnection") -> None:
        """What the server refuses is raised as psycopg would, with its SQLSTATE, and the line is good for the next."""
        with pytest.raises(psycopg.errors.DivisionByZero):
            ask(connection, "SELECT 1 / %(zero)s::int", zero=0)
        with pytest.raises(psycopg.errors.UndefinedTable):
            ask(connection, "SELECT 1 FROM nowhere")
        assert ask(connection, "SELECT 1") == [(1,)]


class TestForgotten:
    def test_statements_are_prepared_again(self, connection: "PoolProxiedConnection") -> None:
        """After a DEALLOCATE ALL, which psycopg sends for a host that drops a table, the same call works."""
        ask(connection, "SELECT %(value)s::text", value="a")
        ask(connection, "SELECT 1")
        cursor = connection.cursor()
        cursor.execute("DEALLOCATE ALL")
        connection.commit()
        assert ask(connection, "SELECT %(value)s::text", value="b") == [("b",)]
        assert len(Line.of(connection).prepared.names) == 1

    def test_no_name_comes_twice(self, connection: "PoolProxiedConnection") -> None:
        """What was prepared after a DEALLOCATE ALL, and before it was noticed, stands in nobody's way."""
        old, new, later = ["SELECT 1", "SELECT 2"], ["SELECT 3"], ["SELECT 4", "SELECT 5", "SELECT 6"]
        for sql in old:
            ask(connection, sql)
        connection.cursor().execute("DEALLOCATE ALL")
        connection.commit()
        assert [ask(connection, sql) for sql in [*new, *old, *later]] == [[(n,)] for n in (3, 1, 2, 4, 5, 6)]

    def test_a_changed_type_is_planned_again(self, connection: "PoolProxiedConnection") -> None:
        """After a change of a column's type the same call works, on a connection that had prepared it before."""
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE narrow (value varchar(3)); INSERT INTO narrow VALUES ('abc')")
        connection.commit()
        assert ask(connection, "SELECT value FROM narrow") == [("abc",)]
        with psycopg.connect(connection.driver_connection.info.dsn) as other:  # type: ignore[union-attr]
            other.execute("ALTER TABLE narrow ALTER value TYPE text")
        assert ask(connection, "SELECT value FROM narrow") == [("abc",)]
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            ask(connection, "SELECT 1 FROM narrow GROUP BY () FOR UPDATE")

    def test_a_type_that_was_taken_for_another(self, connection: "PoolProxiedConnection") -> None:
        """A type that the server had chosen for a parameter is chosen anew, and nothing is left of the old plan."""
        cursor = connection.cursor()
        cursor.execute("CREATE TABLE keyed AS SELECT '00000000-0000-0000-0000-000000000001'::text AS key")
        connection.commit()
        sql, key = "SELECT 1 FROM keyed WHERE key = %(key)s", "00000000-0000-0000-0000-000000000001"
        assert ask(connection, sql, key=key) == [(1,)]
        with psycopg.connect(connection.driver_connection.info.dsn) as other:  # type: ignore[union-attr]
            other.execute("ALTER TABLE keyed ALTER key TYPE uuid USING key::uuid")
        assert ask(connection, sql, key=key) == [(1,)]
        assert ask(connection, "SELECT count(*)::int FROM pg_prepared_statements WHERE name LIKE 'pgauthkit%%'") == [
            (2,)
        ]

    def test_what_is_really_gone(self, connection: "PoolProxiedConnection") -> None:
        """What is refused again is refused, and works when the table is back."""
        cursor = connection.cursor()
        for command in ("CREATE TABLE gone (value int)", "DROP TABLE gone", "CREATE TABLE gone (value text)"):
            cursor.execute(command)
            connection.commit()
            if command.startswith("DROP"):
                with pytest.raises(psycopg.errors.UndefinedTable):
                    ask(connection, "SELECT value FROM gone")
            else:
                assert ask(connection, "SELECT value FROM gone") == []

    def test_nothing_is_prepared_where_the_host_says_so(self, pgauthkit_url: str) -> None:
        """Behind a pooler that cannot prepare, the host sets psycopg's `prepare_threshold` to None."""
        engine = create_engine(pgauthkit_url, connect_args={"prepare_threshold": None})
        connection = engine.raw_connection()
        assert ask(connection, "SELECT %(value)s::text", value="a") == [("a",)]
        assert ask(connection, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]
        assert self.round_trips(connection) == [0] * 600
        connection.close()
        engine.dispose()

    def test_plans_are_made_anew(self, connection: "PoolProxiedConnection") -> None:
        """It costs a round trip with the 64th statement, and then each time that there were eight times as many."""
        assert self.round_trips(connection) == [1] * 63 + [2] * 512 + [3] * 25

    @staticmethod
    def round_trips(connection: "PoolProxiedConnection") -> list[int]:
        """Return how many there were beside the statements, after each of 600."""
        line = Line(connection.driver_connection)  # type: ignore[arg-type]
        return [line.wait(line.ask("SELECT 1", {})) and line.prepared.round_trips for _ in range(600)]


def test_a_process_that_is_another_one(connection: "PoolProxiedConnection", database: "Database") -> None:
    """Where Python was not told of a fork, the parent's connection is closed here without a word to the server."""
    driver: Any = connection.driver_connection
    backend = driver.info.backend_pid
    kept = os.dup(driver.fileno())  # what the parent would have
    Line.of(connection)._process = -1
    assert Line.of(connection).is_hung_up()
    assert database.ask("SELECT state FROM pg_stat_activity WHERE pid = %s", backend) == [("idle",)]
    os.close(kept)


class TestIdle:
    """What the server says to a connection that waits in the pool."""

    def test_a_notification(self, connection: "PoolProxiedConnection", database: "Database") -> None:
        """A notification is no reason to connect anew, and the host that listens gets it."""
        heard: list[str] = []
        driver: Any = connection.driver_connection
        driver.add_notify_handler(lambda notify: heard.append(notify.payload))
        connection.cursor().execute("LISTEN news")
        connection.commit()
        line = Line.of(connection)
        database.tell("NOTIFY news, 'first'")
        wait_for_input(driver)
        assert not line.is_hung_up()
        assert ask(connection, "SELECT 1") == [(1,)]
        assert heard == ["first"]

    def test_the_last_word(self, connection: "PoolProxiedConnection", database: "Database") -> None:
        """A session that is ended says so before its socket is closed."""
        driver: Any = connection.driver_connection
        line = Line.of(connection)
        database.ask("SELECT pg_terminate_backend(%s, 60000)", driver.info.backend_pid)
        assert line.is_hung_up()

    def test_a_socket_that_is_closed(self, connection: "PoolProxiedConnection") -> None:
        """So is a connection of which nothing is left but its end."""
        driver: Any = connection.driver_connection
        line = Line.of(connection)
        with socket.socket(fileno=os.dup(driver.fileno())) as ours:
            ours.shutdown(socket.SHUT_RDWR)
        assert line.is_hung_up()


@pytest.mark.parametrize("number", [psycopg.pq.Format.TEXT, psycopg.pq.Format.BINARY])
def test_what_the_host_taught_the_driver(
    host: "Host", pgauthkit_url: str, pgauthkit_config: AuthConfig, number: psycopg.pq.Format
) -> None:
    """A host that reads times in a way of its own reads only its own, in and out of a transaction."""
    loader = type("Loader", (psycopg.adapt.Loader,), {"format": number, "load": None})  # fails when it is asked
    engine = host.engine(pgauthkit_url)

    def teach(_connection: object, record: "ConnectionPoolEntry") -> None:
        driver: Any = record.driver_connection
        driver.adapters.register_loader("bytea", loader)
        driver.adapters.register_loader("text[]", loader)

    sa.event.listen(engine, "connect", teach)
    auth = host.service_on(engine, pgauthkit_config)
    user = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal()).user
    assert auth.revoke_sessions(user.user_id) == [user.session_id]


@pytest.mark.parametrize("encoding", ["latin1", "sql_ascii"])
def test_a_connection_of_another_encoding(
    host: "Host", pgauthkit_url: str, pgauthkit_config: AuthConfig, encoding: str
) -> None:
    """A connection that cannot send every text is refused by name, and ours ask for UTF-8."""
    url = sa.make_url(pgauthkit_url).update_query_dict({"client_encoding": encoding})
    auth = host.service(url.render_as_string(hide_password=False), pgauthkit_config)
    assert auth.find_user("ada@example.com") is None
    auth = host.service(pgauthkit_url, pgauthkit_config, connect_args={"client_encoding": encoding})
    for _ in range(2):
        with pytest.raises(ConfigError, match=f"client_encoding must be UTF8, not {encoding.upper()}"):
            auth.request_magic_link("ada@example.com", user_agent="☃")


def test_an_encoding_that_is_changed(host: "Host", pgauthkit_url: str, pgauthkit_config: AuthConfig) -> None:
    """The same where the host changes it on a connection that was in use already."""
    engine = host.engine(pgauthkit_url, pool_size=1, max_overflow=0)
    auth = host.service_on(engine, pgauthkit_config)
    assert auth.find_user("ada@example.com") is None
    host.in_connection(engine, lambda connection: connection.exec_driver_sql("SET client_encoding TO latin1"))
    with pytest.raises(ConfigError, match="client_encoding must be UTF8, not LATIN1"):
        auth.find_user("ada@example.com")


@pytest.mark.parametrize("rows", [True, False])
def test_a_connection_that_is_not_for_us(
    host: "Host", pgauthkit_url: str, pgauthkit_config: AuthConfig, *, rows: bool
) -> None:
    """Rows that are no tuples and cursors without named parameters are refused by name: SQLAlchemy fails with them."""
    raw = psycopg.RawCursor if host.is_sync else psycopg.AsyncRawCursor
    settings: dict[str, Any] = {"row_factory": dict_row} if rows else {"cursor_factory": raw}
    auth = host.service(pgauthkit_url, pgauthkit_config, connect_args=settings)
    with pytest.raises(ConfigError, match="engine: its row_factory" if rows else "engine: its cursor_factory"):
        auth.find_user("ada@example.com")


def test_another_encoding_in_a_transaction(host: "Host", pgauthkit_url: str, pgauthkit_config: AuthConfig) -> None:
    """The same in a transaction of a host, whose own statements may be in any encoding."""
    engine = host.engine(pgauthkit_url, connect_args={"client_encoding": "latin1"})
    auth = host.service_on(engine, pgauthkit_config)

    def ask_for_a_link(db: "orm.Session") -> object:
        assert db.scalar(sa.text("SELECT 'ü'")) == "ü"
        return auth.within(db).request_magic_link("ada@example.com", user_agent="☃")

    with pytest.raises(ConfigError, match="client_encoding must be UTF8, not LATIN1"):
        host.in_session(engine, ask_for_a_link)


def test_a_stale_plan_in_a_transaction(
    host: "Host", database: "Database", pgauthkit_url: str, pgauthkit_config: AuthConfig
) -> None:
    """In a transaction nothing can be sent once more; the error says to run it again, which then works."""
    engine = host.engine(pgauthkit_url, pool_size=1, max_overflow=0)
    auth = host.service_on(engine, pgauthkit_config)
    signed_in = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())

    def authenticate(db: "orm.Session | sa.Connection") -> str:
        return auth.within(db).authenticate(signed_in.tokens.access_token.reveal()).email

    for _ in range(6):  # psycopg prepares what it has sent five times
        host.in_session(engine, authenticate)
    database.tell("ALTER TABLE pgauthkit.users ALTER email TYPE varchar(400)")
    try:
        with pytest.raises(RetryableError, match="prepared before a table was changed"):
            host.in_session(engine, authenticate)
        assert host.in_session(engine, authenticate) == "ada@example.com"
    finally:
        database.tell("ALTER TABLE pgauthkit.users ALTER email TYPE text")


def wait_for_input(driver: Any) -> None:  # noqa: ANN401 - of either kind
    assert select.select([driver.fileno()], [], [], 60.0)[0]


def test_a_hosts_rollback_leaves_them(pgauthkit_engine: sa.Engine, pgauthkit_config: AuthConfig) -> None:
    """A host whose own work ends in a rollback does not make the service prepare its statements again."""
    auth = AuthService(pgauthkit_engine, pgauthkit_config)
    signed_in = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
    for _ in range(2):
        auth.authenticate(signed_in.tokens.access_token.reveal())
        with pgauthkit_engine.connect() as connection:
            connection.execute(sa.text("SELECT 1"))
            connection.rollback()
    with pgauthkit_engine.connect() as connection:
        names = connection.scalars(sa.text("SELECT name FROM pg_prepared_statements ORDER BY name")).all()
    assert list(names) == ["pgauthkit_0", "pgauthkit_1", "pgauthkit_2"]
