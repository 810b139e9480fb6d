"""The service inside a transaction of the host, by a session and by a connection."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, TypeVar

import pytest
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, orm
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, async_scoped_session, async_sessionmaker

from pgauthkit import AsyncAuthService, AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import (
    ConfigError,
    InvalidCodeError,
    PendingMigrationsError,
    RefreshTokenReusedError,
    RetryableError,
    TokenAlreadyUsedError,
    UniqueViolationError,
)
from pgauthkit.models import Session, User
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, PurgeReport, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

T = TypeVar("T")
Db = orm.Session | Connection
Work = Callable[[Callable[[Db], T]], T]
ADA, EVE = "ada@example.com", "eve@example.com"


class RolledBackError(Exception):
    """The host changed its mind."""


@pytest.fixture(params=["session", "connection"])
def transaction(request: pytest.FixtureRequest, host: "Host", engine: Engine) -> Work[object]:
    """Does something in a transaction of the host, committed unless it raises."""
    return partial(host.in_session if request.param == "session" else host.in_connection, engine)


def kinds(events: list[AuthEvent]) -> list[str]:
    return [event.kind for event in events]


class TestCommitted:
    def test_rows_of_the_host_with_a_sign_up(
        self, auth: AuthService, database: "Database", transaction: Work[SignIn]
    ) -> None:
        """A sign-up and what the host adds to it are seen by nobody before the commit, and by everybody after."""
        token = auth.request_magic_link(ADA).token.reveal()

        def work(db: Db) -> SignIn:
            signed_in = auth.within(db).verify_magic_link(token)
            db.execute(sa.update(User).values(role="ADMIN").where(User.id == signed_in.user.user_id))
            assert database.ask("SELECT 1 FROM pgauthkit.users") == []
            return signed_in

        signed_in = transaction(work)
        assert auth.authenticate(signed_in.tokens.access_token.reveal()).role == "ADMIN"
        with pytest.raises(TokenAlreadyUsedError):
            auth.verify_magic_link(token)

    def test_what_the_session_has_pending_is_seen(self, auth: AuthService, host: "Host", engine: Engine) -> None:
        """An object that the session was given and has not sent yet is there for the service."""

        def work(db: orm.Session) -> SignIn:
            db.add(User(id="mine", email=ADA))
            return auth.within(db).open_session("mine")

        assert auth.authenticate(host.in_session(engine, work).tokens.access_token.reveal()).user_id == "mine"

    def test_every_method(
        self,
        configured: "Configured",
        transaction: Work[PurgeReport],
        pgauthkit_clock: Clock,
        events: list[AuthEvent],
    ) -> None:
        """Every method does in a transaction what it does outside; its events are told after the commit, in order."""

        def work(db: Db) -> PurgeReport:
            auth = configured(codes=True).within(db)
            link = auth.request_magic_link(ADA, ip="203.0.113.7")
            assert auth.peek_magic_link(link.token.reveal()).email == ADA
            first = auth.verify_code(link.id, link.code.reveal() if link.code else "")
            user_id = first.user.user_id
            tokens = auth.refresh(first.tokens.refresh_token.reveal())
            pgauthkit_clock.move(timedelta(minutes=2))
            assert user_id == auth.authenticate(tokens.access_token.reveal()).user_id
            auth.sign_out(tokens.access_token.reveal())
            second, third = auth.open_session(user_id), auth.open_session(user_id)
            devices = auth.list_devices(user_id)
            assert (len(devices), auth.forget_device(user_id, devices[0].id)) == (3, True)
            assert auth.revoke_session(user_id, second.tokens.session_id)
            assert [third.tokens.session_id] == [session.id for session in auth.list_sessions(user_id)]
            assert [third.tokens.session_id] == auth.revoke_sessions(user_id)
            assert auth.change_email(user_id, EVE) == []
            assert auth.deactivate_user(user_id) == []
            assert auth.activate_user(user_id) == []
            pgauthkit_clock.move(timedelta(days=1))
            assert events == []
            return auth.purge(keep=timedelta())

        assert PurgeReport(magic_links=1, sessions=3, rate_limits=3) == transaction(work)
        assert [
            *("link_requested", "signed_in", "refreshed", "signed_out"),
            *("signed_in", "signed_in", "device_forgotten"),
            *("sessions_revoked", "sessions_revoked", "email_changed", "user_deactivated", "user_activated"),
        ] == kinds(events)

    def test_time_goes_on(self, configured: "Configured", database: "Database", transaction: Work[None]) -> None:
        """On database time, two statements of one transaction have two times."""
        auth = configured(clock=None)

        def work(db: Db) -> None:
            for email in (ADA, EVE):
                auth.within(db).request_magic_link(email)

        transaction(work)
        assert database.ask("SELECT count(DISTINCT created_at) FROM pgauthkit.magic_links") == [(2,)]

    def test_an_observer_sees_the_commit(
        self, configured: "Configured", database: "Database", host: "Host", engine: Engine
    ) -> None:
        """When an observer is told by a session, everybody can see what it is told of."""
        seen: list[object] = []
        auth = configured(
            observers=(lambda _event: seen.append(database.ask("SELECT email FROM pgauthkit.magic_links")),)
        )
        host.in_session(engine, lambda db: auth.within(db).request_magic_link(ADA))
        assert seen == [[(ADA,)]]


class TestRolledBack:
    def test_nothing_is_kept_or_told(
        self, auth: AuthService, database: "Database", transaction: Work[None], events: list[AuthEvent]
    ) -> None:
        """A rollback takes everything back: the link is as good as before, and nobody was told anything."""
        token = auth.request_magic_link(ADA).token.reveal()
        before = database.contents()
        events.clear()

        def work(db: Db) -> None:
            auth.within(db).verify_magic_link(token)
            raise RolledBackError

        with pytest.raises(RolledBackError):
            transaction(work)
        assert before == database.contents()
        assert events == []
        assert auth.verify_magic_link(token).user.email == ADA

    def test_attempts_and_revocations_are_undone(
        self, configured: "Configured", database: "Database", sign_in: "SigningIn", transaction: Work[None]
    ) -> None:
        """As the docstring warns: an attempt at a code, and the revocation after a replay, go with the rollback."""
        auth = configured(codes=True, refresh_grace=timedelta())
        tokens = sign_in(by=auth).tokens
        auth.authenticate(auth.refresh(tokens.refresh_token.reveal()).access_token.reveal())
        link = auth.request_magic_link(ADA)
        before = database.contents()

        def guess(db: Db) -> None:
            auth.within(db).verify_code(link.id, "wrong")

        def replay(db: Db) -> None:
            auth.within(db).refresh(tokens.refresh_token.reveal())

        with pytest.raises(InvalidCodeError):
            transaction(guess)
        with pytest.raises(RefreshTokenReusedError):
            transaction(replay)
        assert before == database.contents()

    def test_the_next_transaction_tells_only_its_own(
        self, auth: AuthService, transaction: Work[None], database: "Database", events: list[AuthEvent]
    ) -> None:
        """What was rolled back is not told by a later commit of the same session or connection, nor anything twice."""

        def work(db: Db) -> None:
            auth.within(db).request_magic_link(ADA)
            db.rollback()
            auth.within(db).request_magic_link(EVE)
            db.commit()
            db.execute(sa.select(1))
            db.commit()

        transaction(work)
        assert [(event.detail["link_id"],) for event in events] == database.ask("SELECT id FROM pgauthkit.magic_links")

    @pytest.mark.parametrize("kept", [False, True])
    def test_savepoints(
        self, auth: AuthService, database: "Database", transaction: Work[None], events: list[AuthEvent], *, kept: bool
    ) -> None:
        """What a savepoint takes back is not told, and what was before and after it is."""

        def work(db: Db) -> None:
            within = auth.within(db)
            within.request_magic_link("before@example.com")
            savepoint = db.begin_nested()
            within.request_magic_link("in@example.com")
            with db.begin_nested():
                within.request_magic_link("deeper@example.com")
            savepoint.commit() if kept else savepoint.rollback()
            assert events == []
            within.request_magic_link("after@example.com")

        transaction(work)
        written = database.ask("SELECT id FROM pgauthkit.magic_links")
        assert (4 if kept else 2) == len(written)
        # Sorted, since ids of one millisecond are in no order.
        assert sorted(written) == sorted((event.detail["link_id"],) for event in events)

    def test_a_savepoint_from_before(
        self, auth: AuthService, database: "Database", transaction: Work[None], events: list[AuthEvent]
    ) -> None:
        """A savepoint that was there before the service joined takes back what was told in it."""

        def work(db: Db) -> None:
            savepoint = db.begin_nested()
            auth.within(db).request_magic_link(ADA)
            savepoint.rollback()

        transaction(work)
        assert events == []
        assert database.ask("SELECT 1 FROM pgauthkit.magic_links") == []


class TestErrors:
    def test_nothing_is_repeated(
        self, configured: "Configured", host: "Host", engine: Engine, database: "Database", sign_in: "SigningIn"
    ) -> None:
        """Where another transaction was in the way the host is told at once, since only it can begin anew."""
        auth = configured(clock=None)
        user_id = sign_in(by=auth).user.user_id

        def work(db: orm.Session) -> None:
            db.connection(execution_options={"isolation_level": "SERIALIZABLE"})
            db.execute(sa.select(User))
            database.tell("UPDATE pgauthkit.users SET role = 'ADMIN'")
            auth.within(db).open_session(user_id)

        with pytest.raises(RetryableError) as caught:
            host.in_session(engine, work)
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert database.ask("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]

    def test_a_violation(self, auth: AuthService, transaction: Work[object], sign_in: "SigningIn") -> None:
        """An error is the same as outside, and has nothing of the driver's."""
        user_id = sign_in(ADA).user.user_id
        sign_in(EVE)
        with pytest.raises(UniqueViolationError) as caught:
            transaction(lambda db: auth.within(db).change_email(user_id, EVE))
        assert (caught.value.constraint, caught.value.columns) == ("uq_users_email", ("email",))
        assert (caught.value.__cause__, caught.value.__context__) == (None, None)

    def test_without_tables(self, host: "Host", pgauthkit_empty_url: str, pgauthkit_config: AuthConfig) -> None:
        """In a database without our tables the error says so."""
        engine = host.engine(pgauthkit_empty_url)
        auth = host.service_on(engine, pgauthkit_config)
        with pytest.raises(PendingMigrationsError):
            host.in_session(engine, lambda db: auth.within(db).request_magic_link(ADA))

    def test_an_async_connection_must_be_started(
        self, pgauthkit_async_engine: AsyncEngine, pgauthkit_async_auth: AsyncAuthService
    ) -> None:
        """There is no transaction to join on a connection that was not started."""
        with pytest.raises(ConfigError, match="has not been started"):
            pgauthkit_async_auth.within(AsyncConnection(pgauthkit_async_engine))


