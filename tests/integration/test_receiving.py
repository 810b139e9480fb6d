"""Receiving results in a thread: whole and in parts, with what comes between them, and when the server is gone."""

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
import sqlalchemy as sa
from tests.integration.conftest import ask

from pgauthkit.database.line import Line

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy.pool import PoolProxiedConnection
    from tests.integration.conftest import Database

PATIENCE: Final = 60.0  # seconds


@pytest.fixture
def connection(pgauthkit_engine: sa.Engine) -> "Iterator[PoolProxiedConnection]":
    pooled = pgauthkit_engine.raw_connection()
    yield pooled
    pooled.invalidate()


def test_much_to_send(connection: "PoolProxiedConnection") -> None:
    """A statement that the socket does not take at once is sent to its end."""
    much = "x" * 20_000_000
    assert ask(connection, "SELECT length(%(much)s::text)", much=much) == [(len(much),)]


def test_much_to_receive(connection: "PoolProxiedConnection") -> None:
    """An answer that comes in many parts is received to its end."""
    assert ask(connection, "SELECT n FROM generate_series(1, 200000) AS n")[-1] == (200_000,)


def test_other_threads_run_meanwhile(connection: "PoolProxiedConnection", database: "Database") -> None:
    """A part of an answer that has come stops no other thread, without which the rest would never come."""
    driver: Any = connection.driver_connection
    begun = Event()
    driver.add_notice_handler(lambda _: begun.set())
    block = "DO $$ BEGIN RAISE WARNING 'begun'; PERFORM pg_advisory_lock(71); END $$"
    with ThreadPoolExecutor() as threads, psycopg.connect(database.url.replace("+psycopg", "")) as other:
        other.execute("SELECT pg_advisory_lock(71)")
        asked = threads.submit(ask, connection, block)
        assert begun.wait(PATIENCE)
        other.execute("SELECT pg_advisory_unlock(71)")
        assert asked.result(PATIENCE) == []


def test_the_last_word(connection: "PoolProxiedConnection") -> None:
    """Of a session that is ended in the middle of a statement, one learns by whom, and not only that it is gone."""
    with pytest.raises(psycopg.errors.AdminShutdown):
        ask(connection, "SELECT pg_terminate_backend(pg_backend_pid())")


def test_no_last_word(connection: "PoolProxiedConnection") -> None:
    """A connection that breaks off while an answer is waited for is lost."""
    sql = "SELECT pg_sleep(%(seconds)s) IS NULL"
    assert ask(connection, sql, seconds=0.0) == [(False,)]  # it is prepared now
    driver: Any = connection.driver_connection
    with socket.socket(fileno=os.dup(driver.fileno())) as ours:
        ours.shutdown(socket.SHUT_RD)
    with pytest.raises(psycopg.OperationalError):  # of TCP, an answer that has come by then is still read
        ask(connection, sql, seconds=10.0)


def test_a_statement_under_way(connection: "PoolProxiedConnection") -> None:
    """To look whether the server hung up does not wait for what a host has sent, and takes nothing of its answer."""
    pgconn = connection.driver_connection.pgconn  # type: ignore[union-attr]
    line = Line.of(connection)
    pgconn.send_query(b"SELECT 'theirs'")
    assert not line.is_hung_up()
    assert pgconn.get_result().get_value(0, 0) == b"theirs"


def test_notifications(connection: "PoolProxiedConnection", database: "Database") -> None:
    """The host that listens gets each notification that comes with an answer."""
    heard: list[str] = []
    driver: Any = connection.driver_connection
    driver.add_notify_handler(lambda notify: heard.append(notify.payload))
    ask(connection, "LISTEN news")
    database.tell("NOTIFY news, 'first'")
    database.tell("NOTIFY news, 'second'")
    ask(connection, "SELECT pg_notify('news', 'third')")
    assert heard == ["first", "second", "third"]


def test_notifications_that_wait(connection: "PoolProxiedConnection") -> None:
    """A host that asks for notifications itself gets those that came with an answer, after its next statement."""
    ask(connection, "LISTEN news")
    ask(connection, "SELECT pg_notify('news', 'first')")
    driver: Any = connection.driver_connection
    driver.execute("SELECT 1")
    assert [notify.payload for notify in driver.notifies(timeout=0)] == ["first"]
