"""Async `authenticate` on a connection that is at hand: no greenlet, and everything that a call promises."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from time import time
from typing import TYPE_CHECKING, Any

import greenlet
import psycopg
import pytest
from sqlalchemy import AsyncAdaptedQueuePool, event, make_url
from sqlalchemy.ext.asyncio import AsyncEngine
from sqlalchemy.util import greenlet_spawn
from tests.counting import uncollected

from pgauthkit import AsyncAuthService, AuthService
from pgauthkit.database import create_async_engine
from pgauthkit.database.deadline import limit_calls
from pgauthkit.errors import DatabaseUnavailableError

if TYPE_CHECKING:
    from tests.integration.conftest import Database

Call = Callable[[], Awaitable[object]]

BUSY = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
ONE_LEFT = "SELECT 1 WHERE 1 = (SELECT count(*) FROM pg_stat_activity WHERE application_name = 'too-old')"
# The first to ask is refused as if it had lost a race, by a view that stands where the table was.
LOSING_ONCE = """
    CREATE SEQUENCE pgauthkit.asked;
    CREATE FUNCTION pgauthkit.is_let() RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN
        IF nextval('pgauthkit.asked') = 1 THEN RAISE EXCEPTION USING ERRCODE = '40001'; END IF; RETURN true; END $$;
    ALTER TABLE pgauthkit.users RENAME TO people;
    CREATE VIEW pgauthkit.users AS SELECT * FROM pgauthkit.people WHERE pgauthkit.is_let();
"""
AS_BEFORE = """
    DROP VIEW pgauthkit.users;
    ALTER TABLE pgauthkit.people RENAME TO users;
    DROP FUNCTION pgauthkit.is_let;
    DROP SEQUENCE pgauthkit.asked;
"""


@pytest.fixture
def token(pgauthkit_auth: AuthService) -> str:
    link = pgauthkit_auth.request_magic_link("ada@example.com")
    return pgauthkit_auth.verify_magic_link(link.token.reveal()).tokens.access_token.reveal()


@asynccontextmanager
async def warm(url: str, token: str, **options: Any) -> AsyncGenerator[tuple[AsyncEngine, Call]]:  # noqa: ANN401 - SQLAlchemy's
    """Give an engine with one idle connection, and a call on it."""
    engine = create_async_engine(url, pool_size=1, max_overflow=0, **options)
    auth = AsyncAuthService(engine)

    async def call() -> object:
        return await auth.authenticate(token)

    await call()
    yield engine, call
    await engine.dispose()


async def switches(call: Call) -> int:
    """Count how often a call goes from one greenlet to another."""
    seen: list[object] = []
    with uncollected():
        before = greenlet.settrace(lambda kind, _: seen.append(kind))
        try:
            await call()
        finally:
            greenlet.settrace(before)
    return len(seen)


def test_no_greenlet(pgauthkit_url: str, token: str) -> None:
    """On an idle connection there is no greenlet; with listeners of the host's, who may need one, there is."""

    async def work() -> None:
        async with warm(pgauthkit_url, token) as (engine, call):
            assert await switches(call) == 0
            backend = await greenlet_spawn(backend_of, engine)
            heard: list[int] = []
            event.listen(engine.sync_engine, "checkout", lambda *_: heard.append(1))
            assert await switches(call) > 0
            assert heard == [1]
            assert await greenlet_spawn(backend_of, engine) == backend

    asyncio.run(work())


def backend_of(engine: AsyncEngine) -> int:
    connection: Any = engine.sync_engine.raw_connection()
    pid: int = connection.driver_connection.info.backend_pid
    connection.close()
    return pid


def test_a_connection_that_is_gone(pgauthkit_url: str, token: str, database: "Database") -> None:
    """Where the server has closed it, or the host has given it up, another is made."""

    async def work() -> None:
        async with warm(pgauthkit_url, token) as (engine, call):
            pid = await greenlet_spawn(backend_of, engine)
            database.tell("SELECT pg_terminate_backend(%s, 60000)", pid)
            await call()
            await greenlet_spawn(lambda: engine.sync_engine.raw_connection().invalidate())
            await call()
            assert await switches(call) == 0

    asyncio.run(work())


def test_a_connection_that_is_too_old(
    pgauthkit_url: str, token: str, database: "Database", caplog: pytest.LogCaptureFixture
) -> None:
    """It is ended as it is replaced, on a pool of ours and on one of SQLAlchemy's own, and there is nothing to log."""

    async def work(**options: Any) -> None:  # noqa: ANN401 - SQLAlchemy's
        query = {"application_name": "too-old"}
        url = make_url(pgauthkit_url).update_query_dict(query).render_as_string(hide_password=False)
        async with warm(url, token, **options) as (engine, call):
            engine.sync_engine.pool._invalidate_time = time()  # as after a failover
            await call()
            await asyncio.to_thread(database.wait_until, ONE_LEFT)
            assert bool(await switches(call)) is bool(options)

    asyncio.run(work())
    asyncio.run(work(poolclass=AsyncAdaptedQueuePool))
    assert not caplog.records


def test_a_transaction_that_was_left_open(pgauthkit_url: str, token: str) -> None:
    """A connection that the host gave back in a transaction is not asked on."""

    async def work() -> None:
        async with warm(pgauthkit_url, token, pool_reset_on_return=None) as (engine, call):

            def leave_open() -> None:
                connection = engine.sync_engine.raw_connection()
                connection.cursor().execute("SELECT 1")
                connection.close()

            await greenlet_spawn(leave_open)
            await call()
            assert await switches(call) == 0

    asyncio.run(work())


@pytest.mark.parametrize("way", ["cancelled", "timed out"])
def test_broken_off(
    pgauthkit_url: str, token: str, database: "Database", way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A call that is cancelled, or takes too long, ends on the server too, and the pool works again."""
    monkeypatch.setattr("pgauthkit.database.deadline.CANCEL_WITHIN", 60.0)  # for a busy machine to hear of it

    async def work() -> None:
        async with warm(pgauthkit_url, token) as (engine, call):
            with psycopg.connect(pgauthkit_url) as other:
                other.execute("LOCK TABLE pgauthkit.sessions IN ACCESS EXCLUSIVE MODE")
                if way == "cancelled":
                    task = asyncio.ensure_future(call())
                    await asyncio.to_thread(database.wait_until, BUSY)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                else:  # it alone has little time
                    limit_calls(engine.sync_engine, 0.5)
                    with pytest.raises(DatabaseUnavailableError):
                        await AsyncAuthService(engine).authenticate(token)
                await asyncio.to_thread(database.wait_until, f"SELECT 1 WHERE NOT EXISTS ({BUSY})")
            await call()

    asyncio.run(work())


def test_after_a_conflict(pgauthkit_url: str, token: str) -> None:
    """A call that loses a race is made again."""

    async def work() -> None:
        async with warm(pgauthkit_url, token) as (_, call):
            with psycopg.connect(pgauthkit_url) as other:  # other tests are given the same database
                other.execute(LOSING_ONCE)
                other.commit()
                await call()
                other.execute(AS_BEFORE)

    asyncio.run(work())
