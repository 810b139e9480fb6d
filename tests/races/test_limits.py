"""Limits: exactly so many are let through, and a stranger's requests are his own affair."""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from pgauthkit import AuthConfig
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import RateLimitedError
from pgauthkit.values import IssuedMagicLink

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, MakeHost, Query

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
OFF = RateLimits(
    per_ip=None,
    per_network=None,
    per_email=None,
    per_email_and_ip=None,
    per_email_and_network=None,
    per_device=None,
    code_attempts=None,
)
FIVE = RateLimit(5, per=timedelta(hours=1))
RACERS = 24
LINKS = "SELECT count(*) FROM pgauthkit.magic_links"

Limited = Callable[[RateLimits], "Host"]


@pytest.fixture
def limited(make_host: "MakeHost", config: AuthConfig) -> Limited:
    return lambda limits: make_host(attrs.evolve(config, codes=False, rate_limits=limits))


def ask(email: str, ip: str | None = None) -> "Call[IssuedMagicLink]":
    return lambda auth: auth.request_magic_link(email, ip=ip)


def granted(outcomes: Sequence[object]) -> int:
    """Return how many got a link; every other was refused by a limit, and was told to wait."""
    counts = Counter(map(type, outcomes))
    assert {IssuedMagicLink, RateLimitedError} >= set(counts)
    waits = [outcome.retry_after for outcome in outcomes if isinstance(outcome, RateLimitedError)]
    assert all(timedelta() < wait <= timedelta(hours=1) for wait in waits)
    return counts[IssuedMagicLink]


@EACH_LEVEL
@pytest.mark.parametrize("name", ["per_ip", "per_network", "per_email", "per_email_and_ip", "per_email_and_network"])
def test_exactly_five_of_24(limited: Limited, rounds: int, query: "Query", name: str) -> None:
    """Of 24 requests at once under a limit of five, five get a link, and five links are in the table."""
    only: dict[str, Any] = {name: FIVE}
    host = limited(attrs.evolve(OFF, **only))
    for number in range(rounds // 20):
        assert granted(host.race([ask(f"ada{number}@example.com", f"192.0.2.{number}")] * RACERS)) == 5
    assert [(5 * (rounds // 20),)] == query(LINKS)


@EACH_LEVEL
def test_a_refused_ip_spares_the_address(limited: Limited) -> None:
    """What is refused for the ip takes nothing from the address: others still get the rest of its ten links."""
    host = limited(attrs.evolve(OFF, per_ip=FIVE, per_email=RateLimit(10, per=timedelta(hours=1))))
    assert granted(host.race([ask("ada@example.com", "192.0.2.1")] * RACERS)) == 5
    others = host.race([ask("ada@example.com", f"192.0.2.{number}") for number in range(2, 2 + RACERS)])
    assert granted(others) == 5


def test_whoever_began_before_the_first_is_not_refused_for_it(limited: Limited, held: "Held") -> None:
    """Four that wait at their ip while a later one takes the first of five links get the other four; a sixth waits."""
    host = limited(attrs.evolve(OFF, per_ip=RateLimit(100, per=timedelta(hours=1)), per_email=FIVE))
    ask("eve@example.com", "192.0.2.1")(host.auth)
    with held("SELECT FROM pgauthkit.rate_limits FOR UPDATE OF rate_limits") as in_queue:
        early = host.start([ask("ada@example.com", "192.0.2.1")] * 4)
        in_queue(4)
        assert granted(host.race([ask("ada@example.com", "192.0.2.2")])) == 1
    assert granted(host.outcomes(early)) == 4
    assert granted(host.race([ask("ada@example.com", "192.0.2.1")])) == 0


@EACH_LEVEL
def test_a_stranger_takes_nothing_from_the_owner(limited: Limited, query: "Query") -> None:
    """A stranger's 24 requests at once leave the owner, at another ip, a link that works and a share of five."""
    host = limited(attrs.evolve(RateLimits(), per_ip=None))
    mine = host.auth.request_magic_link("ada@example.com", ip="192.0.2.1")
    outcomes = host.race(
        [*[ask("ada@example.com", "198.51.100.1")] * RACERS, *[ask("ada@example.com", "192.0.2.1")] * 4]
    )
    assert (granted(outcomes[:RACERS]), granted(outcomes[RACERS:])) == (5, 4)
    assert query(LINKS) == [(10,)]
    assert host.auth.verify_magic_link(mine.token.reveal()).user.email == "ada@example.com"


def test_signing_in_gives_no_new_links(limited: Limited) -> None:
    """A sign-in does not empty the buckets: whoever has used the limit up waits, with an account or without."""
    host = limited(attrs.evolve(OFF, per_email=FIVE))
    links = host.race([ask("ada@example.com")] * 5)
    assert granted(links) == 5
    assert isinstance(links[0], IssuedMagicLink)
    assert host.auth.verify_magic_link(links[0].token.reveal()).created
    assert granted(host.race([ask("ada@example.com")] * RACERS)) == 0


def test_addresses_with_and_without_an_account_count_alike(limited: Limited) -> None:
    """Known, unknown and inactive addresses are let through five times each, and wait as long."""
    host = limited(attrs.evolve(OFF, per_email=FIVE))
    known, inactive = (
        host.auth.verify_magic_link(ask(f"{who}@example.com")(host.auth).token.reveal()).user
        for who in ("known", "inactive")
    )
    host.auth.deactivate_user(inactive.user_id)
    ask("unknown@example.com")(host.auth)
    for email in (known.email, "unknown@example.com", inactive.email):
        assert granted(host.race([ask(email)] * RACERS)) == 4


@pytest.mark.parametrize(
    "spellings",
    [
        [f"2001:db8:0:{number:x}::1" for number in range(RACERS)],
        ["192.0.2.1", "::ffff:192.0.2.1", "::ffff:c000:201", "0:0:0:0:0:ffff:c000:0201"] * 6,
        ["2001:db8::1", "2001:DB8:0:0:0:0:0:1%eth0", "2001:db8::1%1"] * 8,
        [f"somewhere{number}" for number in range(RACERS)],
    ],
)
def test_one_client_is_one_bucket(limited: Limited, spellings: list[str]) -> None:
    """All of an IPv6 /56, every spelling of an IPv4 address, and all that is no address, share one limit."""
    host = limited(attrs.evolve(OFF, per_ip=FIVE))
    calls = [ask(f"ada{number}@example.com", ip) for number, ip in enumerate(spellings)]
    assert granted(host.race(calls)) == 5


def test_neighbours_are_different_buckets(limited: Limited) -> None:
    """Another IPv4 address, and another /56, have a limit of their own."""
    host = limited(attrs.evolve(OFF, per_ip=FIVE))
    for ip in ("192.0.2.1", "192.0.2.2", "2001:db8::1", "2001:db8:0:100::1"):
        assert granted(host.race([ask("ada@example.com", ip)] * 8)) == 5
