"""Rate limits on asking for links: per ip and network, per address from them, per address."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from pgauthkit import AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import InvalidCodeError, InvalidEmailError, InvalidRedirectError, RateLimitedError
from pgauthkit.hashing import Hasher
from pgauthkit.testing import Clock

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

ADA, EVE = "ada@example.com", "eve@example.com"
HERE, THERE = "203.0.113.7", "198.51.100.7"
INSTANT = timedelta(microseconds=1)
MINUTE, HOUR, YEAR = timedelta(minutes=1), timedelta(hours=1), timedelta(days=364)
ONE = RateLimit(1, per=HOUR)
LINKS = "SELECT count(*) FROM pgauthkit.magic_links"


OFF = RateLimits(
    per_ip=None,
    per_network=None,
    per_email=None,
    per_email_and_ip=None,
    per_email_and_network=None,
    per_device=None,
    code_attempts=None,
)


def only(**limits: RateLimit) -> RateLimits:
    """Return these limits, and no other."""
    chosen: dict[str, Any] = {**limits}
    return attrs.evolve(OFF, **chosen)


def refused(auth: AuthService, email: str = ADA, ip: str | None = HERE) -> timedelta:
    """Ask in vain, and return how long to wait."""
    with pytest.raises(RateLimitedError) as caught:
        auth.request_magic_link(email, ip=ip)
    return caught.value.retry_after


def test_defaults(auth: AuthService, database: "Database") -> None:
    """By default an address gets 5 links from one ip, 8 from a /48 and 50 in all, and an ip asks for 20, at once."""
    for number in range(50):
        auth.request_magic_link(ADA, ip=f"198.51.100.{number // 5}")
    assert timedelta(minutes=4) == refused(auth, ip="192.0.2.1")
    assert refused(auth, ip="198.51.100.1") == HOUR
    for number in range(8):
        auth.request_magic_link(EVE, ip=f"2001:db8:0:{number // 5}00::1")
    assert timedelta(minutes=40) == refused(auth, EVE, "2001:db8:0:100::1")
    for number in range(20):
        auth.request_magic_link(f"user{number}@example.com", ip=HERE)
    assert timedelta(seconds=3) == refused(auth, "one-more@example.com")
    assert database.ask(LINKS) == [(78,)]


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


@pytest.mark.parametrize("share", ["per_email_and_ip", "per_email_and_network", "per_email"])
@pytest.mark.parametrize("codes", [False, True])
def test_a_refusal_drains_no_other_bucket(
    configured: "Configured", database: "Database", share: str, *, codes: bool
) -> None:
    """What the address's limits refuse takes nothing from the ip's, and writes nothing at all."""
    auth = configured(codes=codes, rate_limits=only(per_ip=RateLimit(3, per=HOUR), **{share: RateLimit(1, per=MINUTE)}))
    auth.request_magic_link(ADA, ip=HERE)
    before = database.ask("SELECT key, full_at, granted, xmin::text FROM pgauthkit.rate_limits")
    assert [refused(auth) for _ in range(5)] == [MINUTE] * 5
    assert before == database.ask("SELECT key, full_at, granted, xmin::text FROM pgauthkit.rate_limits")
    for email in (EVE, "bob@example.com"):
        auth.request_magic_link(email, ip=HERE)
    assert timedelta(minutes=20) == refused(auth, EVE)


def test_the_longest_wait_is_told(configured: "Configured") -> None:
    """Where several limits refuse, the wait is that of the last to grant again."""
    auth = configured(rate_limits=only(per_ip=RateLimit(1, per=HOUR), per_email=RateLimit(1, per=MINUTE)))
    auth.request_magic_link(ADA, ip=HERE)
    assert refused(auth) == HOUR


@pytest.mark.parametrize("codes", [False, True])
def test_a_clock_that_was_ahead(configured: "Configured", pgauthkit_clock: Clock, *, codes: bool) -> None:
    """What was counted by a clock a year ahead locks nobody out when it is right again; the buckets are full then."""
    limits = only(per_ip=RateLimit(2, per=HOUR), per_email=RateLimit(2, per=MINUTE))
    auth = configured(codes=codes, rate_limits=limits)
    pgauthkit_clock.move(YEAR)
    auth.request_magic_link(ADA, ip=HERE)
    pgauthkit_clock.move(-YEAR)
    auth.request_magic_link(ADA, ip=HERE)
    assert timedelta(minutes=30) == refused(auth)
    pgauthkit_clock.move(HOUR)
    for _ in range(2):
        auth.request_magic_link(ADA, ip=HERE)
    refused(auth)


def test_purging_what_a_clock_ahead_has_left(
    configured: "Configured", database: "Database", pgauthkit_clock: Clock
) -> None:
    """A bucket that is fuller than any can be is deleted, and one that is full is kept."""
    auth = configured(rate_limits=only(per_email=RateLimit(1, per=HOUR)))
    pgauthkit_clock.move(YEAR)
    auth.request_magic_link(EVE)
    pgauthkit_clock.move(-YEAR)
    auth.request_magic_link(ADA)
    assert auth.purge().rate_limits == 1
    assert database.ask("SELECT full_at FROM pgauthkit.rate_limits") == [(pgauthkit_clock() + HOUR,)]


def test_no_slow_hash_for_a_refusal(configured: "Configured", monkeypatch: pytest.MonkeyPatch) -> None:
    """With codes the limits are asked before a code is hashed, so that a refused request costs no argon2."""
    auth = configured(codes=True, rate_limits=only(per_email=RateLimit(2, per=HOUR)))
    hashed: list[str] = []
    hash_code = Hasher.hash_code

    def counted(hasher: Hasher, link_id: str, code: str) -> str:
        hashed.append(link_id)
        return hash_code(hasher, link_id, code)

    monkeypatch.setattr(Hasher, "hash_code", counted)
    links = [auth.request_magic_link(ADA).id for _ in range(2)]
    for _ in range(5):
        refused(auth)
    assert links == hashed


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (HERE, HERE),
        (HERE, f"::ffff:{HERE}"),
        ("2001:db8:0:1::1", "2001:0DB8:0:ff:ffff::2"),
        (HERE, f"{HERE}:41234"),
        (HERE, f"64:ff9b::{HERE}"),
        ("2001:db8::1", "[2001:db8::1]:443"),
        (f"{HERE}, 10.0.0.1", f"{THERE}, 10.0.0.1"),
        ("fe80::1%eth0", "fe80::2%eth1"),
        ("testclient", "proxy.internal"),
    ],
)
def test_ips_that_count_as_one(configured: "Configured", first: str, second: str) -> None:
    """IPv4 in IPv6 is IPv4, a /56 of IPv6 is one household, ports do not count, and all that is no ip is one."""
    auth = configured(rate_limits=only(per_ip=RateLimit(1, per=HOUR)))
    auth.request_magic_link(ADA, ip=first)
    assert refused(auth, EVE, second) == HOUR


@pytest.mark.parametrize(("first", "second"), [(HERE, THERE), ("2001:db8::1", "2001:db8:0:100::1"), (HERE, None)])
def test_ips_that_count_as_two(configured: "Configured", first: str, second: str | None) -> None:
    """Other subscribers are not concerned."""
    auth = configured(rate_limits=only(per_ip=RateLimit(1, per=HOUR), per_email_and_ip=RateLimit(1, per=HOUR)))
    auth.request_magic_link(ADA, ip=first)
    auth.request_magic_link(ADA, ip=second)


@pytest.mark.parametrize("ip", [None, "", "\0", " \r\n"])
def test_without_an_ip(configured: "Configured", ip: str | None) -> None:
    """Without an ip its limits are skipped, and the address's own holds."""
    limits = only(
        per_ip=RateLimit(1, per=HOUR), per_email=RateLimit(2, per=MINUTE), per_email_and_ip=RateLimit(1, per=HOUR)
    )
    auth = configured(rate_limits=limits)
    for _ in range(2):
        auth.request_magic_link(ADA, ip=ip)
    assert timedelta(seconds=30) == refused(auth, ip=ip)


