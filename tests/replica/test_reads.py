"""Reads on a replica: which answers count, and who says the rest."""

import time
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, LiteralString

import psycopg
import pytest
from sqlalchemy import orm
from tests.integration.conftest import PATIENCE
from tests.integration.test_session_cache import BY_SQL, END_NOTHING, ENDINGS, access, refresh_token, refused

from pgauthkit import AuthService
from pgauthkit.config import SessionCache
from pgauthkit.errors import (
    DatabaseUnavailableError,
    InvalidTokenError,
    RefreshTokenReusedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
)
from pgauthkit.values import SignIn, UserRole

if TYPE_CHECKING:
    from tests.integration.conftest import Database
    from tests.replica.conftest import Pair, Way

SigningIn = Callable[..., SignIn]
ADMIN: Final = "UPDATE pgauthkit.users SET role = 'ADMIN'"
REPLICA, PRIMARY = UserRole.USER, UserRole.ADMIN


@pytest.fixture
def signed_in(pair: "Pair", auth: AuthService, sign_in: SigningIn, database: "Database") -> SignIn:
    """Somebody whom the replica knows. It says from now on that they are a user, and the primary, an administrator."""
    signed_in = sign_in()
    pair.look(auth)
    pair.standby.pause()
    database.tell(ADMIN)
    return signed_in


def by(auth: AuthService, given: SignIn) -> UserRole:
    """Return by whom a token is judged."""
    return auth.authenticate(access(given)).role


