"""Rate limits on asking for links: per ip, per address and ip, per address."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import InvalidEmailError, InvalidRedirectError, RateLimitedError
from pgauthkit.testing import Clock

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

ADA, EVE = "ada@example.com", "eve@example.com"
HERE, THERE = "203.0.113.7", "198.51.100.7"
INSTANT = timedelta(microseconds=1)
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
LINKS = "SELECT count(*) FROM pgauthkit.magic_links"


def only(**limits: RateLimit) -> RateLimits:
    """Return these limits, and no other."""
    off: dict[str, RateLimit | None] = {"per_ip": None, "per_email": None, "per_email_and_ip": None}
    return RateLimits(code_attempts=None, **{**off, **limits})


def refused(auth: AuthService, email: str = ADA, ip: str | None = HERE) -> timedelta:
    """Ask in vain, and return how long to wait."""
    with pytest.raises(RateLimitedError) as caught:
        auth.request_magic_link(email, ip=ip)
    return caught.value.retry_after


def test_defaults(auth: AuthService, database: "Database") -> None:
    """By default an address gets 5 links from one ip and 10 in all, and an ip asks for 20, before there is a wait."""
    for _ in range(5):
        auth.request_magic_link(ADA, ip=HERE)
    assert timedelta(minutes=12) == refused(auth)
    for number in range(5):
        auth.request_magic_link(ADA, ip=f"198.51.100.{number}")
    assert timedelta(minutes=6) == refused(auth, ip="192.0.2.1")
    for number in range(14):
        auth.request_magic_link(f"user{number}@example.com", ip=HERE)
    assert timedelta(seconds=3) == refused(auth, "one-more@example.com")
    assert database.ask(LINKS) == [(24,)]


@pytest.mark.pg18
def test_so_many_in_a_time(configured: "Configured", database: "Database", pgauthkit_clock: Clock) -> None:
    """After a burst of `count`, one more is let through in each interval, to the microsecond."""
    auth = configured(rate_limits=only(per_email=RateLimit(3, per=MINUTE)))
    for _ in range(3):
        auth.request_magic_link(ADA)
    assert timedelta(seconds=20) == refused(auth)
    pgauthkit_clock.move(timedelta(seconds=20) - INSTANT)
    assert refused(auth) == INSTANT
    pgauthkit_clock.move(INSTANT)
    auth.request_magic_link(ADA)
    assert timedelta(seconds=20) == refused(auth)
    assert database.ask(LINKS) == [(4,)]


def test_after_a_rest(configured: "Configured", pgauthkit_clock: Clock) -> None:
    """After `per` without a request the whole burst is there again, and no more than that."""
    auth = configured(rate_limits=only(per_email=RateLimit(3, per=MINUTE)))
    for rest in (MINUTE, HOUR, MINUTE):
        for _ in range(3):
            auth.request_magic_link(ADA)
        refused(auth)
        pgauthkit_clock.move(rest)


def test_a_burst_of_its_own(configured: "Configured", pgauthkit_clock: Clock) -> None:
    """A smaller burst spreads the same number more evenly, and a larger one lets more come at once."""
    spread = configured(rate_limits=only(per_email=RateLimit(6, per=MINUTE, burst=1)))
    spread.request_magic_link(ADA)
    assert timedelta(seconds=10) == refused(spread)
    pgauthkit_clock.move(timedelta(seconds=10))
    spread.request_magic_link(ADA)
    crowded = configured(rate_limits=only(per_email=RateLimit(1, per=MINUTE, burst=3)))
    for _ in range(3):
        crowded.request_magic_link(EVE)
    assert refused(crowded, EVE) == MINUTE


def test_a_refusal_takes_nothing(configured: "Configured", database: "Database") -> None:
    """Whoever asks again and again does not wait longer for it, and no link is written."""
    auth = configured(rate_limits=only(per_email=RateLimit(1, per=MINUTE)))
    auth.request_magic_link(ADA)
    before = database.ask("SELECT key, full_at FROM pgauthkit.rate_limits")
    assert [refused(auth) for _ in range(5)] == [MINUTE] * 5
    assert before == database.ask("SELECT key, full_at FROM pgauthkit.rate_limits")
    assert database.ask(LINKS) == [(1,)]


def test_a_refused_ip_spares_the_address(configured: "Configured") -> None:
    """What is refused for its ip takes nothing from the address: the owner asks from elsewhere."""
    limits = only(
        per_ip=RateLimit(1, per=HOUR), per_email=RateLimit(1, per=MINUTE), per_email_and_ip=RateLimit(1, per=MINUTE)
    )
    auth = configured(rate_limits=limits)
    auth.request_magic_link(EVE, ip=HERE)
    for _ in range(5):
        assert refused(auth, ADA) == HOUR
    auth.request_magic_link(ADA, ip=THERE)


def test_a_stranger_takes_no_more_than_a_share(auth: AuthService, database: "Database") -> None:
    """A stranger at one ip cannot use up the address: what is refused for both takes nothing from it."""
    for _ in range(5):
        auth.request_magic_link(ADA, ip=HERE)
    for _ in range(10):
        refused(auth)
    for _ in range(5):
        auth.request_magic_link(ADA, ip=THERE)
    assert database.ask(LINKS) == [(10,)]


def test_a_refused_share_counts_for_the_ip(configured: "Configured") -> None:
    """The ip is asked first: who keeps asking for one address is soon refused for all."""
    limits = only(per_ip=RateLimit(3, per=HOUR), per_email_and_ip=RateLimit(1, per=MINUTE))
    auth = configured(rate_limits=limits)
    auth.request_magic_link(ADA, ip=HERE)
    assert [MINUTE, MINUTE, timedelta(minutes=20)] == [refused(auth) for _ in range(3)]
    assert timedelta(minutes=20) == refused(auth, EVE)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HERE, HERE),
        (HERE, f"::ffff:{HERE}"),
        ("2001:db8:0:1::1", "2001:0DB8:0:1:ffff::2"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("testclient", "testclient\0"),
    ],
)
def test_ips_that_count_as_one(configured: "Configured", first: str, second: str) -> None:
    """IPv4 in IPv6 is IPv4, a /64 of IPv6 is one subscriber, and what is no ip is counted by its text."""
    auth = configured(rate_limits=only(per_ip=RateLimit(1, per=HOUR)))
    auth.request_magic_link(ADA, ip=first)
    assert refused(auth, EVE, second) == HOUR


@pytest.mark.parametrize(("first", "second"), [(HERE, THERE), ("2001:db8:0:1::1", "2001:db8:0:2::1"), (HERE, None)])
def test_ips_that_count_as_two(configured: "Configured", first: str, second: str | None) -> None:
    """Other subscribers are not concerned."""
    auth = configured(rate_limits=only(per_ip=RateLimit(1, per=HOUR), per_email_and_ip=RateLimit(1, per=HOUR)))
    auth.request_magic_link(ADA, ip=first)
    auth.request_magic_link(ADA, ip=second)


@pytest.mark.parametrize("ip", [None, "", "\0"])
def test_without_an_ip(configured: "Configured", ip: str | None) -> None:
    """Without an ip its limits are skipped, and the address's own holds."""
    limits = only(
        per_ip=RateLimit(1, per=HOUR), per_email=RateLimit(2, per=MINUTE), per_email_and_ip=RateLimit(1, per=HOUR)
    )
    auth = configured(rate_limits=limits)
    for _ in range(2):
        auth.request_magic_link(ADA, ip=ip)
    assert timedelta(seconds=30) == refused(auth, ip=ip)