def test_a_blank_ip_is_reported_once(
    configured: "Configured", monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The log says once that limits are skipped for a blank; a host that passes no ip knows that it does not."""
    monkeypatch.setattr("pgauthkit.client._REPORTED", set())
    auth = configured(rate_limits=only(per_ip=ONE), codes=True)
    link = auth.request_magic_link(ADA)
    assert caplog.messages == []

    with pytest.raises(InvalidCodeError):
        auth.verify_code(link.id, "00000000", ip="")
    auth.request_magic_link(ADA, ip=" ")
    assert len(caplog.messages) == 1
    assert "is blank, so that the rate limits by ip and network are skipped" in caplog.text


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


@pytest.mark.parametrize(
    ("limits", "second"),
    [
        (attrs.evolve(OFF, per_ip=ONE, household_prefix=64), "2001:db8:0:1::1"),
        (only(per_ip=ONE, per_network=RateLimit(2, per=HOUR)), "2001:db8:0:100::1"),
        (only(per_email_and_ip=ONE, per_email_and_network=RateLimit(2, per=HOUR)), "2001:db8:0:100::1"),
    ],
)
def test_households_and_networks(configured: "Configured", limits: RateLimits, second: str) -> None:
    """How large a household is may be set, and a wider limit may stand behind it."""
    auth = configured(rate_limits=limits)
    for ip in ("2001:db8::1", second):
        auth.request_magic_link(ADA, ip=ip)
        assert refused(auth, ip=ip) >= HOUR / 2
    if limits.household_prefix == OFF.household_prefix:
        refused(auth, ip="2001:db8:0:200::1")


def test_a_network_that_is_stricter_than_an_ip(configured: "Configured") -> None:
    """The network's limit holds for IPv4 as well, where it is the stricter one."""
    auth = configured(rate_limits=only(per_ip=RateLimit(2, per=HOUR), per_network=ONE))
    auth.request_magic_link(ADA, ip=HERE)
    assert refused(auth, EVE) == HOUR


@pytest.mark.parametrize("limits", [None, only()])
def test_switched_off(configured: "Configured", database: "Database", limits: RateLimits | None) -> None:
    """Without limits nothing is counted."""
    auth = configured(rate_limits=limits)
    for _ in range(30):
        auth.request_magic_link(ADA, ip=HERE)
    assert database.ask("SELECT 1 FROM pgauthkit.rate_limits") == []


@pytest.mark.parametrize("name", ["per_ip", "per_network", "per_email", "per_email_and_ip", "per_email_and_network"])
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


def test_a_day_of_a_stranger(configured: "Configured", pgauthkit_clock: Clock) -> None:
    """A stranger at a dual-stack line who asks all day refuses an owner who asks each hour nothing."""
    auth = configured()
    for _ in range(24):
        for ip in (HERE, "2001:db8::1"):
            while ask(auth, ip):
                pass
        assert ask(auth, THERE)
        pgauthkit_clock.move(HOUR)


def ask(auth: AuthService, ip: str) -> bool:
    try:
        auth.request_magic_link(ADA, ip=ip)
    except RateLimitedError:
        return False
    return True