class TestSeen:
    def test_the_replica_answers(self, pair: "Pair", auth: AuthService, signed_in: SignIn) -> None:
        """What the replica has seen it answers, as the primary does without one."""
        plain = pair.host.service_on(pair.primary, pair.config)
        assert (by(auth, signed_in), by(plain, signed_in)) == (REPLICA, PRIMARY)

    def test_nothing_is_known_at_first(self, pair: "Pair", signed_in: SignIn) -> None:
        """A service that has not yet heard of the replica asks the primary."""
        assert by(pair.service(), signed_in) is PRIMARY

    def test_it_is_found_by_itself(self, pair: "Pair", sign_in: SigningIn, database: "Database") -> None:
        """Calls have both servers asked how far they are, and wait for neither."""
        auth = pair.service(bound=timedelta(seconds=20))
        signed_in = sign_in(by=auth)
        pair.standby.catch_up(timeout=PATIENCE)
        pair.standby.pause()
        database.tell(ADMIN)
        known = pair.known(auth)
        by(auth, signed_in)
        pair.wait_for(lambda: known._positions.latest)
        pair.wait_for(lambda: by(auth, signed_in) and known._positions._replayed)

    @pytest.mark.parametrize("number", [2, 70])
    def test_many_at_once(self, pair: "Pair", auth: AuthService, sign_in: SigningIn, number: int) -> None:
        """What is asked at once is answered each by the server that can."""
        known = [sign_in(f"{one}@example.com") for one in range(number // 2)]
        pair.look(auth)
        pair.standby.pause()
        new = [sign_in(f"{one}@example.net") for one in range(number // 2)]
        asked = [*known, *new]
        found = pair.at_once(auth, [access(given) for given in asked])
        assert [given.user.email for given in asked] == [who.email for who in found]

    def test_a_link(self, pair: "Pair", auth: AuthService, database: "Database") -> None:
        """A link that the replica has seen is shown by it."""
        token = auth.request_magic_link("ada@example.com", redirect_to="/there").token.reveal()
        pair.look(auth)
        pair.standby.pause()
        database.tell("UPDATE pgauthkit.magic_links SET redirect_to = '/elsewhere'")
        assert auth.peek_magic_link(token).redirect_to == "/there"

    def test_a_list(self, auth: AuthService, signed_in: SignIn, database: "Database") -> None:
        """The sessions that the replica has seen are listed by it."""
        database.tell("UPDATE pgauthkit.sessions SET ip = '192.0.2.1'")
        (listed,) = auth.list_sessions(signed_in.user.user_id)
        assert (listed.id, listed.ip) == (signed_in.user.session_id, None)


class TestNotSeen:
    """Nobody is refused for what the replica does not know yet."""

    @pytest.mark.usefixtures("signed_in")
    def test_a_new_session(self, auth: AuthService, sign_in: SigningIn) -> None:
        """Who has just signed in is let in, and listed."""
        new = sign_in("eve@example.com")
        assert auth.authenticate(access(new)).email == "eve@example.com"
        assert [listed.id for listed in auth.list_sessions(new.user.user_id)] == [new.user.session_id]

    def test_a_new_session_of_one_who_has_others(
        self, auth: AuthService, signed_in: SignIn, sign_in: SigningIn
    ) -> None:
        """A list is never without what this process has just written."""
        new = sign_in()
        listed = {one.id for one in auth.list_sessions(signed_in.user.user_id)}
        assert listed == {signed_in.user.session_id, new.user.session_id}

    def test_a_new_pair(self, auth: AuthService, signed_in: SignIn) -> None:
        """Who has just refreshed is let in."""
        assert auth.authenticate(access(auth.refresh(refresh_token(signed_in)))).role is PRIMARY

    def test_a_user_who_was_let_in_again(
        self, pair: "Pair", auth: AuthService, sign_in: SigningIn, database: "Database"
    ) -> None:
        """Whom the replica still refuses the primary lets in."""
        signed_in = sign_in()
        database.tell("UPDATE pgauthkit.users SET is_active = false")
        pair.look(auth)
        pair.standby.pause()
        database.tell("UPDATE pgauthkit.users SET is_active = true")
        assert not refused(auth, access(signed_in))

    @pytest.mark.usefixtures("signed_in")
    def test_a_new_link(self, auth: AuthService) -> None:
        """A fresh link is shown."""
        token = auth.request_magic_link("eve@example.com").token.reveal()
        assert auth.peek_magic_link(token).email == "eve@example.com"

    @pytest.mark.usefixtures("signed_in")
    def test_what_nobody_knows(self, auth: AuthService) -> None:
        """What neither server knows is refused as without a replica."""
        with pytest.raises(InvalidTokenError):
            auth.peek_magic_link("pgak_ml_" + "0" * 50)
        assert auth.list_sessions("nobody") == []
        assert auth.list_sessions("\0") == []


class TestEnded:
    @pytest.mark.parametrize("by_whom", ["itself", "another"])
    @pytest.mark.parametrize("ending", ENDINGS)
    def test_here(self, pair: "Pair", auth: AuthService, signed_in: SignIn, ending: str, by_whom: str) -> None:
        """What is ended in this process is refused at once, though the replica would let it in."""
        ENDINGS[ending](auth if by_whom == "itself" else pair.host.service_on(pair.primary, pair.config), signed_in)
        assert refused(auth, access(signed_in))

    def test_here_and_not_known_whether(self, auth: AuthService, signed_in: SignIn, database: "Database") -> None:
        """Where nobody knows whether something was ended, the primary says."""
        database.tell("ALTER TABLE pgauthkit.devices RENAME TO gone")
        try:
            with pytest.raises(Exception, match="pgauthkit migrate deploy"):
                auth.deactivate_user(signed_in.user.user_id)
        finally:
            database.tell("ALTER TABLE pgauthkit.gone RENAME TO devices")
        assert by(auth, signed_in) is PRIMARY

    def test_here_and_seen(self, pair: "Pair", auth: AuthService, sign_in: SigningIn, database: "Database") -> None:
        """Once the replica has seen what was ended, it answers for that user again."""
        first, second = sign_in(), sign_in()
        auth.revoke_session(first.user.user_id, first.user.session_id)
        pair.look(auth)
        pair.standby.pause()
        database.tell(ADMIN)
        assert by(auth, second) is REPLICA
        assert [listed.id for listed in auth.list_sessions(first.user.user_id)] == [second.user.session_id]

    def test_a_link(self, pair: "Pair", auth: AuthService) -> None:
        """A link that was used here is shown as used, and so is one that a transaction of the host has used."""
        first, second = (auth.request_magic_link("ada@example.com").token.reveal() for _ in range(2))
        third = auth.request_magic_link("eve@example.com").token.reveal()
        pair.look(auth)
        pair.standby.pause()
        assert auth.peek_magic_link(third).email == "eve@example.com"
        auth.verify_magic_link(first)
        with pytest.raises(TokenAlreadyUsedError):
            auth.peek_magic_link(first)
        with pytest.raises(TokenExpiredError):
            auth.peek_magic_link(second)
        pair.look_at_primary(auth)
        pair.standby.resume()
        pair.look(auth)
        pair.standby.pause()
        pair.host.in_session(pair.primary, lambda db: auth.within(db).verify_magic_link(third))
        with pytest.raises(TokenAlreadyUsedError):
            auth.peek_magic_link(third)

    def test_a_list(self, auth: AuthService, signed_in: SignIn) -> None:
        """A session that was ended here is listed no more."""
        auth.sign_out(access(signed_in))
        assert auth.list_sessions(signed_in.user.user_id) == []

    @pytest.mark.parametrize("command", BY_SQL)
    def test_elsewhere(
        self, pair: "Pair", auth: AuthService, signed_in: SignIn, database: "Database", command: LiteralString
    ) -> None:
        """What another hand ends counts once the replica must have seen it, and not later."""
        known = pair.known(auth)
        database.tell(command)
        assert by(auth, signed_in) is REPLICA
        pair.look_at_primary(auth)
        latest = known._positions.latest
        assert latest
        age(pair, auth, before=latest.begun)
        assert refused(auth, access(signed_in))

    def test_every_method_is_one_or_the_other(self) -> None:
        """Of each method it is known whether it ends something: one that does is tried above."""
        assert {name.partition(",")[0] for name in ENDINGS}.isdisjoint(END_NOTHING)


def age(pair: "Pair", auth: AuthService, *, before: float) -> None:
    """Have what the primary said before a time be as old as it may not be."""
    positions = pair.known(auth)._positions
    written = [
        one if one.begun >= before else one._replace(begun=one.begun - positions._bound) for one in positions._written
    ]
    positions._written.clear()
    positions._written.extend(written)
    positions._compare()


class TestTime:
    def test_the_primary_s_time(self, pair: "Pair", auth: AuthService, signed_in: SignIn) -> None:
        """A token ends by the primary's clock, whatever the replica's says."""
        positions = pair.known(auth)._positions
        assert by(auth, signed_in) is REPLICA
        (seen,) = positions._seen.values()
        positions._written.append(seen._replace(at=seen.at + timedelta(minutes=16)))
        assert by(auth, signed_in) is PRIMARY

    def test_an_answer_of_a_replica_is_kept_for_less(
        self, pair: "Pair", sign_in: SigningIn, database: "Database"
    ) -> None:
        """In memory, an answer of the replica is as old as what the replica had seen."""
        auth = pair.service(session_cache=SessionCache(timedelta(seconds=60)))
        signed_in = sign_in(by=auth)
        pair.look(auth)
        pair.standby.pause()
        kept = auth.authenticate(access(signed_in))
        database.tell(ADMIN)
        assert by(auth, signed_in) is REPLICA
        ((*_, asked_at, _, begun, life, _),) = pair.kept(auth)._answers.values()
        assert begun in {written.begun for written in pair.known(auth)._positions._written}
        assert life <= 60
        assert kept.asked_at > asked_at
        auth.sign_out(access(signed_in))
        assert refused(auth, access(signed_in))


class TestUses:
    def test_a_use_is_the_primary_s(self, pair: "Pair", sign_in: SigningIn, database: "Database") -> None:
        """A use that is due is written by the primary, once, though the replica finds it due until it has seen that."""
        auth = pair.service(touch_interval=timedelta(hours=1))
        signed_in = sign_in(by=auth)
        database.tell("UPDATE pgauthkit.sessions SET last_used_at = now() - interval '2 hours'")
        pair.look(auth)
        pair.standby.pause()
        asked = "SELECT xmin::text FROM pgauthkit.sessions WHERE last_used_at > now() - interval '1 hour'"
        auth.authenticate(access(signed_in))
        pair.wait_for(lambda: database.ask(asked))
        written = database.ask(asked)
        database.tell("UPDATE pgauthkit.sessions SET last_used_at = now() - interval '2 hours'")
        for _ in range(3):
            auth.authenticate(access(signed_in))
        pair.wait_for(lambda: not pair.known(auth)._send_uses._is_running)
        assert database.ask(asked) == []
        assert written != []

    def test_a_first_use_is_written_before_the_answer(
        self, pair: "Pair", auth: AuthService, sign_in: SigningIn, database: "Database"
    ) -> None:
        """The first use of a pair ends the time of its predecessor, also where the replica answers."""
        signed_in = sign_in()
        following = auth.refresh(refresh_token(signed_in))
        pair.look(auth)
        pair.standby.pause()
        auth.authenticate(access(following))
        assert database.ask("SELECT confirmed_at IS NOT NULL FROM pgauthkit.sessions") == [(True,)]
        auth.authenticate(access(following))
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(refresh_token(signed_in))
        assert refused(auth, access(following))


class TestAway:
    def test_the_primary(self, pair: "Pair", sign_in: SigningIn, ways: "tuple[Way, Way]") -> None:
        """While the primary is away, who was good a moment ago is let in and nobody else; then all is as before."""
        way, _ = ways
        auth = pair.service(engine=pair.host.engine(way.url))
        signed_in = sign_in(by=auth)
        following = auth.refresh(refresh_token(sign_in("eve@example.com", by=auth)))
        pair.look(auth)
        way.close()
        for _ in range(3):
            assert auth.authenticate(access(signed_in)).email == "ada@example.com"
            assert auth.authenticate(access(following)).email == "eve@example.com"
        with pytest.raises(DatabaseUnavailableError):
            auth.sign_out(access(signed_in))
        with pytest.raises(DatabaseUnavailableError):
            auth.authenticate(access(signed_in))
        pair.look_at_primary(auth)
        assert auth.authenticate(access(following)).email == "eve@example.com"
        way.open()
        pair.look(auth)
        assert not refused(auth, access(signed_in))
        auth.sign_out(access(signed_in))
        assert refused(auth, access(signed_in))

    def test_a_first_use_while_the_primary_is_away(
        self, pair: "Pair", sign_in: SigningIn, ways: "tuple[Way, Way]", database: "Database"
    ) -> None:
        """The first use of a pair that cannot be written is given up, and tried once; the next one is written."""
        way, _ = ways
        auth = pair.service(engine=pair.host.engine(way.url))
        following = auth.refresh(refresh_token(sign_in(by=auth)))
        pair.look(auth)
        known = pair.known(auth)
        way.close()
        for _ in range(2):
            assert auth.authenticate(access(following)).email == "ada@example.com"
            assert known._is_primary_away
        way.open()
        pair.look_at_primary(auth)
        auth.authenticate(access(following))
        assert database.ask("SELECT confirmed_at IS NOT NULL FROM pgauthkit.sessions") == [(True,)]

    def test_uses_while_the_primary_is_away(
        self, pair: "Pair", sign_in: SigningIn, ways: "tuple[Way, Way]", database: "Database"
    ) -> None:
        """A use that cannot be written is given up, and written when the primary is back."""
        way, _ = ways
        auth = pair.service(engine=pair.host.engine(way.url), touch_interval=timedelta(0))
        signed_in = sign_in(by=auth)
        database.tell("UPDATE pgauthkit.sessions SET last_used_at = now() - interval '2 hours'")
        pair.look(auth)
        asked = "SELECT 1 FROM pgauthkit.sessions WHERE last_used_at > now() - interval '1 hour'"
        way.close()
        auth.authenticate(access(signed_in))
        pair.wait_for(lambda: not pair.known(auth)._send_uses._is_running)
        pair.look_at_primary(auth)
        auth.authenticate(access(signed_in))
        way.open()
        assert database.ask(asked) == []
        pair.look_at_primary(auth)
        auth.authenticate(access(signed_in))
        pair.wait_for(lambda: database.ask(asked))

    @pytest.mark.parametrize("is_frozen", [False, True], ids=["refuses", "says nothing"])
    def test_the_replica(
        self,
        pair: "Pair",
        sign_in: SigningIn,
        ways: "tuple[Way, Way]",
        database: "Database",
        monkeypatch: pytest.MonkeyPatch,
        *,
        is_frozen: bool,
    ) -> None:
        """A replica that does not answer is left alone until it is heard of again, and nobody is refused for it."""
        _, way = ways
        replica = pair.host.engine(way.url)
        auth = pair.service(reads=replica)
        signed_in = sign_in(by=auth)
        pair.look(auth)
        pair.standby.pause()
        database.tell(ADMIN)
        assert by(auth, signed_in) is REPLICA
        (way.freeze if is_frozen else way.close)()
        pair.dispose(replica)
        with monkeypatch.context() as patch:
            patch.setattr("pgauthkit.service.replicas.replica.PATIENCE", 0.2)
            assert by(auth, signed_in) is PRIMARY
        assert pair.known(auth)._positions.seen(0.0) == {}
        assert by(auth, signed_in) is PRIMARY
        (way.thaw if is_frozen else way.open)()
        pair.look_at_replica(auth)
        assert by(auth, signed_in) is REPLICA
        way.close()
        pair.look_at_replica(auth)
        assert pair.known(auth)._positions.seen(0.0) == {}

    def test_both(self, pair: "Pair", sign_in: SigningIn, ways: "tuple[Way, Way]") -> None:
        """Where neither answers, a call ends within its limit."""
        primary, replica = (pair.host.engine(way.url) for way in ways)
        auth = pair.service(engine=primary, reads=replica)
        signed_in = sign_in(by=auth)
        pair.look(auth)
        for way, engine in zip(ways, (primary, replica), strict=True):
            way.freeze()
            pair.dispose(engine)
        pair.known(auth)._timeout = 0.5  # from now on: what was done before had its time
        begun = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            auth.authenticate(access(signed_in))
        assert time.monotonic() - begun < 10.0  # and not twice the usual 30 s

    def test_a_server_that_is_no_replica(
        self, pair: "Pair", sign_in: SigningIn, database: "Database", ways: "tuple[Way, Way]"
    ) -> None:
        """A server that takes writes, as a replica does that was promoted, is not believed, and its connections end."""
        way, _ = ways
        replica = pair.host.engine(way.url)
        auth = pair.service(reads=replica)
        signed_in = sign_in(by=auth)
        pair.look(auth)
        assert pair.known(auth)._positions.seen(0.0) == {}
        ours = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'primary'"
        pair.wait_for(lambda: database.ask(ours) == [(0,)])
        assert not refused(auth, access(signed_in))


class TestPrimary:
    def test_a_standby_is_not_asked_how_far_it_is(self, pair: "Pair", auth: AuthService, signed_in: SignIn) -> None:
        """Where the engine of the service leads to a standby, as in a failover, nothing new is known."""
        other = pair.service(engine=pair.replica)
        pair.look_at_primary(other)
        assert pair.known(other)._positions.latest is None
        assert by(auth, signed_in) is REPLICA

    def test_a_transaction_that_goes_on(
        self, pair: "Pair", auth: AuthService, sign_in: SigningIn, database: "Database"
    ) -> None:
        """What a transaction has written and not committed reaches the replica, though nobody else commits."""
        signed_in = sign_in()
        numbers = "SELECT pg_snapshot_xmax(pg_current_snapshot())::text::bigint"
        with psycopg.connect(database.url) as connection:
            connection.execute("UPDATE pgauthkit.users SET is_active = is_active")
            known, before = pair.known(auth), database.ask(numbers)

            def is_written() -> bool:
                connection.execute("UPDATE pgauthkit.users SET is_active = is_active")
                pair.look_at_primary(auth)
                pair.look_at_primary(auth)
                return database.ask(numbers) > before

            pair.wait_for(is_written)

            def is_seen() -> bool:
                pair.look_at_replica(auth)
                return bool(known._positions.seen(0.0))

            pair.wait_for(is_seen)
        assert not refused(auth, access(signed_in))


class TestWithin:
    def test_it_asks_its_own_transaction(self, pair: "Pair", auth: AuthService, signed_in: SignIn) -> None:
        """A transaction of the host sees what it has written itself, and asks no replica."""

        def work(db: orm.Session) -> None:
            assert auth.within(db).authenticate(access(signed_in)).role is PRIMARY
            auth.within(db).sign_out(access(signed_in))
            assert refused(auth.within(db), access(signed_in))
            assert by(auth, signed_in) is REPLICA

        pair.host.in_session(pair.primary, work)
        assert refused(auth, access(signed_in))