def test_the_service_itself_stays_outside(
    auth: AuthService, database: "Database", transaction: Work[None], events: list[AuthEvent]
) -> None:
    """The service that another was made from works on its engine as before."""

    def work(db: Db) -> None:
        auth.within(db).request_magic_link(ADA)
        auth.request_magic_link(EVE)
        assert kinds(events) == ["link_requested"]
        raise RolledBackError

    with pytest.raises(RolledBackError):
        transaction(work)
    assert database.ask("SELECT email FROM pgauthkit.magic_links") == [(EVE,)]


def test_a_session_with_more_than_one_database(
    pgauthkit_auth: AuthService, pgauthkit_engine: Engine, database: "Database"
) -> None:
    """Where a session keeps its models in several databases, ours is that of the users."""
    with orm.Session(binds={User: pgauthkit_engine, Session: pgauthkit_engine}) as db, db.begin():
        pgauthkit_auth.within(db).request_magic_link(ADA)
    assert database.ask("SELECT email FROM pgauthkit.magic_links") == [(ADA,)]


def test_the_plugins_session(
    pgauthkit_auth: AuthService, pgauthkit_session: orm.Session, database: "Database", events: list[AuthEvent]
) -> None:
    """In a session whose work is rolled back after the test, a commit tells, and yet nothing is kept."""
    pgauthkit_auth.within(pgauthkit_session).request_magic_link(ADA)
    pgauthkit_session.commit()
    assert kinds(events) == ["link_requested"]
    assert database.ask("SELECT 1 FROM pgauthkit.magic_links") == []


