"""The query log: what it says, of whom, and what it never says."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from sqlalchemy.ext.asyncio import AsyncSession

from pgauthkit import AsyncAuthService, AuthConfig
from pgauthkit.database import create_async_engine
from pgauthkit.database.caller import find_caller
from pgauthkit.database.querylog import QueryLog
from pgauthkit.errors import PgAuthKitError
from pgauthkit.models import User

if TYPE_CHECKING:
    from tests.integration.conftest import Database, Host

ADA = "do-not-print-me@example.com"
HERE = "test_querylog.py"
Records = Callable[[], list[Any]]


@pytest.fixture
def records(caplog: pytest.LogCaptureFixture) -> Iterator[Records]:
    """Gives what was logged since it was last asked."""

    def take() -> list[Any]:
        found = [record for record in caplog.records if record.name == "pgauthkit.queries"]
        caplog.clear()
        return found

    with caplog.at_level(logging.DEBUG, logger="pgauthkit.queries"):
        yield take


def test_a_call_of_the_service(
    host: "Host", database: "Database", pgauthkit_config: AuthConfig, records: Records
) -> None:
    """A call is one statement: once it is prepared, one round trip; its time, rows and caller are told, no address."""
    auth = host.service(database.url, pgauthkit_config, query_log=True)
    auth.request_magic_link(ADA)
    (first,) = [record for record in records() if "magic_links" in record.statement]
    assert (first.rows, first.round_trips) == (1, 2)
    auth.request_magic_link(ADA)
    (record,) = records()
    assert (record.rows, record.round_trips, record.levelno) == (1, 1, logging.INFO)
    assert 0 < record.milliseconds < 20_000
    # The async twin is waited for by the tests' host, which is then whose line it is.
    assert record.caller.rpartition("/")[2].partition(":")[0] in {HERE, "conftest.py"}
    assert record.caller.rpartition(":")[2].isdecimal()
    message = record.getMessage()
    assert f"{record.milliseconds} ms, 1 rows, 1 round trips, {record.caller}: /*NO LOAD BALANCE*/ WITH" in message
    assert "\n" not in message
    assert "do-not-print-me" not in f"{message}{vars(record)}"


def test_a_call_of_the_service_that_fails(
    host: "Host", pgauthkit_empty_url: str, pgauthkit_config: AuthConfig, records: Records
) -> None:
    """A statement that fails is logged with its SQLSTATE."""
    auth = host.service(pgauthkit_empty_url, pgauthkit_config, query_log=True)
    with pytest.raises(PgAuthKitError):
        auth.request_magic_link(ADA)
    record = records()[-1]
    assert (record.rows, record.sqlstate) == (None, "42P01")
    assert "failed (42P01)" in record.getMessage()


def test_the_hosts_own_statements(host: "Host", database: "Database", records: Records) -> None:
    """What goes through SQLAlchemy is logged as well, with the BEGIN of its transaction, and without its values."""
    engine = host.engine(database.url, query_log=True)

    def work(db: orm.Session) -> None:
        db.add(User(id="u1", email=ADA))
        db.flush()
        records()
        db.execute(sa.select(User).where(User.email == ADA)).all()

    host.in_session(engine, work)
    (select,) = records()
    assert (select.rows, select.round_trips) == (1, 1)
    assert select.statement.startswith("SELECT pgauthkit.users.id, ")
    assert HERE in select.caller
    host.in_session(engine, lambda db: db.execute(sa.text("SET LOCAL lock_timeout = '1s'")))
    (command,) = records()
    assert (command.rows, command.round_trips) == (None, 2)
    assert database.ask("SELECT count(*) FROM pgauthkit.users") == [(1,)]


def test_the_hosts_own_statements_that_fail(host: "Host", database: "Database", records: Records) -> None:
    """A statement that fails is logged with its SQLSTATE, and without its values; the error is the host's as ever."""
    engine = host.engine(database.url, query_log=True)
    divide = sa.text("SELECT 1 / CAST(:value AS int), 'do-not-print-me' = :other")

    def fail(connection: sa.Connection) -> None:
        connection.execute(divide, {"value": 0, "other": "4321"})

    with pytest.raises(sa.exc.DataError):
        host.in_connection(engine, fail)
    record = records()[-1]
    assert record.sqlstate == "22012"
    assert "4321" not in f"{record.getMessage()}{vars(record)}"


def test_an_error_before_any_statement(host: "Host", records: Records) -> None:
    """A database that cannot be reached is no statement."""
    engine = host.engine("postgresql://app@127.0.0.1:1/app", query_log=True)
    with pytest.raises(sa.exc.OperationalError):
        host.in_connection(engine, lambda connection: connection.scalar(sa.text("SELECT 1")))
    assert records() == []


def test_only_what_is_slow(host: "Host", database: "Database", records: Records) -> None:
    """With a duration only those statements are logged that take so long, as warnings."""
    engine = host.engine(database.url, query_log=timedelta(milliseconds=150))
    sleep = sa.text("SELECT pg_sleep(0.2)")
    host.in_connection(engine, lambda connection: connection.execute(sleep))
    records()
    host.in_connection(engine, lambda connection: (connection.scalar(sa.text("SELECT 1")), connection.execute(sleep)))
    (record,) = [record for record in records() if "pg_sleep" in record.statement]
    assert record.levelno == logging.WARNING
    assert record.milliseconds >= 150


def test_every_statement_is_slow_at_zero(host: "Host", database: "Database", records: Records) -> None:
    """No time at all, or less, makes every statement a slow one."""
    engine = host.engine(database.url, query_log=timedelta(-1))
    host.in_connection(engine, lambda connection: connection.scalar(sa.text("SELECT 1")))
    assert {logging.WARNING} == {record.levelno for record in records()}


def test_off(host: "Host", database: "Database", pgauthkit_config: AuthConfig, records: Records) -> None:
    """Without being asked for nothing is logged, and nobody listens."""
    engine = host.engine(database.url)
    host.service_on(engine, pgauthkit_config).request_magic_link(ADA)
    assert records() == []
    assert QueryLog.on(engine) is None
    assert list(engine.dispatch.before_cursor_execute) == []


def test_an_async_host(database: "Database", pgauthkit_config: AuthConfig, records: Records) -> None:
    """In async code the caller is the line that awaits."""

    async def main() -> None:
        engine = create_async_engine(database.url, query_log=True)
        await AsyncAuthService(engine, pgauthkit_config).request_magic_link(ADA)
        async with AsyncSession(engine) as db:
            await db.execute(sa.select(User))
        await engine.dispose()

    asyncio.run(main())
    callers = {record.caller for record in records()}
    assert len(callers) >= 2
    assert all(HERE in caller for caller in callers)


def test_nobody_of_the_host() -> None:
    """Where only libraries are on the stack there is no caller."""
    here: dict[str, Any] = {"__name__": "asyncio.made_up", "find_caller": find_caller}
    exec("found = [None]\ndef look():\n    found[0] = find_caller()", here)  # noqa: S102 - a module of our own
    import threading  # noqa: PLC0415

    thread = threading.Thread(target=here["look"])
    thread.start()
    thread.join()
    assert here["found"] == [None]
