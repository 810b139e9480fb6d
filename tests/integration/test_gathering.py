"""Tokens that come in one turn of the event loop: one statement, in which nobody harms another."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from contextlib import asynccontextmanager, closing
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, LiteralString, TypeVar

import attrs
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine, event

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_async_engine
from pgauthkit.database.awaiting.gathering import MOST
from pgauthkit.errors import (
    DatabaseUnavailableError,
    InvalidTokenError,
    SessionRevokedError,
    TokenExpiredError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import Identity, SignIn, TokenPair

if TYPE_CHECKING:
    from tests.integration.conftest import Database

T = TypeVar("T")
Outcomes = list[Identity | BaseException]
People = Callable[[int], list[SignIn]]
Run = Callable[..., Any]
Work = Callable[[AsyncAuthService], Coroutine[Any, Any, T]]
PATIENCE: Final = 60.0  # seconds, before a test that hangs fails
WAITING: Final = (
    "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock' "
    "AND query LIKE '%%asked.number%%' AND pid <> %s"
)


def access(of: SignIn | TokenPair) -> str:
    return (of.tokens if isinstance(of, SignIn) else of).access_token.reveal()


def forged(token: str) -> str:
    known = SessionToken.parse(Kind.ACCESS, token)
    return attrs.evolve(known, secret=bytes(32)).text(Kind.ACCESS).reveal()


@pytest.fixture
def auth(pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> AuthService:
    """The sync service, for what is done before."""
    return AuthService(pgauthkit_engine, pgauthkit_config)


@pytest.fixture
def people(auth: AuthService) -> People:
    """Signs so many people in."""

    def sign_in(email: str) -> SignIn:
        return auth.verify_magic_link(auth.request_magic_link(email).token.reveal())

    return lambda count: [sign_in(f"user{number}@example.com") for number in range(count)]


@pytest.fixture
def asked() -> list[object]:
    """A line for each time that a connection was taken."""
    return []


@pytest.fixture
def run(pgauthkit_url: str, pgauthkit_config: AuthConfig, asked: list[object]) -> Run:
    """Runs something with the async service, in an event loop of its own."""

    def run(work: Work[T], *, config: AuthConfig = pgauthkit_config, **options: Any) -> T:  # noqa: ANN401
        async def main() -> T:
            engine = create_async_engine(pgauthkit_url, **options)
            event.listen(engine.sync_engine, "checkout", lambda *_: asked.append(None))
            try:
                return await work(AsyncAuthService(engine, config))
            finally:
                await engine.dispose()

        return asyncio.run(main())

    return run


async def outcomes(calls: list[Awaitable[Identity]]) -> Outcomes:
    return await asyncio.gather(*calls, return_exceptions=True)


@asynccontextmanager
async def locked(url: str) -> AsyncIterator[psycopg.AsyncConnection[Any]]:
    """Have every read of sessions wait; gives a connection that may look and kill meanwhile."""
    async with await psycopg.AsyncConnection.connect(url) as blocking:
        await blocking.execute("LOCK TABLE pgauthkit.sessions")
        async with await psycopg.AsyncConnection.connect(url, autocommit=True) as looking:
            yield looking


async def waiting(looking: psycopg.AsyncConnection[Any], but: int = 0) -> int:
    """Wait until a statement for many waits in another process; return its process."""
    async with asyncio.timeout(PATIENCE):
        while not (found := await (await looking.execute(WAITING, [but])).fetchall()):  # noqa: ASYNC110 - of the server
            await asyncio.sleep(0.01)
    return int(found[0][0])


def test_one_statement(people: People, run: Run, asked: list[object]) -> None:
    """Everybody who comes in one turn is answered by one statement, and each with who they are."""
    five = people(5)

    async def work(auth: AsyncAuthService) -> Outcomes:
        return await outcomes([auth.authenticate(access(one)) for one in five * 2])

    assert run(work) == [one.user for one in five * 2]
    assert len(asked) == 1


def test_who_comes_alone(people: People, run: Run, asked: list[object]) -> None:
    """One after the other is one statement each, and what ended in between counts."""
    (one,) = people(1)

    async def work(auth: AsyncAuthService) -> None:
        assert await auth.authenticate(access(one)) == await auth.authenticate(access(one))
        await auth.sign_out(access(one))
        with pytest.raises(SessionRevokedError):
            await auth.authenticate(access(one))

    run(work)
    assert len(asked) == 4


def test_who_comes_alone_beside_other_work(people: People, run: Run, asked: list[object]) -> None:
    """Whatever else runs in a turn, who asks alone in it is answered."""
    (one,) = people(1)

    async def work(auth: AsyncAuthService) -> Identity:
        asyncio.get_running_loop().call_soon(asked.clear)
        return await auth.authenticate(access(one))

    assert run(work) == one.user
    assert len(asked) == 1


def test_who_is_alone_again(people: People, run: Run) -> None:
    """Who was answered with others, and goes on alone, asks in their own task again."""
    (one,) = people(1)

    async def work(auth: AsyncAuthService) -> int:
        loop, made = asyncio.get_running_loop(), list[object]()

        def make(loop: asyncio.AbstractEventLoop, work: Any, **options: Any) -> Any:  # noqa: ANN401 - asyncio's own
            made.append(work)
            return asyncio.Task(work, loop=loop, **options)

        await auth.authenticate(access(one))
        loop.set_task_factory(make)
        loop.call_soon(made.clear)  # so that the loop has more to do, and the first one gathers
        for _ in range(5):
            await auth.authenticate(access(one))
        return len(made)

    assert run(work) == 0


def test_an_interrupt(people: People, pgauthkit_url: str, pgauthkit_config: AuthConfig) -> None:
    """What one does with their answer, and ends the loop by, keeps nobody from theirs when the loop goes on."""
    three = people(3)
    engine = create_async_engine(pgauthkit_url)
    auth = AsyncAuthService(engine, pgauthkit_config)

    async def first() -> None:
        await auth.authenticate(access(three[0]))
        raise KeyboardInterrupt

    with closing(asyncio.new_event_loop()) as loop:
        call = loop.create_task(first())
        calls = [loop.create_task(auth.authenticate(access(one))) for one in three[1:]]
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        others = loop.run_until_complete(outcomes(list(calls)))
        assert isinstance(call.exception(), KeyboardInterrupt)
        loop.run_until_complete(engine.dispose())
    assert others == [one.user for one in three[1:]]


def test_a_statement_has_a_bound(people: People, run: Run, asked: list[object]) -> None:
    """More than 64 are asked about in several statements, at once."""
    (one,) = people(1)

    async def work(auth: AsyncAuthService) -> Outcomes:
        return await outcomes([auth.authenticate(access(one)) for _ in range(2 * MOST + 1)])

    assert run(work) == [one.user] * (2 * MOST + 1)
    assert len(asked) == 3


def test_each_is_refused_for_themselves(
    auth: AuthService, database: "Database", people: People, run: Run, pgauthkit_clock: Clock
) -> None:
    """A bad token is nobody else's: malformed, unknown, ended, expired, of an inactive user, or with another secret."""
    good, ended, expired, inactive, gone = people(5)
    auth.sign_out(access(ended))
    database.tell("DELETE FROM pgauthkit.sessions WHERE id = %s", gone.user.session_id)
    database.tell("UPDATE pgauthkit.users SET is_active = false WHERE id = %s", inactive.user.user_id)
    command: LiteralString = "UPDATE pgauthkit.sessions SET access_expires_at = %s WHERE id = %s"
    database.tell(command, pgauthkit_clock(), expired.user.session_id)
    expected: dict[str, type[Exception] | Identity] = {
        access(good): good.user,
        forged(access(good)): InvalidTokenError,
        access(ended): SessionRevokedError,
        "rubbish": InvalidTokenError,
        access(expired): TokenExpiredError,
        access(gone): InvalidTokenError,
        access(inactive): UserInactiveError,
    }

    async def work(auth: AsyncAuthService) -> Outcomes:
        return await outcomes([auth.authenticate(token) for token in expected])

    found = run(work)
    assert list(expected.values()) == [type(one) if isinstance(one, Exception) else one for one in found]


