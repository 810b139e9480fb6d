"""Users: who is switched off or moves away while others sign in, refresh and sign out."""

import random
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import nullcontext, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.errors import SerializationFailure

from pgauthkit import AuthConfig, AuthService
from pgauthkit.errors import (
    AuthenticationError,
    NotFoundError,
    SessionRevokedError,
    TokenExpiredError,
    UniqueViolationError,
    UserInactiveError,
)
from pgauthkit.values import Identity, IssuedMagicLink, PurgeReport, SignIn, TokenPair

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, MakeHost, Query

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
HOLD_USERS = "SELECT FROM pgauthkit.users FOR UPDATE"
CONTRACT = (AuthenticationError, NotFoundError, UniqueViolationError)
ADA = "ada@example.com"
PATIENCE = 60.0  # seconds


@pytest.fixture
def deadlocks(query: "Query") -> Callable[[], int]:
    """Counts the deadlocks that the server broke, once every other connection has been given back and has told."""

    def count() -> int:
        others = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        deadline = time.monotonic() + PATIENCE
        while query(others):
            assert time.monotonic() < deadline, "somebody is still connected"
            time.sleep(0.01)
        ((number,),) = query("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return int(number)

    return count


class Crowd:
    """A few users, and what everybody knows of their links and sessions."""

    def __init__(self, auth: AuthService, chance: random.Random) -> None:
        self._chance = chance
        self._emails = [f"user{number}@example.com" for number in range(4)]
        signed_in = [sign_in(auth, email) for email in self._emails[:3]]
        self._user_ids = [one.user.user_id for one in signed_in]
        self._tokens = [one.tokens for one in signed_in]
        self._devices = [one.device.reveal() for one in signed_in]
        self._links = [auth.request_magic_link(email) for email in self._emails]
        self.seen: set[type] = set()

    def act(self) -> "Call[object]":
        """Choose something to do."""
        user_id, email = self._chance.choice(self._user_ids), self._chance.choice(self._emails)
        tokens, link = self._chance.choice(self._tokens[-9:]), self._chance.choice(self._links[-9:])
        access, refresh = tokens.access_token.reveal(), tokens.refresh_token.reveal()
        assert link.code
        code = link.code.reveal()
        device = self._chance.choice(self._devices[-9:])
        acts: list[Call[object]] = [
            lambda auth: auth.request_magic_link(email, device=device),
            lambda auth: auth.verify_magic_link(link.token.reveal(), device=device),
            lambda auth: auth.verify_code(link.id, code, device=device),
            lambda auth: auth.authenticate(access),
            lambda auth: auth.refresh(refresh),
            lambda auth: auth.sign_out(access),
            lambda auth: auth.open_session(user_id, device=device),
            lambda auth: auth.revoke_session(user_id, tokens.session_id),
            lambda auth: auth.revoke_sessions(user_id),
            lambda auth: auth.deactivate_user(user_id),
            lambda auth: auth.activate_user(user_id),
            lambda auth: auth.change_email(user_id, email),
            lambda auth: auth.purge(keep=timedelta(), batch_size=5),
        ]
        return self._chance.choices(acts, [3, 5, 2, 2, 3, 1, 3, 1, 1, 1, 2, 2, 1])[0]

    def learn(self, outcomes: Sequence[object]) -> None:
        """Remember the links and tokens that were given out."""
        self.seen |= set(map(type, outcomes))
        self._links += [outcome for outcome in outcomes if isinstance(outcome, IssuedMagicLink)]
        self._tokens += [outcome for outcome in outcomes if isinstance(outcome, TokenPair)]
        self._tokens += [outcome.tokens for outcome in outcomes if isinstance(outcome, SignIn)]
        self._devices += [outcome.device.reveal() for outcome in outcomes if isinstance(outcome, SignIn)]


def sign_in(auth: AuthService, email: str = ADA) -> SignIn:
    return auth.verify_magic_link(auth.request_magic_link(email).token.reveal())


def verify(link: IssuedMagicLink) -> "Call[SignIn]":
    return lambda auth: auth.verify_magic_link(link.token.reveal())


def authenticate(tokens: TokenPair) -> "Call[Identity]":
    return lambda auth: auth.authenticate(tokens.access_token.reveal())


def deactivate(user_id: str) -> "Call[list[str]]":
    return lambda auth: auth.deactivate_user(user_id)


def move(user_id: str, email: str) -> "Call[list[str]]":
    return lambda auth: auth.change_email(user_id, email)


def refresh(tokens: TokenPair) -> "Call[TokenPair]":
    return lambda auth: auth.refresh(tokens.refresh_token.reveal())


@EACH_LEVEL
def test_a_sign_in_that_commits_during_a_deactivation(host: "Host", held: "Held") -> None:
    """A session of a sign-in that was under way when its user was deactivated lets nobody in, then or ever after."""
    user_id = sign_in(host.auth).user.user_id
    link = host.auth.request_magic_link(ADA)
    with held(HOLD_USERS) as wait_for:
        signing_in = host.start([verify(link)])
        wait_for(1)
        switching_off = host.start([deactivate(user_id)])
        wait_for(2)
    (signed_in,) = host.outcomes(signing_in)
    assert isinstance(signed_in, SignIn)
    assert [list] == [*map(type, host.outcomes(switching_off))]
    for use in (authenticate, refresh):
        with pytest.raises((UserInactiveError, SessionRevokedError)):
            use(signed_in.tokens)(host.auth)
    host.auth.activate_user(user_id)
    for use in (authenticate, refresh):
        with pytest.raises(SessionRevokedError):
            use(signed_in.tokens)(host.auth)


@EACH_LEVEL
@pytest.mark.parametrize("way", ["link", "host"])
def test_a_sign_in_that_meets_a_deactivation(host: "Host", held: "Held", query: "Query", way: str) -> None:
    """A sign-in that has to wait for the user's deactivation opens no session; nor after it does another."""
    user_id = sign_in(host.auth).user.user_id
    ways: dict[str, Call[SignIn]] = {
        "link": verify(host.auth.request_magic_link(ADA)),
        "host": lambda auth: auth.open_session(user_id),
    }
    with held("SELECT FROM pgauthkit.sessions FOR UPDATE") as wait_for:
        switching_off = host.start([deactivate(user_id)])
        wait_for(1)
        signing_in = host.start([ways[way]])
        wait_for(2)
    assert [list] == [*map(type, host.outcomes(switching_off))]
    assert {UserInactiveError, TokenExpiredError} >= {*map(type, host.outcomes(signing_in))}
    assert query("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]


@EACH_LEVEL
def test_a_refresh_that_meets_a_deactivation(host: "Host", held: "Held", rounds: int) -> None:
    """Whoever refreshes while the user is switched off has no session afterwards, whichever came first."""
    for first in (True, False) * (rounds // 50):
        signed_in = sign_in(host.auth)
        user_id = signed_in.user.user_id
        calls = [refresh(signed_in.tokens), deactivate(user_id)]
        with held("SELECT FROM pgauthkit.sessions WHERE revoked_at IS NULL FOR UPDATE") as wait_for:
            started = host.start(calls[:1] if first else calls[1:])
            wait_for(1)
            started += host.start(calls[1:] if first else calls[:1])
            wait_for(2)
        assert {TokenPair, SessionRevokedError, list} >= set(map(type, host.outcomes(started)))
        host.auth.activate_user(user_id)
        with pytest.raises(SessionRevokedError):
            refresh(signed_in.tokens)(host.auth)


@EACH_LEVEL
def test_a_sign_in_that_commits_during_a_change_of_address(host: "Host", held: "Held") -> None:
    """A sign-in at the old address that was under way when the user moved away does not outlive the move."""
    kept = sign_in(host.auth)
    user_id, keep = kept.user.user_id, kept.user.session_id
    link = host.auth.request_magic_link(ADA)
    with held(HOLD_USERS) as wait_for:
        signing_in = host.start([verify(link)])
        wait_for(1)
        moving = host.start([lambda auth: auth.change_email(user_id, "ada@new.example", keep_session=keep)])
        wait_for(2)
    (signed_in,) = host.outcomes(signing_in)
    assert isinstance(signed_in, SignIn)
    assert [[signed_in.user.session_id]] == host.outcomes(moving)
    with pytest.raises(SessionRevokedError):
        authenticate(signed_in.tokens)(host.auth)
    assert authenticate(kept.tokens)(host.auth).email == "ada@new.example"


@EACH_LEVEL
def test_two_who_want_one_address(host: "Host", rounds: int) -> None:
    """Of eight users who move to one address at once, one gets it, and the others are told that it is taken."""
    for number in range(rounds // 20):
        user_ids = [sign_in(host.auth, f"{number}-{person}@example.com").user.user_id for person in range(8)]
        outcomes = host.race([move(user_id, f"{number}@example.com") for user_id in user_ids])
        assert {list: 1, UniqueViolationError: 7} == Counter(map(type, outcomes))


@EACH_LEVEL
def test_a_request_that_meets_a_deletion(host: "Host", pgauthkit_url: str, isolation: str, query: "Query") -> None:
    """Where the host deletes a user while a link is asked for, the request waits for nothing, and the link is good.

    At SERIALIZABLE it is the deletion that may be told to try again: it depends on what the server's plans looked at.
    """
    ends = suppress(SerializationFailure) if isolation == "serializable" else nullcontext()
    user_id = sign_in(host.auth).user.user_id
    with psycopg.connect(pgauthkit_url) as deleting:
        deleting.execute("DELETE FROM pgauthkit.users")
        link = host.auth.request_magic_link(ADA)
        with ends:
            deleting.commit()
    query("DELETE FROM pgauthkit.users")
    signed_in = verify(link)(host.auth)
    assert signed_in.created
    assert user_id != signed_in.user.user_id


@EACH_LEVEL
def test_a_sign_in_that_meets_a_deletion(host: "Host", pgauthkit_url: str, in_queue: Callable[[int], None]) -> None:
    """Where the host deletes a user while a link is used, the account is made anew."""
    user_id = sign_in(host.auth).user.user_id
    link = host.auth.request_magic_link(ADA)
    with psycopg.connect(pgauthkit_url) as deleting:
        deleting.execute("DELETE FROM pgauthkit.users")
        started = host.start([verify(link)])
        in_queue(1)
        deleting.commit()
    (signed_in,) = host.outcomes(started)
    assert isinstance(signed_in, SignIn)
    assert signed_in.created
    assert user_id != authenticate(signed_in.tokens)(host.auth).user_id


@EACH_LEVEL
def test_sessions_end_in_one_order(
    *,
    make_host: "MakeHost",
    config: AuthConfig,
    held: "Held",
    query: "Query",
    deadlocks: Callable[[], int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Two statements that end a user's sessions, and find them in different orders, do not wait for each other."""
    query("TRUNCATE pgauthkit.sessions")
    before, hosts = deadlocks(), []
    for plan in ("-c enable_indexscan=off -c enable_bitmapscan=off", "-c enable_seqscan=off"):
        monkeypatch.setenv("PGOPTIONS", plan)
        hosts.append(make_host(config))
        hosts[-1].auth.list_sessions("nobody")
    # In the table the first is now behind the others, and in the index it is still in front.
    first = sign_in(hosts[0].auth)
    user_id = first.user.user_id
    _, last = (hosts[0].auth.open_session(user_id) for _ in range(2))
    refresh(first.tokens)(hosts[0].auth)
    with held("SELECT FROM pgauthkit.sessions WHERE id = %(id)s FOR UPDATE", id=last.user.session_id) as wait_for:
        started = hosts[0].start([lambda auth: auth.revoke_sessions(user_id)])
        wait_for(1)
        started += hosts[1].start([deactivate(user_id)])
        wait_for(2)
    assert sorted(len(outcome) for outcome in hosts[0].outcomes(started) if isinstance(outcome, list)) == [0, 3]
    for host in hosts:
        host.close()
    assert before == deadlocks()


@EACH_LEVEL
def test_everybody_at_once(host: "Host", rounds: int, isolation: str, deadlocks: Callable[[], int]) -> None:
    """16 at once do whatever there is to do with three users: nothing but the contract's errors, and no deadlock."""
    before, crowd = deadlocks(), Crowd(host.auth, random.Random(isolation))
    for _ in range(rounds // 2):
        outcomes = host.race([crowd.act() for _ in range(16)])
        failures = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
        assert [failure for failure in failures if not isinstance(failure, CONTRACT)] == []
        crowd.learn(outcomes)
    host.close()
    assert {IssuedMagicLink, SignIn, TokenPair, Identity, list, bool, PurgeReport} <= crowd.seen
    assert before == deadlocks()
