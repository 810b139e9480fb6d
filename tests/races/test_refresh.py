"""Refresh: racers converge on one pair, an ancestor gives a theft away, and guesses do nothing."""

import secrets
import subprocess
import sys
from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest
from sqlalchemy import Engine, orm, text

from pgauthkit import AuthConfig, AuthService, Secret
from pgauthkit.config import Pepper
from pgauthkit.errors import InvalidTokenError, RefreshTokenReusedError, SessionRevokedError
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import AuthEvent, Identity, SignIn, TokenPair

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, MakeHost, Query

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
HOLD_SESSIONS = "SELECT FROM pgauthkit.sessions FOR UPDATE"
GUESSES = 1_020
OLD, NEW = (Pepper(id=number, secret=Secret(secrets.token_hex())) for number in (1, 2))
IN_ANOTHER_PROCESS = """
import sys
from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.errors import RefreshTokenReusedError
url, token = sys.stdin.read().split()
try:
    AuthService(create_engine(url)).refresh(token)
except RefreshTokenReusedError:
    print("reused")
"""


@pytest.fixture
def events() -> list[AuthEvent]:
    return []


@pytest.fixture
def config(config: AuthConfig, events: list[AuthEvent]) -> AuthConfig:
    return attrs.evolve(config, observers=[events.append])


def sign_in(auth: AuthService) -> SignIn:
    return auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())


def refresh(tokens: TokenPair) -> "Call[TokenPair]":
    return lambda auth: auth.refresh(tokens.refresh_token.reveal())


def authenticate(tokens: TokenPair) -> "Call[Identity]":
    return lambda auth: auth.authenticate(tokens.access_token.reveal())


def sign_out(tokens: TokenPair) -> "Call[object]":
    return lambda auth: auth.sign_out(tokens.access_token.reveal())