def test_spellings_of_one_address(configured: "Configured") -> None:
    """However it is typed, an address is counted as itself."""
    auth = configured(rate_limits=only(per_email=RateLimit(1, per=HOUR), per_email_and_ip=RateLimit(1, per=HOUR)))
    auth.request_magic_link("Ada@Example.com", ip=HERE)
    assert refused(auth, " ada@EXAMPLE.COM ") == HOUR


def test_whether_known_or_not(configured: "Configured", database: "Database", sign_in: "SigningIn") -> None:
    """Known, inactive and unknown addresses are counted alike, so that a limit tells nobody who has an account."""
    sign_in(ADA)
    inactive = sign_in("gone@example.com").user.user_id
    database.tell("UPDATE pgauthkit.users SET is_active = false WHERE id = %s", inactive)
    auth = configured(rate_limits=only(per_email=RateLimit(2, per=HOUR)))
    database.tell("DELETE FROM pgauthkit.rate_limits")
    for email in (ADA, "gone@example.com", "unknown@example.com"):
        for _ in range(2):
            auth.request_magic_link(email, ip=HERE)
        assert timedelta(minutes=30) == refused(auth, email)


@pytest.mark.parametrize("limits", [None, only()])
def test_switched_off(configured: "Configured", database: "Database", limits: RateLimits | None) -> None:
    """Without limits nothing is counted."""
    auth = configured(rate_limits=limits)
    for _ in range(30):
        auth.request_magic_link(ADA, ip=HERE)
    assert database.ask("SELECT 1 FROM pgauthkit.rate_limits") == []


@pytest.mark.parametrize("name", ["per_ip", "per_email", "per_email_and_ip"])
def test_one_alone(configured: "Configured", database: "Database", name: str) -> None:
    """Each limit holds on its own."""
    auth = configured(rate_limits=only(**{name: RateLimit(1, per=HOUR)}))
    auth.request_magic_link(ADA, ip=HERE)
    assert refused(auth) == HOUR
    assert database.ask("SELECT count(*) FROM pgauthkit.rate_limits") == [(1,)]


def test_what_is_refused_for_itself_is_not_counted(configured: "Configured") -> None:
    """No address, and a redirect that leads elsewhere, take nothing from any limit."""
    auth = configured(rate_limits=only(per_ip=RateLimit(1, per=HOUR)))
    with pytest.raises(InvalidEmailError):
        auth.request_magic_link("ada", ip=HERE)
    with pytest.raises(InvalidRedirectError):
        auth.request_magic_link(ADA, ip=HERE, redirect_to="//evil.example")
    auth.request_magic_link(ADA, ip=HERE)


def test_the_table_tells_nobody(auth: AuthService, database: "Database") -> None:
    """A bucket's key is a hash: neither the address nor the ip is in it."""
    auth.request_magic_link(ADA, ip=HERE)
    keys = [bytes(key) for (key,) in database.ask("SELECT key FROM pgauthkit.rate_limits")]
    assert [len(key) for key in keys] == [32, 32, 32]
    assert not any(ADA.encode() in key or HERE.encode() in key for key in keys)


def test_what_the_error_says(configured: "Configured") -> None:
    """The refusal says how long to wait, and nothing of who asked."""
    auth = configured(rate_limits=only(per_email=RateLimit(1, per=HOUR)))
    auth.request_magic_link(ADA)
    with pytest.raises(RateLimitedError, match=r"^Too many requests: try again in 3600 s\.$"):
        auth.request_magic_link(ADA)
