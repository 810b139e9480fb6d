"""Known devices: one row however many sign in on it at once, and exactly so many links by it."""

from datetime import timedelta
from typing import TYPE_CHECKING

import attrs
import pytest

from pgauthkit import AuthConfig
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import RateLimitedError, UserInactiveError
from pgauthkit.values import IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.races.conftest import Call, Host, MakeHost, Query

EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])
ADA = "ada@example.com"
DEVICES = "SELECT id FROM pgauthkit.devices ORDER BY id"
RACERS = 24


def first_sign_in(host: "Host") -> SignIn:
    return host.auth.verify_magic_link(host.auth.request_magic_link(ADA).token.reveal())


def open_session(signed_in: SignIn) -> "Call[SignIn]":
    return lambda auth: auth.open_session(signed_in.user.user_id, device=signed_in.device.reveal())


def forget(user_id: str, device_id: str) -> "Call[bool]":
    return lambda auth: auth.forget_device(user_id, device_id)


def ask(signed_in: SignIn, ip: str) -> "Call[IssuedMagicLink]":
    return lambda auth: auth.request_magic_link(ADA, ip=ip, device=signed_in.device.reveal())


@EACH_LEVEL
def test_a_device_is_one_row(host: "Host", query: "Query") -> None:
    """16 sign-ins at once on one device keep it, all of them, and make no other."""
    ada = first_sign_in(host)
    before = query(DEVICES)
    outcomes = host.race([open_session(ada)] * 16)
    assert [isinstance(one, SignIn) and one.known_device for one in outcomes] == [True] * 16
    assert before == query(DEVICES)


@EACH_LEVEL
def test_forgotten_while_it_is_used(host: "Host", rounds: int, query: "Query") -> None:
    """A device that is forgotten, or whose user is deactivated, during sign-ins is gone, and fails none of them."""
    ada = first_sign_in(host)
    user_id = ada.user.user_id
    for number in range(rounds // 10):
        ((device_id,),) = query(DEVICES)
        ends: list[Call[object]] = [
            forget(user_id, device_id),
            lambda auth: auth.deactivate_user(user_id),
        ]
        outcomes = host.race([*[open_session(ada)] * 6, ends[number % 2], *[open_session(ada)] * 6])
        assert {SignIn, bool, list, UserInactiveError} >= set(map(type, outcomes))
        assert (device_id,) not in query(DEVICES)
        host.auth.deactivate_user(user_id)
        host.auth.activate_user(user_id)
        assert query(DEVICES) == []
        ada = host.auth.open_session(user_id)


@EACH_LEVEL
@pytest.mark.parametrize("strangers", [0, 3])
def test_exactly_five_by_a_device(make_host: "MakeHost", config: AuthConfig, query: "Query", strangers: int) -> None:
    """Of 24 requests at once on a device with a limit of five, five are let through, and what its ip lets through."""
    host = make_host(config)
    ada = first_sign_in(host)
    query("DELETE FROM pgauthkit.magic_links RETURNING id")
    hour = timedelta(hours=1)
    limits = attrs.evolve(RateLimits(), per_device=RateLimit(5, per=hour), per_email_and_ip=RateLimit(3, per=hour))
    limited = make_host(attrs.evolve(config, codes=False, rate_limits=limits))
    for _ in range(3 - strangers):
        limited.auth.request_magic_link(ADA, ip="192.0.2.1")
    outcomes = limited.race([ask(ada, "192.0.2.1")] * RACERS)
    assert {IssuedMagicLink, RateLimitedError} == set(map(type, outcomes))
    assert 5 + strangers == sum(isinstance(one, IssuedMagicLink) for one in outcomes)
    assert query("SELECT count(*) FROM pgauthkit.magic_links") == [(8,)]