@EACH_LEVEL
@pytest.mark.parametrize("racers", [8, 32])
def test_racers_converge(host: "Host", rounds: int, racers: int, events: list[AuthEvent]) -> None:
    """All who refresh with one token get the same pair, by one rotation; it works, and is itself refreshed by all."""
    tokens = sign_in(host.auth).tokens
    for _ in range(rounds // 10):
        outcomes = host.race([refresh(tokens)] * racers)
        tokens = host.auth.refresh(tokens.refresh_token.reveal())
        assert [tokens] * racers == outcomes
        assert tokens.session_id == authenticate(tokens)(host.auth).session_id
    told = Counter(event.kind for event in events)
    assert (rounds // 10, rounds // 10 * racers) == (told["refreshed"], told["refresh_converged"])


@EACH_LEVEL
def test_a_queue_converges(host: "Host", held: "Held", events: list[AuthEvent]) -> None:
    """Also when all 32 are certain to have found the token current, since they stand in the queue for the session."""
    tokens = sign_in(host.auth).tokens
    with held(HOLD_SESSIONS) as wait_for:
        started = host.start([refresh(tokens)] * 32)
        wait_for(32)
    outcomes = host.outcomes(started)
    assert [host.auth.refresh(tokens.refresh_token.reveal())] * 32 == outcomes
    assert Counter(event.kind for event in events)["refreshed"] == 1


def test_the_first_use_and_the_token_of_before_at_once(host: "Host", rounds: int, query: "Query") -> None:
    """While some use the new pair for the first time, others come with its predecessor: all hold it, and it is used."""
    tokens = sign_in(host.auth).tokens
    for _ in range(rounds // 10):
        new = refresh(tokens)(host.auth)
        outcomes = host.race([*[authenticate(new)] * 8, *[refresh(tokens)] * 8])
        assert {Identity: 8, TokenPair: 8} == Counter(map(type, outcomes))
        found = {outcome.refresh_token for outcome in outcomes if isinstance(outcome, TokenPair)}
        assert {new.refresh_token} == found
        authenticate(new)(host.auth)
        assert query("SELECT confirmed_at IS NOT NULL, revoked_at IS NULL FROM pgauthkit.sessions") == [(True, True)]
        tokens = new


def test_requests_in_flight_do_not_fail(host: "Host", rounds: int) -> None:
    """While some refresh, requests with the access token of before are let in, and nobody waits for the lock."""
    tokens = sign_in(host.auth).tokens
    for _ in range(rounds // 10):
        outcomes = host.race([*[refresh(tokens)] * 8, *[authenticate(tokens)] * 24])
        assert {TokenPair: 8, Identity: 24} == Counter(map(type, outcomes))
        tokens = host.auth.refresh(tokens.refresh_token.reveal())


def test_authenticate_waits_for_no_refresh(host: "Host", held: "Held") -> None:
    """A request is judged at once although its session's row is locked."""
    signed_in = sign_in(host.auth)
    with held(HOLD_SESSIONS):
        assert signed_in.user == authenticate(signed_in.tokens)(host.auth)


@pytest.mark.parametrize("age", [2, 3, 5])
def test_any_ancestor_ends_the_session(make_host: "MakeHost", config: AuthConfig, age: int) -> None:
    """A token whose successor was used is a theft, within the grace as well, and ends the session for every host."""
    host = make_host(config)
    tokens = [sign_in(host.auth).tokens]
    for _ in range(age):
        tokens.append(refresh(tokens[-1])(host.auth))
    with pytest.raises(RefreshTokenReusedError):
        refresh(tokens[0])(host.auth)
    for auth in (host.auth, make_host(config).auth):
        with pytest.raises(SessionRevokedError):
            authenticate(tokens[-1])(auth)
        with pytest.raises(SessionRevokedError):
            refresh(tokens[-1])(auth)
        with pytest.raises(InvalidTokenError):
            refresh(tokens[0])(auth)


def test_replay_is_seen_after_a_restart(make_host: "MakeHost", config: AuthConfig, events: list[AuthEvent]) -> None:
    """A host that was started after the rotations sees the replay as well, and tells it."""
    first = make_host(config)
    tokens = sign_in(first.auth).tokens
    newest = refresh(refresh(tokens)(first.auth))(first.auth)
    first.close()
    with pytest.raises(RefreshTokenReusedError):
        refresh(tokens)(make_host(config).auth)
    with pytest.raises(SessionRevokedError):
        authenticate(newest)(make_host(config).auth)
    assert events[-1].kind == "refresh_replayed"


def test_replay_is_seen_from_another_process(host: "Host", pgauthkit_url: str) -> None:
    """Another process sees the replay, and its revocation is committed although it then dies of the error."""
    tokens = sign_in(host.auth).tokens
    newest = refresh(refresh(tokens)(host.auth))(host.auth)
    given = f"{pgauthkit_url} {tokens.refresh_token.reveal()}"
    command = [sys.executable, "-c", IN_ANOTHER_PROCESS]
    assert subprocess.run(command, input=given, capture_output=True, text=True, check=True).stdout == "reused\n"
    with pytest.raises(SessionRevokedError):
        authenticate(newest)(host.auth)


def test_replay_survives_the_callers_rollback(host: "Host", pgauthkit_engine: Engine, query: "Query") -> None:
    """A host whose own transaction is rolled back by the error has the session revoked all the same."""
    tokens = sign_in(host.auth).tokens
    newest = refresh(refresh(tokens)(host.auth))(host.auth)
    with orm.Session(pgauthkit_engine) as db:
        db.execute(text("CREATE TABLE undone ()"))
        with pytest.raises(RefreshTokenReusedError):
            refresh(tokens)(host.auth)
        db.rollback()
    assert query("SELECT to_regclass('undone')") == [(None,)]
    with pytest.raises(SessionRevokedError):
        authenticate(newest)(host.auth)


@EACH_LEVEL
def test_replay_in_the_middle_of_a_race(host: "Host", rounds: int, query: "Query") -> None:
    """Where a thief's ancestor runs among the owner's tabs, the session is over, and no pair that came out is good."""
    for _ in range(rounds // 10):
        stolen = sign_in(host.auth).tokens
        tokens = refresh(refresh(stolen)(host.auth))(host.auth)
        outcomes = host.race([*[refresh(tokens)] * 12, *[refresh(stolen)] * 4])
        owner, thief = outcomes[:12], outcomes[12:]
        assert {RefreshTokenReusedError: 1, InvalidTokenError: 3} == Counter(map(type, thief))
        assert {TokenPair, SessionRevokedError} >= set(map(type, owner))
        pairs = [outcome for outcome in owner if isinstance(outcome, TokenPair)]
        assert pairs[:1] * len(pairs) == pairs
        for pair in (tokens, *pairs[:1]):
            with pytest.raises(SessionRevokedError):
                authenticate(pair)(host.auth)
    assert query("SELECT count(*) FROM pgauthkit.sessions WHERE revoked_at IS NULL") == [(0,)]


@EACH_LEVEL
def test_a_thief_and_an_owner_in_a_queue(host: "Host", held: "Held") -> None:
    """Replay wins whichever of the two was first at the lock: nobody leaves with a pair that works."""
    stolen = sign_in(host.auth).tokens
    tokens = refresh(refresh(stolen)(host.auth))(host.auth)
    with held(HOLD_SESSIONS) as wait_for:
        owner = host.start([refresh(tokens)] * 4)
        wait_for(4)
        thief = host.start([refresh(stolen)])
        wait_for(5)
        late = host.start([refresh(tokens)] * 4)
        wait_for(9)
    assert [RefreshTokenReusedError] == [*map(type, host.outcomes(thief))]
    assert {TokenPair, SessionRevokedError} >= {*map(type, host.outcomes(owner + late))}
    with pytest.raises(SessionRevokedError):
        refresh(tokens)(host.auth)


def test_guessing_ends_no_session(host: "Host", query: "Query") -> None:
    """With a session's id, and an access token of before, 1,000 forged tokens change nothing."""
    signed_in = sign_in(host.auth)
    newest = refresh(refresh(signed_in.tokens)(host.auth))(host.auth)
    row = query("SELECT s::text FROM pgauthkit.sessions s")
    selector = SessionToken.parse(Kind.ACCESS, signed_in.tokens.access_token.reveal()).selector

    def forged(kind: Kind) -> str:
        return SessionToken(0, selector, secrets.token_bytes(32)).text(kind).reveal()

    guesses: list[Call[object]] = [
        lambda auth: auth.refresh(forged(Kind.REFRESH)),
        lambda auth: auth.authenticate(forged(Kind.ACCESS)),
        lambda auth: auth.sign_out(forged(Kind.ACCESS)),
    ]
    for _ in range(GUESSES // 30):
        outcomes = host.race(guesses * 10)
        assert {InvalidTokenError: 30} == Counter(map(type, outcomes))
    assert host.auth.revoke_session("somebody else", signed_in.user.session_id) is False
    assert row == query("SELECT s::text FROM pgauthkit.sessions s")
    assert signed_in.user.user_id == authenticate(newest)(host.auth).user_id
    assert newest.session_id == refresh(newest)(host.auth).session_id


@EACH_LEVEL
def test_two_hosts_at_different_peppers_converge(make_host: "MakeHost", config: AuthConfig, rounds: int) -> None:
    """While one host makes tokens with a new pepper and another still with the old, racers at both get one pair."""
    hosts = [make_host(attrs.evolve(config, peppers=peppers)) for peppers in ((OLD, NEW), (NEW, OLD))]
    tokens = stolen = sign_in(hosts[0].auth).tokens
    for _ in range(rounds // 20):
        started = [future for host in hosts for future in host.start([refresh(tokens)] * 8)]
        outcomes = hosts[0].outcomes(started)
        tokens = refresh(tokens)(hosts[0].auth)
        assert [tokens] * 16 == outcomes
        assert tokens.session_id == authenticate(tokens)(hosts[1].auth).session_id
    with pytest.raises(RefreshTokenReusedError):
        refresh(stolen)(hosts[1].auth)
    with pytest.raises(SessionRevokedError):
        authenticate(tokens)(hosts[0].auth)


@EACH_LEVEL
def test_signing_out_while_tabs_refresh(host: "Host", rounds: int) -> None:
    """Whoever signs out while others refresh is signed out: the session is over, whichever came first."""
    for _ in range(rounds // 10):
        tokens = sign_in(host.auth).tokens
        outcomes = host.race([*[refresh(tokens)] * 6, sign_out(tokens), *[refresh(tokens)] * 6])
        assert {TokenPair, SessionRevokedError, type(None)} >= set(map(type, outcomes))
        with pytest.raises(SessionRevokedError):
            authenticate(tokens)(host.auth)


@pytest.mark.parametrize(
    ("after", "converges"),
    [
        (timedelta(seconds=29.9), True),
        (timedelta(seconds=30, microseconds=-1), True),
        (timedelta(seconds=30), False),
        (timedelta(seconds=30.1), False),
    ],
)
def test_the_grace_ends_to_the_microsecond(
    make_host: "MakeHost",
    config: AuthConfig,
    after: timedelta,
    converges: bool,  # noqa: FBT001
) -> None:
    """A token of before gives the same pair until 30 s after that was first used, and is a theft from then on."""
    clock = Clock()
    host = make_host(attrs.evolve(config, clock=clock))
    tokens = sign_in(host.auth).tokens
    pair = refresh(tokens)(host.auth)
    clock.move(timedelta(hours=1))
    pair = refresh(tokens)(host.auth)
    authenticate(pair)(host.auth)
    clock.move(after)
    outcomes = host.race([refresh(tokens)] * 8)
    if converges:
        assert [pair] * 8 == outcomes
    else:
        assert {RefreshTokenReusedError: 1, SessionRevokedError: 7} == Counter(map(type, outcomes))