@pytest.mark.parametrize("turns", [0, 1, 2, 5])
@pytest.mark.parametrize("which", [0, 1])
def test_one_who_is_cancelled(people: People, run: Run, turns: int, which: int) -> None:
    """Who gives up, whenever that is, and whether they came first, leaves the others their answers."""
    three = people(3)

    async def work(auth: AsyncAuthService) -> Outcomes:
        calls = [asyncio.create_task(auth.authenticate(access(one))) for one in three]
        for _ in range(turns):
            await asyncio.sleep(0)
        calls[which].cancel()
        return await outcomes(list(calls))

    found = run(work)
    assert isinstance(found.pop(which), asyncio.CancelledError)
    three.pop(which)
    assert found == [one.user for one in three]


def test_a_connection_that_is_lost(people: People, run: Run, pgauthkit_url: str) -> None:
    """Where the one connection of many is lost, they are asked about again on another."""
    three = people(3)

    async def work(auth: AsyncAuthService) -> Outcomes:
        async with locked(pgauthkit_url) as looking:
            calls = [asyncio.create_task(auth.authenticate(access(one))) for one in three]
            first = await waiting(looking)
            await looking.execute("SELECT pg_terminate_backend(%s)", [first])
            await waiting(looking, but=first)
        return await outcomes(list(calls))

    assert run(work) == [one.user for one in three]


