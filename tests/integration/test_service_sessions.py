"""Sessions: authenticate, touch, refresh, open, end, list."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, LiteralString

import attrs
import psycopg
import pytest
from sqlalchemy import orm, text as sql

from pgauthkit import AuthConfig, AuthService
from pgauthkit.errors import (
    AuthenticationError,
    InvalidTokenError,
    NotFoundError,
    RefreshTokenReusedError,
    SessionRevokedError,
    TokenExpiredError,
    UserInactiveError,
)
from pgauthkit.statements import authentication
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import AuthEvent, Identity, SessionInfo, SignIn, TokenPair, UserRole

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

INSTANT = timedelta(microseconds=1)
GRACE = timedelta(seconds=30)
JUST_WITHIN, JUST_AFTER = timedelta(seconds=29.9), timedelta(seconds=30.1)
ACCESS, IDLE, ABSOLUTE = timedelta(minutes=15), timedelta(days=14), timedelta(days=30)

REVOKE = "UPDATE pgauthkit.sessions SET revoked_at = now()"
SWITCH_OFF = "UPDATE pgauthkit.users SET is_active = false"
END = "UPDATE pgauthkit.sessions SET expires_at = '2000-01-01Z'"


def access(pair: TokenPair) -> str:
    return pair.access_token.reveal()


def refresh(pair: TokenPair) -> str:
    return pair.refresh_token.reveal()


def forged(text: str, kind: Kind) -> str:
    """Return a token with the same selector and another secret."""
    return attrs.evolve(SessionToken.parse(kind, text), secret=bytes(32)).text(kind).reveal()


def made_up(kind: Kind) -> str:
    """Return a well-formed token that nobody was given."""
    return SessionToken.new(0).text(kind).reveal()


@pytest.fixture
def signed_in(sign_in: "SigningIn") -> SignIn:
    return sign_in()


@pytest.fixture
def tokens(signed_in: SignIn) -> TokenPair:
    return signed_in.tokens


@pytest.mark.pg18
def test_a_session_from_end_to_end(
    auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
) -> None:
    """A sign-in, a request, two refreshes, a replay and a sign-out, on each version of PostgreSQL."""
    first = sign_in()
    assert first.user == auth.authenticate(access(first.tokens))
    pgauthkit_clock.move(timedelta(minutes=20))
    second = auth.refresh(refresh(first.tokens))
    assert second == auth.refresh(refresh(first.tokens))
    third = auth.refresh(refresh(second))
    assert first.user.user_id == auth.authenticate(access(third)).user_id
    with pytest.raises(RefreshTokenReusedError):
        auth.refresh(refresh(first.tokens))
    other = sign_in()
    auth.sign_out(access(other.tokens))
    assert auth.list_sessions(first.user.user_id) == []
    assert database.ask("SELECT count(*) FROM pgauthkit.sessions WHERE revoked_at IS NOT NULL") == [(2,)]


class TestAuthenticate:
    def test_who_it_is(self, auth: AuthService, signed_in: SignIn, pgauthkit_clock: Clock) -> None:
        """An access token tells who holds it, since when, and until when."""
        signed_in_at = pgauthkit_clock()
        pgauthkit_clock.move(timedelta(minutes=5))

        identity = auth.authenticate(access(signed_in.tokens))

        expected = Identity(
            user_id=signed_in.user.user_id,
            email="ada@example.com",
            role=UserRole.USER,
            session_id=signed_in.tokens.session_id,
            authenticated_at=signed_in_at,
            expires_at=signed_in_at + ACCESS,
        )
        assert expected == identity
        assert pgauthkit_clock() == identity.asked_at
        assert identity.is_fresh(timedelta(minutes=5))
        assert not identity.is_fresh(timedelta(minutes=5) - INSTANT)

    def test_the_user_is_read_each_time(self, auth: AuthService, database: "Database", tokens: TokenPair) -> None:
        """A change of role or address counts with the next request."""
        database.tell("UPDATE pgauthkit.users SET role = 'ADMIN', email = 'countess@example.com'")
        identity = auth.authenticate(access(tokens))
        assert (identity.role, identity.email) == (UserRole.ADMIN, "countess@example.com")

    def test_good_until_the_last_microsecond(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """An access token is good for its time less a microsecond."""
        auth = configured(access_ttl=timedelta(hours=1))
        tokens = sign_in(by=auth).tokens
        pgauthkit_clock.move(timedelta(hours=1))
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))
        pgauthkit_clock.move(-INSTANT)
        auth.authenticate(access(tokens))

    @pytest.mark.parametrize("ttl", ["session_idle_ttl", "session_ttl"])
    def test_no_longer_than_its_session(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock, ttl: str
    ) -> None:
        """An access token ends with its session, idle or absolute, whatever its own time."""
        auth = configured(**{ttl: timedelta(minutes=5)}, touch_interval=timedelta(days=1))
        tokens = sign_in(by=auth).tokens
        pgauthkit_clock.move(timedelta(minutes=5))
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))
        pgauthkit_clock.move(-INSTANT)
        auth.authenticate(access(tokens))

    @pytest.mark.parametrize(
        ("hinder", "error"),
        [(REVOKE, SessionRevokedError), (SWITCH_OFF, UserInactiveError), (END, TokenExpiredError)],
        ids=["revoked", "inactive", "over"],
    )
    def test_only_the_holder_learns_why(
        self,
        auth: AuthService,
        database: "Database",
        tokens: TokenPair,
        hinder: LiteralString,
        error: type[AuthenticationError],
    ) -> None:
        """The holder is told what is wrong; whoever has the selector and not the secret sees an unknown token."""
        database.tell(hinder)
        before = database.contents()
        with pytest.raises(error):
            auth.authenticate(access(tokens))
        with pytest.raises(InvalidTokenError):
            auth.authenticate(forged(access(tokens), Kind.ACCESS))
        assert before == database.contents()

    def test_revoked_is_said_before_inactive(self, auth: AuthService, database: "Database", tokens: TokenPair) -> None:
        """A session that was ended stays ended for whoever asks, whatever became of the user and the time."""
        for hinder in (SWITCH_OFF, END, REVOKE):
            database.tell(hinder)
        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(tokens))

    def test_unknown(self, auth: AuthService, tokens: TokenPair) -> None:
        """A made-up token, a forged one, and a refresh token are invalid."""
        for text in (made_up(Kind.ACCESS), forged(access(tokens), Kind.ACCESS), refresh(tokens)):
            with pytest.raises(InvalidTokenError):
                auth.authenticate(text)


class TestTouch:
    def test_only_when_older_than_the_interval(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock
    ) -> None:
        """`last_used_at` and the idle end stay for touch_interval, and move with the first request after it."""
        opened_at = pgauthkit_clock()
        used = "SELECT last_used_at, idle_expires_at, expires_at FROM pgauthkit.sessions"
        pgauthkit_clock.move(timedelta(seconds=60))
        auth.authenticate(access(tokens))
        assert [(opened_at, opened_at + IDLE, opened_at + ABSOLUTE)] == database.ask(used)

        now = pgauthkit_clock.move(INSTANT)
        auth.authenticate(access(tokens))
        assert [(now, now + IDLE, opened_at + ABSOLUTE)] == database.ask(used)

    def test_the_idle_end_stops_at_the_absolute_one(
        self, configured: "Configured", database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """Being used does not carry a session beyond its absolute end."""
        auth = configured(session_ttl=timedelta(hours=1), session_idle_ttl=timedelta(minutes=59))
        tokens = sign_in(by=auth).tokens
        pgauthkit_clock.move(timedelta(minutes=2))
        auth.authenticate(access(tokens))
        assert database.ask("SELECT idle_expires_at = expires_at FROM pgauthkit.sessions") == [(True,)]

    def test_a_refusal_is_no_use(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock
    ) -> None:
        """Whoever is refused does not keep the session alive."""
        pgauthkit_clock.move(ACCESS)
        before = database.contents()
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))
        assert before == database.contents()

    def test_use_keeps_a_session_alive(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """A session in use outlives the idle time many times over."""
        auth = configured(session_idle_ttl=timedelta(minutes=10), access_ttl=timedelta(days=1))
        tokens = sign_in(by=auth).tokens
        for _ in range(10):
            pgauthkit_clock.move(timedelta(minutes=9))
            auth.authenticate(access(tokens))
        pgauthkit_clock.move(timedelta(minutes=10))
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))

    def test_it_waits_for_nobody(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock
    ) -> None:
        """While somebody has the row locked a token is good, and the touch is left to the next request."""
        opened_at = pgauthkit_clock()
        now = pgauthkit_clock.move(timedelta(minutes=5))
        used = "SELECT last_used_at FROM pgauthkit.sessions"
        with psycopg.connect(database.url) as other:
            other.execute("SELECT 1 FROM pgauthkit.sessions FOR UPDATE")
            auth.authenticate(access(tokens))
            assert [(opened_at,)] == database.ask(used)
        auth.authenticate(access(tokens))
        assert [(now,)] == database.ask(used)

    def test_it_revives_nothing(self, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock) -> None:
        """A touch that comes after the end of the session, idle or by a hand, writes nothing."""
        changes: tuple[LiteralString, ...] = (
            "UPDATE pgauthkit.sessions SET revoked_at = %s",
            "UPDATE pgauthkit.sessions SET revoked_at = NULL, idle_expires_at = %s",
        )
        given = {"session_ids": [tokens.session_id], "access_token_hashes": [b""], "touch_interval": 60.0}
        for change in changes:
            now = pgauthkit_clock.move(timedelta(minutes=5))
            database.tell(change, now)
            with psycopg.connect(database.url) as late:
                found = late.execute(
                    authentication.TOUCH.sql_on_a_clock.encode(), {**given, "clock": now, "session_idle_ttl": 3600.0}
                )
                assert found.fetchall() == []

    def test_a_server_that_takes_no_writes(
        self, auth: AuthService, host: "Host", database: "Database", tokens: TokenPair
    ) -> None:
        """A good token stays good where nothing can be written, in a host's transaction as well."""
        database.tell("UPDATE pgauthkit.sessions SET last_used_at = last_used_at - interval '5 minutes'")
        before = database.contents()

        def read_only(db: orm.Session) -> Identity:
            db.execute(sql("SET TRANSACTION READ ONLY"))
            identity = auth.within(db).authenticate(access(tokens))
            db.execute(sql("SELECT 1"))
            return identity

        engine = host.engine(database.url, connect_args={"options": "-c default_transaction_read_only=on"})
        standby = host.service_on(engine, AuthConfig(clock=lambda: datetime.now(UTC)))
        assert host.in_session(host.kept_engine(database.url), read_only).session_id == tokens.session_id
        assert standby.authenticate(access(tokens)).session_id == tokens.session_id
        assert before == database.contents()


