"""Sessions that are kept in memory: what a hit costs, and when what was ended counts."""

import inspect
import subprocess
import sys
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, LiteralString

import attrs
import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Connection, Engine, event, orm

from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import SessionCache
from pgauthkit.errors import (
    AuthenticationError,
    DatabaseUnavailableError,
    InvalidTokenError,
    PgAuthKitError,
    RefreshTokenReusedError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import Identity, SignIn, TokenPair, UserRole

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

Ending = Callable[[AuthService, SignIn], object]
Work = Callable[[Callable[[orm.Session | Connection], object]], object]

INSTANT: Final = timedelta(microseconds=1)
STALENESS: Final = timedelta(seconds=50)
ADMIN: Final = "UPDATE pgauthkit.users SET role = 'ADMIN'"
# What a host may do to our tables by itself, and how the service refuses it then.
BY_SQL: Final[list[LiteralString]] = [
    "UPDATE pgauthkit.users SET is_active = false",
    "UPDATE pgauthkit.sessions SET revoked_at = now()",
    "UPDATE pgauthkit.sessions SET expires_at = created_at",
    "UPDATE pgauthkit.sessions SET access_expires_at = created_at",
    "DELETE FROM pgauthkit.sessions",
    "DELETE FROM pgauthkit.users",
]


def access(of: SignIn | TokenPair) -> str:
    return (of.tokens if isinstance(of, SignIn) else of).access_token.reveal()


def refresh_token(of: SignIn | TokenPair) -> str:
    return (of.tokens if isinstance(of, SignIn) else of).refresh_token.reveal()


def replay(auth: AuthService, given: SignIn) -> None:
    following = auth.refresh(refresh_token(given))
    auth.refresh(auth.refresh(refresh_token(following)).refresh_token.reveal())
    with pytest.raises(RefreshTokenReusedError):
        auth.refresh(refresh_token(given))


def change_of(auth: AuthService, given: SignIn) -> str:
    return auth.request_email_change(given.user.user_id, "ada@newer.example").token.reveal()


ENDINGS: Final[dict[str, Ending]] = {
    "sign_out": lambda auth, given: auth.sign_out(access(given)),
    "sign_out, refresh token": lambda auth, given: auth.sign_out(refresh_token(given)),
    "refresh": lambda auth, given: auth.refresh(auth.refresh(refresh_token(given)).refresh_token.reveal()),
    "refresh, replayed": replay,
    "revoke_session": lambda auth, given: auth.revoke_session(given.user.user_id, given.user.session_id),
    "revoke_sessions": lambda auth, given: auth.revoke_sessions(given.user.user_id),
    "revoke_all_sessions": lambda auth, _given: auth.revoke_all_sessions(),
    "deactivate_user": lambda auth, given: auth.deactivate_user(given.user.user_id),
    "activate_user": lambda auth, given: [
        auth.deactivate_user(given.user.user_id),
        auth.activate_user(given.user.user_id),
    ],
    "change_email": lambda auth, given: auth.change_email(given.user.user_id, "ada@new.example"),
    "confirm_email_change": lambda auth, given: auth.confirm_email_change(change_of(auth, given)),
    "confirm_email_change, whose is known": lambda auth, given: auth.confirm_email_change(
        change_of(auth, given), user_id=given.user.user_id
    ),
}
END_NOTHING: Final = {
    *("request_magic_link", "peek_magic_link", "verify_magic_link", "verify_code", "authenticate", "open_session"),
    *("list_sessions", "find_user", "purge", "within", "list_devices", "forget_device"),
    *("invite", "list_invitations", "withdraw_invitation", "request_email_change"),
    *("approve_magic_link", "claim_sign_in"),
}


def refused(auth: AuthService, token: str) -> bool:
    try:
        auth.authenticate(token)
    except AuthenticationError:
        return True
    return False


@pytest.fixture
def keeping(configured: "Configured") -> AuthService:
    """The service with a cache."""
    return configured(session_cache=SessionCache(STALENESS))


@pytest.fixture
def asked(engine: Engine) -> Iterator[list[object]]:
    """A line for each time that a connection was taken."""
    times: list[object] = []

    def note(*_arguments: object) -> None:
        times.append(None)

    event.listen(engine, "checkout", note)
    yield times
    event.remove(engine, "checkout", note)


@pytest.fixture
def away(database: "Database", cut: Callable[[], None]) -> Callable[[], AbstractContextManager[object]]:
    """Takes the database away: nobody who is not connected yet gets in, and nobody is connected."""

    @contextmanager
    def away() -> Generator[None]:
        name = database.ask("SELECT current_database()")[0][0]
        with psycopg.connect(database.url, dbname="postgres", autocommit=True) as elsewhere:
            command = sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS {}")
            elsewhere.execute(command.format(sql.Identifier(name), sql.Literal(False)))
            try:
                cut()
                yield
            finally:
                elsewhere.execute(command.format(sql.Identifier(name), sql.Literal(True)))

    return away


def kept(auth: AuthService, given: SignIn) -> Identity:
    """Have an answer kept."""
    return auth.authenticate(access(given))


class TestHit:
    def test_it_costs_no_round_trip(
        self, keeping: AuthService, sign_in: "SigningIn", asked: list[object], database: "Database"
    ) -> None:
        """The same token again is answered from memory, as it was by the database."""
        signed_in = sign_in()
        read = kept(keeping, signed_in)
        asked.clear()
        database.tell(ADMIN)
        assert [read] * 3 == [keeping.authenticate(access(signed_in)) for _ in range(3)]
        assert asked == []

    def test_off_by_default(self, auth: AuthService, sign_in: "SigningIn", database: "Database") -> None:
        """Nothing is kept unless that is asked for."""
        signed_in = sign_in()
        kept(auth, signed_in)
        database.tell(ADMIN)
        assert auth.authenticate(access(signed_in)).role is UserRole.ADMIN

    def test_it_is_as_of_now(self, keeping: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
        """A sign-in is no fresher from memory than it is from the database."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        now = pgauthkit_clock.move(timedelta(seconds=40))
        hit = keeping.authenticate(access(signed_in))
        assert now == hit.asked_at
        assert hit.is_fresh(timedelta(seconds=40))
        assert not hit.is_fresh(timedelta(seconds=40) - INSTANT)

    @pytest.mark.parametrize("rubbish", ["", "pgak_at_", "x" * 1_000_000, "\ud800", None, b"pgak_at_"])
    def test_rubbish(self, keeping: AuthService, rubbish: str) -> None:
        """What is no token is refused as without a cache."""
        with pytest.raises(InvalidTokenError):
            keeping.authenticate(rubbish)

    def test_a_refusal_is_not_kept(self, keeping: AuthService, sign_in: "SigningIn", database: "Database") -> None:
        """Whoever is refused is let in as soon as the database says so."""
        signed_in = sign_in()
        database.tell("UPDATE pgauthkit.users SET is_active = false")
        assert refused(keeping, access(signed_in))
        database.tell("UPDATE pgauthkit.users SET is_active = true")
        assert not refused(keeping, access(signed_in))


class TestElsewhere:
    @pytest.mark.parametrize("command", BY_SQL)
    def test_it_counts_within_the_staleness(
        self,
        keeping: AuthService,
        sign_in: "SigningIn",
        database: "Database",
        pgauthkit_clock: Clock,
        command: LiteralString,
    ) -> None:
        """What another hand ends is good until the answer is as old as it may be, and not an instant longer."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        database.tell(command)
        pgauthkit_clock.move(STALENESS - INSTANT)
        assert not refused(keeping, access(signed_in))
        pgauthkit_clock.move(INSTANT)
        assert refused(keeping, access(signed_in))

    def test_a_role(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """A change of role counts within the staleness, and hits do not prolong it."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        database.tell(ADMIN)
        roles = []
        for _ in range(2):
            pgauthkit_clock.move(STALENESS / 2)
            roles.append(keeping.authenticate(access(signed_in)).role)
        assert roles == [UserRole.USER, UserRole.ADMIN]

    def test_a_clock_that_goes_back(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """An answer of the future is none."""
        signed_in = sign_in()
        pgauthkit_clock.move(timedelta(seconds=1))
        kept(keeping, signed_in)
        database.tell(ADMIN)
        pgauthkit_clock.move(-INSTANT)
        assert keeping.authenticate(access(signed_in)).role is UserRole.ADMIN

    def test_the_end_of_the_token(self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
        """An access token ends at its time, and not with the answer."""
        auth = configured(session_cache=SessionCache(STALENESS), access_ttl=timedelta(seconds=5))
        signed_in = sign_in(by=auth)
        kept(auth, signed_in)
        pgauthkit_clock.move(timedelta(seconds=5) - INSTANT)
        assert not refused(auth, access(signed_in))
        pgauthkit_clock.move(INSTANT)
        assert refused(auth, access(signed_in))

    def test_the_end_of_the_session(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """A session that ends before its access token does not go on in memory."""
        signed_in = sign_in()
        database.tell("UPDATE pgauthkit.sessions SET expires_at = created_at + interval '40 seconds'")
        kept(keeping, signed_in)
        pgauthkit_clock.move(timedelta(seconds=40) - INSTANT)
        assert not refused(keeping, access(signed_in))
        pgauthkit_clock.move(INSTANT)
        assert refused(keeping, access(signed_in))

    def test_the_database_is_away(
        self,
        keeping: AuthService,
        sign_in: "SigningIn",
        away: Callable[[], AbstractContextManager[object]],
        pgauthkit_clock: Clock,
    ) -> None:
        """Whoever was let in a moment ago is let in until the answer is too old; then nobody is."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        with away():
            pgauthkit_clock.move(STALENESS - INSTANT)
            assert not refused(keeping, access(signed_in))
            pgauthkit_clock.move(INSTANT)
            with pytest.raises(DatabaseUnavailableError):
                keeping.authenticate(access(signed_in))
        assert not refused(keeping, access(signed_in))


class TestHere:
    @pytest.fixture
    def keeping(self, configured: "Configured") -> AuthService:
        """The service with a cache, and no time in which a token outlives its successor."""
        return configured(session_cache=SessionCache(STALENESS), refresh_grace=timedelta(0))

    @pytest.mark.parametrize("by", ["itself", "another"])
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_it_counts_at_once(
        self, keeping: AuthService, configured: "Configured", sign_in: "SigningIn", ending: str, by: str
    ) -> None:
        """What is ended in this process is refused at once, whichever service of it did so."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        assert not refused(keeping, access(signed_in))
        ENDINGS[ending](keeping if by == "itself" else configured(refresh_grace=timedelta(0)), signed_in)
        assert refused(keeping, access(signed_in))

    def test_every_method_is_one_or_the_other(self) -> None:
        """Of each method it is known whether it ends something: one that does puts a mark, and is tried above."""
        methods = {name for name, _ in inspect.getmembers(AuthService, inspect.isfunction) if not name.startswith("_")}
        assert methods == END_NOTHING | {name.partition(",")[0] for name in ENDINGS}

    @pytest.fixture
    def other(self, pgauthkit_engine: Engine, pgauthkit_config: AuthConfig) -> AuthService:
        """Another service of this process, which waits for nothing in an event loop."""
        return AuthService(pgauthkit_engine, attrs.evolve(pgauthkit_config, refresh_grace=timedelta(0)))

    @pytest.mark.parametrize("ending", ENDINGS)
    def test_a_read_under_way_brings_nothing_back(
        self,
        keeping: AuthService,
        sign_in: "SigningIn",
        engine: Engine,
        other: AuthService,
        ending: str,
    ) -> None:
        """An answer that was on its way while its session ended is given to who asked, and kept for nobody."""
        signed_in = sign_in()
        endings = [partial(ENDINGS[ending], other, signed_in)]

        def end(*_arguments: object) -> None:
            # The connection comes back when the answer is there, and before anything is made of it.
            while endings:
                endings.pop()()

        event.listen(engine, "checkin", end)
        try:
            assert not refused(keeping, access(signed_in))
        finally:
            event.remove(engine, "checkin", end)
        assert endings == []
        assert refused(keeping, access(signed_in))

    def test_what_was_ended_elsewhere_is_signed_out_here(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database"
    ) -> None:
        """Signing out ends at once what another hand had ended before."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        database.tell("UPDATE pgauthkit.sessions SET revoked_at = now()")
        assert not refused(keeping, access(signed_in))
        keeping.sign_out(access(signed_in))
        assert refused(keeping, access(signed_in))

    def test_a_call_that_fails(self, keeping: AuthService, sign_in: "SigningIn", database: "Database") -> None:
        """Where nobody knows whether something was ended, the database is asked again."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        database.tell(ADMIN)
        database.tell("ALTER TABLE pgauthkit.magic_links RENAME TO gone")
        try:
            with pytest.raises(PgAuthKitError):
                keeping.deactivate_user(signed_in.user.user_id)
        finally:
            database.tell("ALTER TABLE pgauthkit.gone RENAME TO magic_links")
        assert keeping.authenticate(access(signed_in)).role is UserRole.ADMIN

    def test_others_stay(self, keeping: AuthService, sign_in: "SigningIn", asked: list[object]) -> None:
        """Who is not concerned is answered from memory as before."""
        ada, eve = sign_in(), sign_in("eve@example.com")
        for signed_in in (ada, eve):
            kept(keeping, signed_in)
        keeping.sign_out(access(ada))
        asked.clear()
        assert keeping.authenticate(access(eve)).email == "eve@example.com"
        assert asked == []


class TestPairs:
    def test_a_first_use_is_not_kept(self, keeping: AuthService, sign_in: "SigningIn", database: "Database") -> None:
        """The read that confirms a pair is not kept, and the next one is."""
        following = keeping.refresh(refresh_token(sign_in()))
        assert keeping.authenticate(access(following)).role is UserRole.USER
        database.tell(ADMIN)
        assert keeping.authenticate(access(following)).role is UserRole.ADMIN
        database.tell("UPDATE pgauthkit.users SET role = 'USER'")
        assert keeping.authenticate(access(following)).role is UserRole.ADMIN

    def test_a_pair_that_cannot_be_confirmed(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database", host: "Host", engine: Engine
    ) -> None:
        """Where the server takes no writes, a pair that is not confirmed is not kept; an older one is."""
        signed_in, other = sign_in(), sign_in("eve@example.com")
        following = keeping.refresh(refresh_token(signed_in))
        name = database.ask("SELECT quote_ident(current_database())")[0][0]
        database.tell(f"ALTER DATABASE {name} SET default_transaction_read_only TO on")
        host.call(engine.dispose)
        try:
            for token in (access(following), access(other)):
                keeping.authenticate(token)
            database.tell(ADMIN)
            assert keeping.authenticate(access(following)).role is UserRole.ADMIN
            assert keeping.authenticate(access(other)).role is UserRole.USER
        finally:
            database.tell(f"ALTER DATABASE {name} RESET default_transaction_read_only")
            host.call(engine.dispose)

    def test_the_pair_of_before_is_not_kept(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database"
    ) -> None:
        """Requests in flight during a refresh ask the database."""
        signed_in = sign_in()
        keeping.refresh(refresh_token(signed_in))
        kept(keeping, signed_in)
        database.tell(ADMIN)
        assert keeping.authenticate(access(signed_in)).role is UserRole.ADMIN

    def test_last_used_at(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """However busy a session is, `last_used_at` is moved within `touch_interval` and the staleness."""
        signed_in = sign_in()
        for _ in range(12):
            pgauthkit_clock.move(timedelta(seconds=10))
            kept(keeping, signed_in)
        [(used,)] = database.ask("SELECT last_used_at FROM pgauthkit.sessions")
        assert pgauthkit_clock() - used <= timedelta(seconds=60) + STALENESS


class TestWithin:
    @pytest.fixture(params=["session", "connection"])
    def transaction(self, request: pytest.FixtureRequest, host: "Host", engine: Engine) -> Work:
        """Does something in a transaction of the host, committed unless it raises."""
        return partial(host.in_session if request.param == "session" else host.in_connection, engine)

    def test_it_neither_reads_nor_keeps(
        self, keeping: AuthService, sign_in: "SigningIn", database: "Database", transaction: Work
    ) -> None:
        """In a transaction of the host the database is asked, and what it says there is kept for nobody."""
        signed_in = sign_in()
        kept(keeping, signed_in)
        database.tell(ADMIN)

        def work(db: orm.Session | Connection) -> None:
            assert keeping.within(db).authenticate(access(signed_in)).role is UserRole.ADMIN

        transaction(work)
        assert keeping.authenticate(access(signed_in)).role is UserRole.USER

    def test_it_counts_after_the_commit(self, keeping: AuthService, sign_in: "SigningIn", transaction: Work) -> None:
        """What was ended in a transaction of the host is refused from its commit on."""
        signed_in = sign_in()
        kept(keeping, signed_in)

        def work(db: orm.Session | Connection) -> None:
            keeping.within(db).sign_out(access(signed_in))
            assert not refused(keeping, access(signed_in))

        transaction(work)
        assert refused(keeping, access(signed_in))

    def test_a_read_while_the_commit_is_sent(
        self, keeping: AuthService, sign_in: "SigningIn", host: "Host", engine: Engine
    ) -> None:
        """An answer that is read after a connection has announced its commit, and before it is done, is not kept."""
        first, second = sign_in(), sign_in("eve@example.com")
        for signed_in in (first, second):
            kept(keeping, signed_in)

        def work(db: Connection) -> None:
            for signed_in in (first, second):
                keeping.within(db).sign_out(access(signed_in))
                event.listen(db, "commit", lambda _: refused(keeping, access(first)))

        host.in_connection(engine, work)
        assert refused(keeping, access(first))
        assert refused(keeping, access(second))

    def test_a_rollback_ends_nothing(
        self, keeping: AuthService, sign_in: "SigningIn", transaction: Work, asked: list[object]
    ) -> None:
        """What the host rolls back has not happened, and answers stay."""
        signed_in = sign_in()
        kept(keeping, signed_in)

        def work(db: orm.Session | Connection) -> None:
            keeping.within(db).sign_out(access(signed_in))
            raise InterruptedError

        with pytest.raises(InterruptedError):
            transaction(work)
        asked.clear()
        assert not refused(keeping, access(signed_in))
        assert asked == []


# A child asks the database, also where another thread of its parent was about to keep something; the parent does not.
FORKED = """
import os, signal, sys
from datetime import timedelta
from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import SessionCache
from pgauthkit.database import create_engine
from pgauthkit.values import UserRole

engine, token = create_engine(sys.argv[1]), sys.argv[2]
auth = AuthService(engine, AuthConfig(session_cache=SessionCache(timedelta(seconds=50))))

def role():
    return auth.authenticate(token).role

assert role() is UserRole.USER
auth._kept._lock.acquire()
with engine.begin() as connection:
    connection.exec_driver_sql("UPDATE pgauthkit.users SET role = 'ADMIN'")
if (child := os.fork()) == 0:
    signal.alarm(60)  # one that has its parent's lock waits for ever
    sys.exit([role(), role()] != [UserRole.ADMIN, UserRole.ADMIN])
assert os.waitpid(child, 0) == (child, 0), "the child was answered by its parent"
assert role() is UserRole.USER
"""


def test_a_fork_begins_with_nothing(pgauthkit_url: str, pgauthkit_engine: Engine) -> None:
    """A process that is forked is not told what its parent ends, and so believes nothing that its parent knew."""
    auth = AuthService(pgauthkit_engine)
    token = access(auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal()))
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, pgauthkit_url, token]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
