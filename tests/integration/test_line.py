"""The line of a pooled connection: what it sends below psycopg's cursors, and what it does when the server forgot."""

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.pool import PoolProxiedConnection


@pytest.fixture
def connection(pgauthkit_engine: sa.Engine) -> "Iterator[PoolProxiedConnection]":
    pooled = pgauthkit_engine.raw_connection()
    yield pooled
    pooled.close()


def ask(connection: "PoolProxiedConnection", sql: str, **parameters: object) -> Any:  # noqa: ANN401 - what the server says
    driver: Any = connection.driver_connection
    return driver.wait(Line.of(connection).ask(sql, parameters))


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
        assert Line.of(connection).prepared == 2

    def test_no_transaction_is_begun(self, connection: "PoolProxiedConnection") -> None:
        """What is asked is committed at once, though the connection is not in autocommit."""
        driver: Any = connection.driver_connection
        ask(connection, "SELECT 1")
        assert driver.autocommit is False
        assert driver.info.transaction_status == psycopg.pq.TransactionStatus.IDLE

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
        assert Line.of(connection).prepared == 1

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

    def test_nothing_is_prepared_where_the_host_says_so(self, pgauthkit_url: str) -> None:
        """Behind a pooler that cannot prepare, the host sets psycopg's `prepare_threshold` to None."""
        engine = create_engine(pgauthkit_url, connect_args={"prepare_threshold": None})
        connection = engine.raw_connection()
        assert ask(connection, "SELECT %(value)s::text", value="a") == [("a",)]
        assert ask(connection, "SELECT count(*) FROM pg_prepared_statements") == [(0,)]
        connection.close()
        engine.dispose()


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