class TestScopedSession:
    """`scoped_session` is what Flask-SQLAlchemy calls `db.session`."""

    def test_each_thread_has_events_of_its_own(self, database: "Database", sign_in: "SigningIn") -> None:
        """What another thread commits or rolls back by the same name neither publishes nor drops an event."""
        events: list[AuthEvent] = []
        user = sign_in(ADA).user.user_id
        engine = create_engine(database.url)
        db = orm.scoped_session(orm.sessionmaker(engine))
        service = AuthService(engine, AuthConfig(observers=(events.append,)))
        service.within(db).open_session(user)
        with ThreadPoolExecutor() as elsewhere:
            elsewhere.submit(_end, db, "commit").result()
        db.rollback()
        assert kinds(events) == []
        service.within(db).open_session(user)
        with ThreadPoolExecutor() as elsewhere:
            elsewhere.submit(_end, db, "rollback").result()
        db.commit()
        db.remove()
        engine.dispose()
        assert kinds(events) == ["signed_in"]

    def test_async(self, pgauthkit_async_engine: AsyncEngine) -> None:
        """The async twin resolves an `async_scoped_session` as well."""

        async def work() -> str:
            db = async_scoped_session(async_sessionmaker(pgauthkit_async_engine), asyncio.current_task)
            service = AsyncAuthService(pgauthkit_async_engine).within(db)
            link = await service.request_magic_link(ADA)
            signed_in = await service.verify_magic_link(link.token.reveal())
            await db.commit()
            await db.remove()
            return signed_in.user.email

        assert asyncio.run(work()) == ADA


def test_tasks_that_share_a_session(pgauthkit_async_engine: AsyncEngine) -> None:
    """None reads what another waits for: each call gets its own answer, and none waits for ever."""

    async def work() -> tuple[list[str], list[str], str]:
        service = AsyncAuthService(pgauthkit_async_engine)
        signed_in = await service.verify_magic_link((await service.request_magic_link(ADA)).token.reveal())
        token = signed_in.tokens.access_token.reveal()
        async with async_sessionmaker(pgauthkit_async_engine)() as db, asyncio.timeout(30):
            inside = service.within(db)
            first = await inside.authenticate(token)
            found, sessions, link = await asyncio.gather(
                asyncio.gather(*(inside.authenticate(token) for _ in range(4))),
                inside.list_sessions(first.user_id),
                inside.request_magic_link(EVE),
            )
            return [who.email for who in found], [one.id for one in sessions], link.email

    found, sessions, asked = asyncio.run(work())
    assert (found, len(sessions), asked) == ([ADA] * 4, 1, EVE)


def _end(db: orm.scoped_session[orm.Session], ending: str) -> None:
    db.execute(sa.text("SELECT 1"))
    getattr(db, ending)()
    db.remove()