class TestPreviousAccessToken:
    @pytest.mark.parametrize("after", [timedelta(), JUST_WITHIN, GRACE - INSTANT])
    def test_good_within_the_grace(
        self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock, after: timedelta
    ) -> None:
        """Requests that were in flight during a refresh do not fail; the identity says that they end with the grace."""
        rotated_at = pgauthkit_clock()
        auth.refresh(refresh(tokens))
        pgauthkit_clock.move(after)
        assert rotated_at + GRACE == auth.authenticate(access(tokens)).expires_at

    @pytest.mark.parametrize("after", [GRACE, JUST_AFTER])
    def test_expired_after_the_grace(
        self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock, after: timedelta
    ) -> None:
        """The previous access token has expired when the grace is over; the new one is good."""
        new = auth.refresh(refresh(tokens))
        pgauthkit_clock.move(after)
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))
        auth.authenticate(access(new))

    def test_never_beyond_its_own_end(self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock) -> None:
        """The grace does not carry an access token beyond its time."""
        pgauthkit_clock.move(ACCESS - timedelta(seconds=10))
        auth.refresh(refresh(tokens))
        pgauthkit_clock.move(timedelta(seconds=10) - INSTANT)
        assert tokens.access_expires_at == auth.authenticate(access(tokens)).expires_at
        pgauthkit_clock.move(INSTANT)
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))

    def test_an_expired_one_stays_expired(self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock) -> None:
        """A refresh does not bring an expired access token back."""
        pgauthkit_clock.move(ACCESS)
        auth.refresh(refresh(tokens))
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))

    def test_the_one_before_is_unknown(self, auth: AuthService, tokens: TokenPair) -> None:
        """Two refreshes on, an access token is unknown, even within the grace."""
        auth.refresh(refresh(auth.refresh(refresh(tokens))))
        with pytest.raises(InvalidTokenError):
            auth.authenticate(access(tokens))


