"""Codes: five are looked at and not six, whatever races, rolls back, or asks for another link."""

from collections import Counter
from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest
from sqlalchemy import Engine, orm, text

from pgauthkit import AuthConfig
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import (
    BindingMismatchError,
    InvalidCodeError,
    RateLimitedError,
    TokenAlreadyUsedError,
    TooManyAttemptsError,
)
from pgauthkit.values import AuthEvent, IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, MakeHost, Query

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
HOLD_LINK = "SELECT FROM pgauthkit.magic_links WHERE id = %(id)s FOR UPDATE"
ATTEMPTS = "SELECT attempts FROM pgauthkit.magic_links ORDER BY created_at, id"
PER_HOUR = 10
ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"


@pytest.fixture
def events() -> list[AuthEvent]:
    return []


@pytest.fixture
def config(config: AuthConfig, events: list[AuthEvent]) -> AuthConfig:
    return attrs.evolve(config, observers=[events.append])


@pytest.fixture
def limited(make_host: "MakeHost", config: AuthConfig) -> "Host":
    """A host that looks at ten codes an hour for one address from one ip."""
    limits = RateLimits(
        per_ip=None,
        per_email=None,
        per_email_and_ip=None,
        code_attempts=RateLimit(PER_HOUR, per=timedelta(hours=1)),
    )
    return make_host(attrs.evolve(config, rate_limits=limits))


def right_code(link: IssuedMagicLink) -> str:
    assert link.code
    return link.code.reveal()


def wrong_code(link: IssuedMagicLink) -> str:
    return right_code(link).translate(str.maketrans(ALPHABET, ALPHABET[1:] + ALPHABET[:1]))


def attempt(link: IssuedMagicLink, code: str, ip: str | None = None) -> "Call[SignIn]":
    return lambda auth: auth.verify_code(link.id, code, ip=ip)


@EACH_LEVEL
def test_five_of_fifty_are_looked_at(host: "Host", events: list[AuthEvent], query: "Query") -> None:
    """Of 50 wrong codes at once five are looked at, each with one attempt less left; the right one comes too late."""
    link = host.auth.request_magic_link("ada@example.com")
    outcomes = host.race([attempt(link, wrong_code(link))] * 50)
    assert {InvalidCodeError: 5, TooManyAttemptsError: 45} == Counter(map(type, outcomes))
    left = [outcome.attempts_left for outcome in outcomes if isinstance(outcome, InvalidCodeError)]
    assert sorted(left) == [0, 1, 2, 3, 4]
    with pytest.raises(TooManyAttemptsError):
        host.auth.verify_code(link.id, right_code(link))
    assert query(ATTEMPTS) == [(5,)]
    assert Counter(event.kind for event in events)["code_rejected"] == 5
    assert host.auth.verify_magic_link(link.token.reveal()).created


@EACH_LEVEL
def test_five_of_a_queue_are_looked_at(host: "Host", held: "Held", query: "Query") -> None:
    """Also when all 50 are certain to have found no attempt counted, since they stand in the queue for the link."""
    link = host.auth.request_magic_link("ada@example.com")
    with held(HOLD_LINK, id=link.id) as wait_for:
        started = host.start([attempt(link, wrong_code(link))] * 50)
        wait_for(50)
    assert {InvalidCodeError: 5, TooManyAttemptsError: 45} == Counter(map(type, host.outcomes(started)))
    assert query(ATTEMPTS) == [(5,)]


@EACH_LEVEL
def test_the_right_code_among_wrong_ones(host: "Host", rounds: int, query: "Query") -> None:
    """Where right and wrong codes race, five at most are looked at, and one at most signs in."""
    sign_ins = 0
    for number in range(rounds // 10):
        link = host.auth.request_magic_link(f"ada{number}@example.com")
        outcomes = Counter(map(type, host.race([attempt(link, wrong_code(link)), attempt(link, right_code(link))] * 8)))
        assert {SignIn, InvalidCodeError, TooManyAttemptsError, TokenAlreadyUsedError} >= set(outcomes)
        assert outcomes[SignIn] <= 1
        assert outcomes[SignIn] + outcomes[InvalidCodeError] <= 5
        sign_ins += outcomes[SignIn]
    assert [(sign_ins,)] == query("SELECT count(*) FROM pgauthkit.sessions")
    assert query("SELECT max(attempts) FROM pgauthkit.magic_links") <= [(5,)]


def test_an_attempt_survives_the_callers_rollback(host: "Host", pgauthkit_engine: Engine, query: "Query") -> None:
    """A host that rolls its own transaction back after each wrong code gets no more than five."""
    link = host.auth.request_magic_link("ada@example.com")
    for left in (4, 3, 2, 1, 0):
        with orm.Session(pgauthkit_engine) as db:
            db.execute(text("CREATE TABLE undone ()"))
            with pytest.raises(InvalidCodeError) as caught:
                host.auth.verify_code(link.id, wrong_code(link))
            db.rollback()
        assert left == caught.value.attempts_left
    assert query("SELECT to_regclass('undone')") == [(None,)]
    with pytest.raises(TooManyAttemptsError):
        host.auth.verify_code(link.id, right_code(link))


@EACH_LEVEL
def test_another_link_gives_no_new_budget(limited: "Host", query: "Query") -> None:
    """However many links an address has, ten codes an hour are looked at from one ip, also at once; not from others."""
    links = [limited.auth.request_magic_link("ada@example.com") for _ in range(4)]
    outcomes = Counter(
        map(type, limited.race([attempt(link, wrong_code(link), "192.0.2.1") for link in links for _ in range(10)]))
    )
    assert outcomes[InvalidCodeError] == PER_HOUR
    assert {InvalidCodeError, TooManyAttemptsError, RateLimitedError} >= set(outcomes)
    assert sum(attempts for (attempts,) in query(ATTEMPTS)) == PER_HOUR
    new = limited.auth.request_magic_link("ada@example.com")
    with pytest.raises(RateLimitedError) as caught:
        limited.auth.verify_code(new.id, right_code(new), ip="192.0.2.1")
    assert timedelta(minutes=5) < caught.value.retry_after <= timedelta(minutes=6)
    assert limited.auth.verify_code(new.id, right_code(new), ip="192.0.2.2").created


def test_the_budget_is_one_address_s(limited: "Host") -> None:
    """Whoever has used up the budget of one address may still sign in at another from the same ip."""
    mine, yours = (limited.auth.request_magic_link(f"{who}@example.com") for who in ("ada", "bob"))
    limited.race([attempt(mine, wrong_code(mine), "192.0.2.1")] * 12)
    assert limited.auth.verify_code(yours.id, right_code(yours), ip="192.0.2.1").created


@EACH_LEVEL
def test_a_wrong_browser_counts_for_nothing(limited: "Host", query: "Query") -> None:
    """30 codes from browsers that did not ask for the link take no attempt of it, and nothing of the hour's budget."""
    link = limited.auth.request_magic_link("ada@example.com", bind=True)
    outcomes = limited.race([attempt(link, right_code(link), "192.0.2.1")] * 30)
    assert {BindingMismatchError: 30} == Counter(map(type, outcomes))
    assert query(ATTEMPTS) == [(0,)]
    assert query("SELECT count(*) FROM pgauthkit.rate_limits") == [(0,)]
    assert link.binding
    binding = link.binding.reveal()
    assert limited.auth.verify_code(link.id, right_code(link), binding=binding, ip="192.0.2.1").created
