"""What a known device is let through by: limits of its own, which strangers cannot use up."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from pgauthkit import AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import InvalidCodeError, RateLimitedError
from pgauthkit.testing import Clock
from pgauthkit.values import SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

ADA, EVE = "ada@example.com", "eve@example.com"
HERE, THERE = "203.0.113.7", "198.51.100.7"
HOUR = timedelta(hours=1)
ONE, TWO = RateLimit(1, per=HOUR), RateLimit(2, per=timedelta(hours=4))
LIMITS = attrs.evolve(RateLimits(), per_email=ONE, per_device=TWO)
BUCKETS = "SELECT key, full_at FROM pgauthkit.rate_limits ORDER BY key"


def cookie(signed_in: SignIn) -> str:
    return signed_in.device.reveal()


def refused(auth: AuthService, email: str = ADA, **asking: Any) -> timedelta:  # noqa: ANN401 - of a request
    """Ask in vain, and return how long to wait."""
    with pytest.raises(RateLimitedError) as caught:
        auth.request_magic_link(email, **asking)
    return caught.value.retry_after


@pytest.fixture
def limited(configured: "Configured") -> AuthService:
    """One link an hour for an address, and two in four hours for a device."""
    return configured(rate_limits=LIMITS)


@pytest.fixture
def ada(configured: "Configured", sign_in: "SigningIn") -> SignIn:
    """The owner, whom no limit has counted yet."""
    return sign_in(by=configured(rate_limits=None))


@pytest.mark.parametrize("codes", [False, True])
def test_the_owner_and_strangers(configured: "Configured", ada: SignIn, database: "Database", *, codes: bool) -> None:
    """Where strangers have used the address's limit up the owner's device lets through, and takes from no other."""
    auth = configured(rate_limits=LIMITS, codes=codes)
    auth.request_magic_link(ADA, ip=THERE)
    assert refused(auth) == HOUR
    before = database.ask(BUCKETS)
    auth.request_magic_link(ADA, ip=HERE, device=cookie(ada))
    assert len(database.ask(BUCKETS)) == 1 + len(before)
    assert set(before) < set(database.ask(BUCKETS))


def test_a_bucket_that_is_empty(limited: AuthService, ada: SignIn, pgauthkit_clock: Clock) -> None:
    """After its own share a device is as good as a stranger, and refused where both are; the shorter wait is told."""
    for _ in range(3):  # two by its own, and the address's
        limited.request_magic_link(ADA, device=cookie(ada))
    assert refused(limited, device=cookie(ada)) == HOUR
    pgauthkit_clock.move(HOUR)
    limited.request_magic_link(ADA, device=cookie(ada))
    pgauthkit_clock.move(timedelta(minutes=59))
    assert refused(limited, device=cookie(ada)) == timedelta(minutes=1)
    assert refused(limited) == timedelta(minutes=1)


def test_its_own_wait(configured: "Configured", ada: SignIn) -> None:
    """Where its own share comes back first, that is the wait."""
    quick = RateLimit(60, per=HOUR, burst=1)
    auth = configured(rate_limits=attrs.evolve(LIMITS, per_device=quick))
    auth.request_magic_link(ADA)
    auth.request_magic_link(ADA, device=cookie(ada))
    assert refused(auth, device=cookie(ada)) == timedelta(minutes=1)


def test_no_device_of_the_address(
    limited: AuthService, configured: "Configured", ada: SignIn, sign_in: "SigningIn", database: "Database"
) -> None:
    """Another's device, one that was forgotten, and one of a user who is inactive, are a stranger's."""
    eve = sign_in(EVE, by=configured(rate_limits=None))
    for email in (ADA, EVE):
        limited.request_magic_link(email)
    assert refused(limited, device=cookie(eve)) == HOUR
    assert refused(limited, EVE, device=cookie(ada)) == HOUR
    database.tell("UPDATE pgauthkit.users SET is_active = false")
    assert refused(limited, device=cookie(ada)) == HOUR
    database.tell("UPDATE pgauthkit.users SET is_active = true")
    ((device_id,),) = [(device.id,) for device in limited.list_devices(ada.user.user_id)]
    limited.forget_device(ada.user.user_id, device_id)
    assert refused(limited, device=cookie(ada)) == HOUR


@pytest.mark.parametrize("limits", [None, attrs.evolve(RateLimits(), per_device=None)])
def test_without_its_limit(configured: "Configured", ada: SignIn, limits: RateLimits | None) -> None:
    """Where the device has no limit of its own it changes nothing: there is none at all, or everybody's."""
    auth = configured(rate_limits=limits)
    for _ in range(5):
        auth.request_magic_link(ADA, ip=HERE, device=cookie(ada))
    if limits is None:
        auth.request_magic_link(ADA, ip=HERE, device=cookie(ada))
    else:
        assert refused(auth, ip=HERE, device=cookie(ada)) == HOUR