class TestRefresh:
    def test_the_next_pair(
        self, auth: AuthService, database: "Database", signed_in: SignIn, pgauthkit_clock: Clock
    ) -> None:
        """A refresh gives new tokens of the same session, with new times, and says who asked and when."""
        old = signed_in.tokens
        now = pgauthkit_clock.move(timedelta(minutes=10))

        new = auth.refresh(refresh(old), ip="::ffff:203.0.113.8", user_agent="curl/8")

        assert (old.session_id, now + ACCESS, now + IDLE) == (
            new.session_id,
            new.access_expires_at,
            new.refresh_expires_at,
        )
        assert len({old.access_token, old.refresh_token, new.access_token, new.refresh_token}) == 4
        identity = auth.authenticate(access(new))
        assert (signed_in.user.user_id, now + ACCESS) == (identity.user_id, identity.expires_at)
        assert signed_in.user.authenticated_at == identity.authenticated_at
        row = "SELECT last_used_at, rotated_at, idle_expires_at, ip, user_agent FROM pgauthkit.sessions"
        assert [(now, now, now + IDLE, "203.0.113.8", "curl/8")] == database.ask(row)
        assert access(new) not in str(database.contents())

    def test_without_ip_and_browser_the_known_ones_stay(
        self, auth: AuthService, database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """A host that does not say who refreshes keeps who signed in."""
        link = auth.request_magic_link("ada@example.com")
        tokens = auth.verify_magic_link(link.token.reveal(), ip="203.0.113.7", user_agent="curl/8").tokens
        pgauthkit_clock.move(timedelta(minutes=1))
        auth.refresh(refresh(tokens))
        assert database.ask("SELECT ip, user_agent FROM pgauthkit.sessions") == [("203.0.113.7", "curl/8")]

    def test_a_chain(self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock) -> None:
        """Each pair leads to the next, all different, for as long as the session lives."""
        seen = {tokens.refresh_token}
        for _ in range(5):
            pgauthkit_clock.move(timedelta(days=5))
            tokens = auth.refresh(refresh(tokens))
            seen.add(tokens.refresh_token)
        assert len(seen) == 6
        auth.authenticate(access(tokens))

    @pytest.mark.parametrize("after", [timedelta(), JUST_WITHIN, GRACE - INSTANT])
    def test_the_same_pair_within_the_grace(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock, after: timedelta
    ) -> None:
        """The same token again within the grace gives the same pair again, and changes nothing."""
        new = auth.refresh(refresh(tokens))
        before = database.contents()
        pgauthkit_clock.move(after)
        assert new == auth.refresh(refresh(tokens), ip="203.0.113.9", user_agent="another tab")
        assert before == database.contents()
        auth.authenticate(access(new))

    @pytest.mark.parametrize("after", [GRACE, JUST_AFTER, timedelta(days=1)])
    def test_a_replay_after_the_grace(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock, after: timedelta
    ) -> None:
        """After the grace from its successor's first use it is a replay: the session ends, though the call raises."""
        new = auth.refresh(refresh(tokens))
        auth.authenticate(access(new))
        now = pgauthkit_clock.move(after)
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(refresh(tokens))
        assert [(now,)] == database.ask("SELECT revoked_at FROM pgauthkit.sessions")
        for use in (lambda: auth.refresh(refresh(new)), lambda: auth.authenticate(access(new))):
            with pytest.raises(SessionRevokedError):
                use()

    @pytest.mark.parametrize("ancestor", range(3))
    def test_any_ancestor_is_a_replay(self, auth: AuthService, tokens: TokenPair, ancestor: int) -> None:
        """A token with two successors or more ends the session, within the grace as well."""
        chain = [tokens]
        for _ in range(4):
            chain.append(auth.refresh(refresh(chain[-1])))
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(refresh(chain[ancestor]))
        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(chain[-1]))

    def test_an_end_by_replay_is_told_once(self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock) -> None:
        """After a replay, the previous token and the current one tell their holder that the session was ended."""
        new = auth.refresh(refresh(tokens))
        auth.authenticate(access(new))
        pgauthkit_clock.move(JUST_AFTER)
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(refresh(tokens))
        for text in (refresh(tokens), refresh(new)):
            with pytest.raises(SessionRevokedError):
                auth.refresh(text)

    def test_without_a_grace(self, configured: "Configured", sign_in: "SigningIn") -> None:
        """With a grace of nothing, a token is a replay once its successor was used; its access token ended before."""
        auth = configured(refresh_grace=timedelta())
        tokens = sign_in(by=auth).tokens
        new = auth.refresh(refresh(tokens))
        assert new == auth.refresh(refresh(tokens))
        auth.authenticate(access(new))
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(refresh(tokens))

    def test_made_up_tokens_end_nothing(self, auth: AuthService, database: "Database", tokens: TokenPair) -> None:
        """A made-up token, one with the access token's selector, and an access token change nothing."""
        selector = SessionToken.parse(Kind.ACCESS, access(tokens)).selector
        from_access_token = SessionToken(0, selector, bytes(32)).text(Kind.REFRESH).reveal()
        before = database.contents()
        for text in (made_up(Kind.REFRESH), from_access_token, access(tokens)):
            with pytest.raises(InvalidTokenError):
                auth.refresh(text)
        assert before == database.contents()

    @pytest.mark.parametrize(
        ("hinder", "error"),
        [(REVOKE, SessionRevokedError), (SWITCH_OFF, UserInactiveError), (END, TokenExpiredError)],
        ids=["revoked", "inactive", "over"],
    )
    def test_only_the_holder_learns_why(
        self,
        auth: AuthService,
        database: "Database",
        tokens: TokenPair,
        hinder: LiteralString,
        error: type[AuthenticationError],
    ) -> None:
        """The current and the previous token are told what is wrong; any other is unknown; nothing is changed."""
        new = auth.refresh(refresh(tokens))
        database.tell(hinder)
        before = database.contents()
        for text in (refresh(tokens), refresh(new)):
            with pytest.raises(error):
                auth.refresh(text)
        with pytest.raises(InvalidTokenError):
            auth.refresh(forged(refresh(new), Kind.REFRESH))
        assert before == database.contents()

    @pytest.mark.parametrize("ttl", ["session_idle_ttl", "session_ttl"])
    def test_good_until_the_last_microsecond(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock, ttl: str
    ) -> None:
        """A session can be refreshed until its idle or absolute end, less a microsecond."""
        auth = configured(**{ttl: timedelta(hours=1)})
        tokens = sign_in(by=auth).tokens
        assert pgauthkit_clock() + timedelta(hours=1) == tokens.refresh_expires_at
        pgauthkit_clock.move(timedelta(hours=1))
        with pytest.raises(TokenExpiredError):
            auth.refresh(refresh(tokens))
        pgauthkit_clock.move(-INSTANT)
        auth.refresh(refresh(tokens))

    def test_nothing_goes_beyond_the_absolute_end(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """Refreshing moves the ends of both tokens, up to the absolute end and no further."""
        auth = configured(session_ttl=timedelta(hours=1))
        ends_at = pgauthkit_clock() + timedelta(hours=1)
        tokens = sign_in(by=auth).tokens
        pgauthkit_clock.move(timedelta(minutes=50))
        new = auth.refresh(refresh(tokens))
        assert (ends_at, ends_at) == (new.access_expires_at, new.refresh_expires_at)
        pgauthkit_clock.move(timedelta(minutes=10))
        with pytest.raises(TokenExpiredError):
            auth.refresh(refresh(new))

    def test_first_tokens_end_with_the_session(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """A session shorter than an access token's time has tokens that say so."""
        tokens = sign_in(by=configured(session_ttl=timedelta(minutes=5))).tokens
        ends_at = pgauthkit_clock() + timedelta(minutes=5)
        assert (ends_at, ends_at) == (tokens.access_expires_at, tokens.refresh_expires_at)


class TestLostAnswers:
    @pytest.mark.parametrize("after", [timedelta(seconds=31), timedelta(minutes=2), timedelta(days=1)])
    def test_late(
        self,
        auth: AuthService,
        *,
        database: "Database",
        tokens: TokenPair,
        pgauthkit_clock: Clock,
        events: list[AuthEvent],
        after: timedelta,
    ) -> None:
        """While nobody has used the successor, its predecessor gives the same pair however late, and it is good."""
        lost = auth.refresh(refresh(tokens), ip="203.0.113.7")
        now = pgauthkit_clock.move(after)

        found = auth.refresh(refresh(tokens), ip="198.51.100.7")

        assert (lost.access_token, lost.refresh_token) == (found.access_token, found.refresh_token)
        assert now < auth.authenticate(access(found)).expires_at == found.access_expires_at
        assert found.refresh_expires_at > now
        converged = next(event for event in events if event.kind == "refresh_converged")
        assert converged.ip == "198.51.100.7"
        assert {"rotated_by_ip": "203.0.113.7", "late": after.total_seconds()} == converged.detail
        assert database.ask("SELECT generation, confirmed_at FROM pgauthkit.sessions") == [(1, now)]

    def test_an_access_token_that_nobody_used_gets_a_new_time(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock
    ) -> None:
        """The lost pair's access token would have ended; it ends 15 minutes on, and the idle time moves with it."""
        auth.refresh(refresh(tokens))
        now = pgauthkit_clock.move(ACCESS)
        found = auth.refresh(refresh(tokens))
        assert (now + ACCESS, now + IDLE) == (found.access_expires_at, found.refresh_expires_at)
        before = database.contents()
        assert found == auth.refresh(refresh(tokens))
        assert before == database.contents()

    @pytest.mark.parametrize(("after", "is_theft"), [(JUST_WITHIN, False), (JUST_AFTER, True)])
    def test_the_grace_begins_with_the_first_use(
        self,
        auth: AuthService,
        *,
        database: "Database",
        tokens: TokenPair,
        pgauthkit_clock: Clock,
        after: timedelta,
        is_theft: bool,
    ) -> None:
        """It is the successor's first use that begins the grace, whenever that is, and not the second one."""
        new = auth.refresh(refresh(tokens))
        used_at = pgauthkit_clock.move(timedelta(minutes=10))
        auth.authenticate(access(new))
        pgauthkit_clock.move(timedelta(seconds=20))
        auth.authenticate(access(new))
        pgauthkit_clock.move(after - timedelta(seconds=20))
        assert [(used_at,)] == database.ask("SELECT confirmed_at FROM pgauthkit.sessions")
        if is_theft:
            with pytest.raises(RefreshTokenReusedError):
                auth.refresh(refresh(tokens))
        else:
            again = auth.refresh(refresh(tokens))
            assert (new.access_token, new.refresh_token) == (again.access_token, again.refresh_token)

    def test_the_token_of_before_confirms_nothing(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock
    ) -> None:
        """A request in flight with the previous access token, which also touches, is no use of the successor."""
        pgauthkit_clock.move(timedelta(minutes=2))
        auth.refresh(refresh(tokens))
        database.tell("UPDATE pgauthkit.sessions SET last_used_at = last_used_at - interval '5 minutes'")
        auth.authenticate(access(tokens))
        confirmed = "SELECT confirmed_at, last_used_at FROM pgauthkit.sessions"
        assert [(None, pgauthkit_clock())] == database.ask(confirmed)

    def test_a_successor_that_was_followed(self, auth: AuthService, tokens: TokenPair) -> None:
        """Whoever refreshed with the successor has used it: its predecessor is theft at once."""
        auth.refresh(refresh(auth.refresh(refresh(tokens))))
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(refresh(tokens))


class TestLostRotations:
    def test_ahead(self, auth: AuthService, database: "Database", tokens: TokenPair, events: list[AuthEvent]) -> None:
        """After a failover that lost a rotation the newest token is refused, nothing ends, and the log says why."""
        database.tell("CREATE TEMPORARY TABLE standby AS SELECT * FROM pgauthkit.sessions")
        newest = auth.refresh(refresh(tokens))
        database.tell("DELETE FROM pgauthkit.sessions")
        database.tell("INSERT INTO pgauthkit.sessions SELECT * FROM standby")
        database.tell("DROP TABLE standby")
        before = database.contents()

        for use in (lambda: auth.authenticate(access(newest)), lambda: auth.refresh(refresh(newest))):
            with pytest.raises(InvalidTokenError):
                use()

        assert before == database.contents()
        assert (events[-1].kind, events[-1].detail) == ("refresh_ahead", {"generation": 1})
        assert events[-1].session_id == tokens.session_id
        auth.authenticate(access(auth.refresh(refresh(tokens))))

    @pytest.mark.parametrize("generation", [1, 2, 3, 256**6 - 1])
    def test_another_hash_of_a_late_generation(
        self, auth: AuthService, database: "Database", tokens: TokenPair, generation: int
    ) -> None:
        """Of the row's generation, the one before, or a later one, a token with another hash ends nothing."""
        newest = auth.refresh(refresh(auth.refresh(refresh(tokens))))
        edited = attrs.evolve(
            SessionToken.parse(Kind.REFRESH, refresh(newest)), generation=generation, secret=bytes(32)
        )
        before = database.contents()
        with pytest.raises(InvalidTokenError):
            auth.refresh(edited.text(Kind.REFRESH).reveal())
        assert before == database.contents()

    @pytest.mark.parametrize("by", [-1, 1])
    def test_an_edited_generation(self, auth: AuthService, tokens: TokenPair, by: int) -> None:
        """The generation is a part of what is hashed: who edits it has another token."""
        newest = auth.refresh(refresh(tokens))
        for kind, text, use in (
            (Kind.ACCESS, access(newest), auth.authenticate),
            (Kind.REFRESH, refresh(newest), auth.refresh),
        ):
            token = SessionToken.parse(kind, text)
            edited = attrs.evolve(token, generation=token.generation + by).text(kind).reveal()
            with pytest.raises(InvalidTokenError):
                use(edited)
        auth.authenticate(access(newest))


class TestOpenSession:
    def test_a_session_without_a_link(
        self, auth: AuthService, database: "Database", signed_in: SignIn, pgauthkit_clock: Clock
    ) -> None:
        """A host that proved the user another way gets a sign-in, and last_login_at moves."""
        now = pgauthkit_clock.move(timedelta(days=1))

        opened = auth.open_session(signed_in.user.user_id, ip="203.0.113.7", user_agent="passkey")

        assert (False, None, now) == (opened.created, opened.redirect_to, opened.user.authenticated_at)
        assert (now + ACCESS, now + IDLE) == (opened.tokens.access_expires_at, opened.tokens.refresh_expires_at)
        assert opened.user == auth.authenticate(access(opened.tokens))
        assert [(now, now)] == database.ask("SELECT last_login_at, updated_at FROM pgauthkit.users")
        row = "SELECT ip, user_agent FROM pgauthkit.sessions WHERE id = %s"
        assert database.ask(row, opened.tokens.session_id) == [("203.0.113.7", "passkey")]

    def test_nobody(self, auth: AuthService, database: "Database") -> None:
        """There must be such a user."""
        with pytest.raises(NotFoundError, match="no such user") as caught:
            auth.open_session("nobody")
        assert caught.value.table == "users"
        assert database.contents() == [[], [], [], [], []]

    def test_inactive(self, auth: AuthService, database: "Database", signed_in: SignIn) -> None:
        """A user who was switched off gets no session, and nothing is changed."""
        auth.deactivate_user(signed_in.user.user_id)
        before = database.contents()
        with pytest.raises(UserInactiveError):
            auth.open_session(signed_in.user.user_id)
        assert before == database.contents()


class TestSignOut:
    def test_the_session_ends(
        self, auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """The session of the token ends for good, and no other."""
        left, stays = sign_in(), sign_in()
        now = pgauthkit_clock.move(timedelta(minutes=1))

        auth.sign_out(access(left.tokens))

        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(left.tokens))
        with pytest.raises(SessionRevokedError):
            auth.refresh(refresh(left.tokens))
        auth.authenticate(access(stays.tokens))
        revoked = "SELECT id, revoked_at FROM pgauthkit.sessions WHERE revoked_at IS NOT NULL"
        assert [(left.tokens.session_id, now)] == database.ask(revoked)

    def test_again_changes_nothing(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock
    ) -> None:
        """To sign out twice is to sign out once."""
        auth.sign_out(access(tokens))
        before = database.contents()
        pgauthkit_clock.move(timedelta(minutes=1))
        auth.sign_out(access(tokens))
        assert before == database.contents()

    @pytest.mark.parametrize("after", [timedelta(), ACCESS, ABSOLUTE])
    def test_an_expired_token_signs_out(
        self, auth: AuthService, database: "Database", tokens: TokenPair, pgauthkit_clock: Clock, after: timedelta
    ) -> None:
        """Whoever comes back late can still sign out."""
        pgauthkit_clock.move(after)
        auth.sign_out(access(tokens))
        assert database.ask("SELECT 1 FROM pgauthkit.sessions WHERE revoked_at IS NULL") == []

    def test_the_previous_token_signs_out(self, auth: AuthService, tokens: TokenPair) -> None:
        """A tab that missed the refresh can sign out."""
        new = auth.refresh(refresh(tokens))
        auth.sign_out(access(tokens))
        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(new))

    def test_the_selector_is_not_enough(self, auth: AuthService, database: "Database", tokens: TokenPair) -> None:
        """A made-up token says nothing, and one of a live session with another secret is refused; neither ends any."""
        before = database.contents()
        for kind, text in ((Kind.ACCESS, access(tokens)), (Kind.REFRESH, refresh(tokens))):
            auth.sign_out(made_up(kind))
            with pytest.raises(InvalidTokenError):
                auth.sign_out(forged(text, kind))
        assert before == database.contents()

    @pytest.mark.parametrize("refreshed", [0, 1])
    def test_a_refresh_token_signs_out(
        self, auth: AuthService, database: "Database", tokens: TokenPair, refreshed: int
    ) -> None:
        """Where the access token is gone, the refresh token ends the session, the one of before as well."""
        for _ in range(refreshed):
            auth.refresh(refresh(tokens))
        auth.sign_out(refresh(tokens))
        assert database.ask("SELECT 1 FROM pgauthkit.sessions WHERE revoked_at IS NULL") == []

    def test_one_that_is_too_old_says_so(self, auth: AuthService, tokens: TokenPair, pgauthkit_clock: Clock) -> None:
        """Two refreshes on, a token ends nothing and says so; when the session is over there is nothing to say."""
        newest = auth.refresh(refresh(auth.refresh(refresh(tokens))))
        for text in (access(tokens), refresh(tokens)):
            with pytest.raises(InvalidTokenError):
                auth.sign_out(text)
        auth.authenticate(access(newest))
        pgauthkit_clock.move(ABSOLUTE)
        auth.sign_out(access(tokens))
        auth.sign_out(refresh(newest))
        auth.sign_out(refresh(tokens))


class TestList:
    def test_newest_first(self, auth: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
        """The live sessions of a user are listed newest first, with what their owner may see."""
        first = sign_in()
        opened_at = pgauthkit_clock()
        now = pgauthkit_clock.move(timedelta(minutes=5))
        second = auth.open_session(first.user.user_id, ip="203.0.113.7", user_agent="passkey")
        auth.authenticate(access(first.tokens))
        second_device, first_device = (device.id for device in auth.list_devices(first.user.user_id))

        expected = [
            SessionInfo(
                id=second.tokens.session_id,
                created_at=now,
                last_used_at=now,
                expires_at=now + IDLE,
                ip="203.0.113.7",
                user_agent="passkey",
                device_id=second_device,
            ),
            SessionInfo(
                id=first.tokens.session_id,
                created_at=opened_at,
                last_used_at=now,
                expires_at=now + IDLE,
                ip=None,
                user_agent=None,
                device_id=first_device,
            ),
        ]
        assert expected == auth.list_sessions(first.user.user_id)

    def test_made_at_once(self, auth: AuthService, signed_in: SignIn) -> None:
        """Sessions of the same instant are in a fixed order."""
        for _ in range(4):
            auth.open_session(signed_in.user.user_id)
        listed = [session.id for session in auth.list_sessions(signed_in.user.user_id)]
        assert sorted(listed, reverse=True) == listed

    @pytest.mark.parametrize("after", [IDLE, ABSOLUTE])
    def test_what_is_over_is_not_listed(
        self, configured: "Configured", sign_in: "SigningIn", pgauthkit_clock: Clock, after: timedelta
    ) -> None:
        """A session is listed until the last microsecond of its idle or absolute time."""
        auth = configured(session_idle_ttl=after)
        user_id = sign_in(by=auth).user.user_id
        pgauthkit_clock.move(after - INSTANT)
        assert len(auth.list_sessions(user_id)) == 1
        pgauthkit_clock.move(INSTANT)
        assert auth.list_sessions(user_id) == []

    def test_of_nobody_and_of_others(self, auth: AuthService, sign_in: "SigningIn") -> None:
        """Nobody has no sessions, and a user only their own."""
        ada, eve = sign_in(), sign_in("eve@example.com")
        assert auth.list_sessions("nobody") == []
        assert [ada.tokens.session_id] == [session.id for session in auth.list_sessions(ada.user.user_id)]
        assert [eve.tokens.session_id] == [session.id for session in auth.list_sessions(eve.user.user_id)]


class TestRevoke:
    def test_one(self, auth: AuthService, sign_in: "SigningIn") -> None:
        """One session is ended by its id, once."""
        left, stays = sign_in(), sign_in()
        assert auth.revoke_session(left.user.user_id, left.tokens.session_id) is True
        assert auth.revoke_session(left.user.user_id, left.tokens.session_id) is False
        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(left.tokens))
        auth.authenticate(access(stays.tokens))

    def test_one_of_another_user(self, auth: AuthService, database: "Database", sign_in: "SigningIn") -> None:
        """Nobody ends a session of another user, or one that does not exist."""
        ada, eve = sign_in(), sign_in("eve@example.com")
        before = database.contents()
        assert auth.revoke_session(eve.user.user_id, ada.tokens.session_id) is False
        assert auth.revoke_session(eve.user.user_id, "nothing") is False
        assert auth.revoke_session("nobody", ada.tokens.session_id) is False
        assert before == database.contents()

    def test_all(self, auth: AuthService, database: "Database", sign_in: "SigningIn") -> None:
        """All sessions of a user are ended, their ids are told once, and those of others live on."""
        mine, other = [sign_in() for _ in range(3)], sign_in("eve@example.com")
        user_id = mine[0].user.user_id
        assert {one.tokens.session_id for one in mine} == set(auth.revoke_sessions(user_id))
        before = database.contents()
        assert auth.revoke_sessions(user_id) == []
        assert auth.revoke_sessions("nobody") == []
        assert before == database.contents()
        auth.authenticate(access(other.tokens))

    def test_all_but_one(self, auth: AuthService, sign_in: "SigningIn") -> None:
        """The session to keep is kept; one of another user, or an unknown one, keeps nothing."""
        gone, kept, other = sign_in(), sign_in(), sign_in("eve@example.com")
        user_id, kept_id = kept.user.user_id, kept.tokens.session_id
        assert [gone.tokens.session_id] == auth.revoke_sessions(user_id, keep=kept_id)
        auth.authenticate(access(kept.tokens))
        assert auth.revoke_sessions(user_id, keep=kept_id) == []
        assert [kept_id] == auth.revoke_sessions(user_id, keep=other.tokens.session_id)

    @pytest.mark.parametrize("keep", [None, "", "unknown"])
    def test_nothing_to_keep(self, auth: AuthService, signed_in: SignIn, keep: str | None) -> None:
        """Where nothing is kept, every session is ended."""
        assert [signed_in.tokens.session_id] == auth.revoke_sessions(signed_in.user.user_id, keep=keep)


class TestTime:
    def test_the_databases(self, configured: "Configured", database: "Database", sign_in: "SigningIn") -> None:
        """Without a clock the server's time decides, whatever this machine thinks."""
        auth = configured(clock=None)
        ((before,),) = database.ask("SELECT clock_timestamp()")
        signed_in = sign_in(by=auth)
        asked_at = auth.authenticate(access(signed_in.tokens)).asked_at
        ((after,),) = database.ask("SELECT clock_timestamp()")
        assert before < signed_in.user.authenticated_at < asked_at < after
        assert signed_in.user.authenticated_at + ACCESS == signed_in.tokens.access_expires_at

    def test_it_moves_from_statement_to_statement(self, configured: "Configured", sign_in: "SigningIn") -> None:
        """Two sign-ins have two times."""
        auth = configured(clock=None)
        assert sign_in(by=auth).user.authenticated_at < sign_in(by=auth).user.authenticated_at

    def test_expiry_on_the_databases_time(
        self, configured: "Configured", database: "Database", sign_in: "SigningIn"
    ) -> None:
        """What ended by the server's time has expired, without a clock."""
        auth = configured(clock=None)
        tokens = sign_in(by=auth).tokens
        auth.authenticate(access(tokens))
        database.tell("UPDATE pgauthkit.sessions SET access_expires_at = clock_timestamp()")
        with pytest.raises(TokenExpiredError):
            auth.authenticate(access(tokens))