def test_a_database_that_is_away(people: People, run: Run, pgauthkit_url: str) -> None:
    """Where that is lost as well, each is told so by an error of their own, and who gave up is left alone."""
    three = people(3)

    async def work(auth: AsyncAuthService) -> Outcomes:
        async with locked(pgauthkit_url) as looking:
            calls = [asyncio.create_task(auth.authenticate(access(one))) for one in three]
            first = await waiting(looking)
            await looking.execute("SELECT pg_terminate_backend(%s)", [first])
            second = await waiting(looking, but=first)
            calls[0].cancel()
            await looking.execute("SELECT pg_terminate_backend(%s)", [second])
            return await outcomes(list(calls))

    gone, one, other = run(work)
    assert isinstance(gone, asyncio.CancelledError)
    assert isinstance(one, DatabaseUnavailableError)
    assert isinstance(other, DatabaseUnavailableError)
    assert one is not other
    assert (one.hints, str(one)) == (other.hints, str(other))
    assert (one.__cause__, one.__context__) == (None, None)


def test_a_call_that_takes_too_long(people: People, run: Run, pgauthkit_url: str) -> None:
    """Many are one call: it is not asked again when its time is over."""
    two = people(2)

    async def work(auth: AsyncAuthService) -> Outcomes:
        async with locked(pgauthkit_url):
            return await outcomes([auth.authenticate(access(one)) for one in two])

    for error in run(work, call_timeout=0.3):
        assert isinstance(error, DatabaseUnavailableError)
        assert "call_timeout" in error.hints[0]


def test_an_event_loop_that_ends(people: People, run: Run, pgauthkit_url: str) -> None:
    """A loop that cancels all of its tasks leaves nobody who waits for one of them."""
    two = people(2)

    async def work(auth: AsyncAuthService) -> list[bool]:
        async with locked(pgauthkit_url) as looking:
            calls = [asyncio.create_task(auth.authenticate(access(one))) for one in two]
            await waiting(looking)
            for task in asyncio.all_tasks() - {asyncio.current_task(), *calls}:
                task.cancel()
            await asyncio.wait(calls, timeout=PATIENCE)
            return [call.cancelled() for call in calls]

    assert run(work) == [True, True]


def test_an_error_of_the_hosts(people: People, run: Run, pgauthkit_config: AuthConfig) -> None:
    """What the host's own clock raises is raised by each call, as it is."""
    two = people(2)

    def broken() -> datetime:
        raise ZeroDivisionError

    async def work(auth: AsyncAuthService) -> Outcomes:
        return await outcomes([auth.authenticate(access(one)) for one in two])

    found = run(work, config=attrs.evolve(pgauthkit_config, clock=broken))
    assert [ZeroDivisionError, ZeroDivisionError] == [type(error) for error in found]


class TestTouches:
    def test_one_statement(
        self,
        database: "Database",
        people: People,
        run: Run,
        asked: list[object],
        pgauthkit_clock: Clock,
    ) -> None:
        """What is to be written of those who come at once is one statement; a locked row is left to the next."""
        four = people(4)
        before = pgauthkit_clock()
        now = pgauthkit_clock.move(timedelta(minutes=5))

        async def work(auth: AsyncAuthService) -> Outcomes:
            return await outcomes([auth.authenticate(access(one)) for one in four])

        with psycopg.connect(database.url) as other:
            held = "SELECT 1 FROM pgauthkit.sessions WHERE id = %s FOR UPDATE"
            other.execute(held, [four[0].user.session_id])
            assert run(work) == [one.user for one in four]
        assert len(asked) == 2
        used: dict[str, datetime] = dict(database.ask("SELECT id, last_used_at FROM pgauthkit.sessions"))
        assert [before, now, now, now] == [used[one.user.session_id] for one in four]

    def test_both_tokens_of_a_session(self, auth: AuthService, database: "Database", people: People, run: Run) -> None:
        """The first use of a pair is written although a request with the pair of before comes with it."""
        (one,) = people(1)
        following = auth.refresh(one.tokens.refresh_token.reveal())

        async def work(auth: AsyncAuthService) -> Outcomes:
            return await outcomes([auth.authenticate(token) for token in (access(one), access(following))])

        confirmed = sql.SQL("SELECT confirmed_at IS NOT NULL FROM pgauthkit.sessions")
        assert all(isinstance(found, Identity) for found in run(work))
        with psycopg.connect(database.url) as looking:
            assert looking.execute(confirmed).fetchall() == [(True,)]