def test_by_default(auth: AuthService, ada: SignIn, pgauthkit_clock: Clock) -> None:
    """A device has 48 links a day, and five at once, beside the five of its ip."""
    for _ in range(10):
        auth.request_magic_link(ADA, ip=HERE, device=cookie(ada))
    assert timedelta(minutes=30) == refused(auth, ip=HERE, device=cookie(ada))
    pgauthkit_clock.move(timedelta(minutes=30))
    auth.request_magic_link(ADA, ip=HERE, device=cookie(ada))


@pytest.mark.parametrize("copied", [False, True])
def test_a_day_of_strangers(auth: AuthService, ada: SignIn, pgauthkit_clock: Clock, *, copied: bool) -> None:
    """Two networks of strangers who ask all day refuse the owner's device nothing, nor does a copy of its token."""
    device = cookie(ada) if copied else None
    for _ in range(24):
        for ip in (THERE, "2001:db8::1"):
            while asked(auth, ip, device):
                pass
        assert asked(auth, HERE, cookie(ada))
        pgauthkit_clock.move(HOUR)


def test_twenty_networks(auth: AuthService, ada: SignIn, pgauthkit_clock: Clock) -> None:
    """So many that an owner without a device is kept out refuse one with it nothing."""
    refusals = 0
    for _ in range(4):
        for number in range(20):
            while asked(auth, f"198.51.100.{number}"):
                pass
        refusals += not asked(auth, HERE)
        assert asked(auth, HERE, cookie(ada))
        pgauthkit_clock.move(HOUR)
    assert refusals == 4


def asked(auth: AuthService, ip: str, device: str | None = None) -> bool:
    try:
        auth.request_magic_link(ADA, ip=ip, device=device)
    except RateLimitedError:
        return False
    return True


def test_codes(configured: "Configured", ada: SignIn, pgauthkit_clock: Clock) -> None:
    """Tries on the owner's device have a budget of their own; where it is empty they count as everybody's."""
    auth = configured(codes=True, code_attempts=100, rate_limits=attrs.evolve(LIMITS, code_attempts=TWO))
    link = auth.request_magic_link(ADA)

    def wrong(device: str | None = None, ip: str = HERE) -> timedelta | None:
        with pytest.raises((InvalidCodeError, RateLimitedError)) as caught:
            auth.verify_code(link.id, "wrong", ip=ip, device=device)
        return caught.value.retry_after if isinstance(caught.value, RateLimitedError) else None

    assert [wrong() for _ in range(3)] == [None, None, 2 * HOUR]
    assert [wrong(cookie(ada)) for _ in range(3)] == [None, None, 2 * HOUR]
    assert [wrong(cookie(ada), THERE) for _ in range(3)] == [None, None, 2 * HOUR]
    pgauthkit_clock.move(timedelta(minutes=5))
    code = link.code.reveal() if link.code else ""
    with pytest.raises(RateLimitedError):
        auth.verify_code(link.id, code, ip=HERE, device=cookie(ada))


def test_codes_of_another(configured: "Configured", ada: SignIn, sign_in: "SigningIn") -> None:
    """Another's device has no budget at a link of the owner's, nor has one that nobody made; without ip all pass."""
    eve = sign_in(EVE, by=configured(rate_limits=None))
    auth = configured(codes=True, code_attempts=100, rate_limits=attrs.evolve(LIMITS, code_attempts=ONE))
    link = auth.request_magic_link(ADA)
    with pytest.raises(InvalidCodeError):
        auth.verify_code(link.id, "wrong", ip=HERE)
    with pytest.raises(RateLimitedError):
        auth.verify_code(link.id, "wrong", ip=HERE, device=cookie(eve))
    for device in (cookie(eve), cookie(ada)):
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, "wrong", device=device)


def test_codes_without_its_limit(configured: "Configured", ada: SignIn) -> None:
    """Where no limit counts codes there is none for a device either."""
    auth = configured(codes=True, rate_limits=attrs.evolve(LIMITS, code_attempts=None))
    link = auth.request_magic_link(ADA)
    for _ in range(3):
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, "wrong", ip=HERE, device=cookie(ada))
