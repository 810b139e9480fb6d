"""Time: durations are seconds whatever the zone of the session, and a clock says which zone it means."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthConfig
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import ConfigError, RateLimitedError, TokenExpiredError
from pgauthkit.testing import Clock
from pgauthkit.values import PurgeReport

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host

ADA = "ada@example.com"
DAY, INSTANT = timedelta(days=1), timedelta(microseconds=1)
# Noon before the clocks go forward, and back, in Berlin: the next day has 23 hours, or 25.
CHANGES = [datetime(2027, 3, 27, 12, tzinfo=UTC), datetime(2027, 10, 30, 12, tzinfo=UTC)]


@pytest.fixture
def in_berlin(host: "Host", database: "Database") -> "Configured":
    """Services whose sessions of the server are in a zone with summer time."""
    engine = host.engine(database.url, connect_args={"options": "-c timezone=Europe/Berlin"})
    return lambda **changes: host.service_on(engine, AuthConfig(**changes))


@pytest.mark.parametrize("start", CHANGES, ids=["spring", "autumn"])
def test_a_day_has_24_hours(in_berlin: "Configured", start: datetime) -> None:
    """Links, tokens, sessions, limits and purges last as many seconds as was said, over a change of the clocks."""
    clock = Clock(start)
    limits = RateLimits(per_ip=None, per_email_and_ip=None, per_email=RateLimit(1, per=DAY))
    auth = in_berlin(clock=clock, rate_limits=limits, magic_link_ttl=DAY, access_ttl=DAY)
    link = auth.request_magic_link(ADA)
    with pytest.raises(RateLimitedError) as caught:
        auth.request_magic_link(ADA)
    tokens = auth.verify_magic_link(link.token.reveal()).tokens

    assert (link.expires_at - start, caught.value.retry_after) == (DAY, DAY)
    assert tokens.access_expires_at - start == DAY
    assert tokens.refresh_expires_at - start == 14 * DAY
    clock.move(DAY - INSTANT)
    auth.authenticate(tokens.access_token.reveal())
    clock.move(INSTANT)
    with pytest.raises(TokenExpiredError):
        auth.authenticate(tokens.access_token.reveal())
    assert auth.purge(keep=timedelta()) == PurgeReport(magic_links=0, sessions=0, rate_limits=0)
    clock.move(INSTANT)
    assert auth.purge(keep=DAY) == PurgeReport(magic_links=0, sessions=0, rate_limits=1)
    clock.move(DAY - INSTANT)
    assert auth.purge(keep=DAY).magic_links == 0
    clock.move(INSTANT)
    assert auth.purge(keep=DAY).magic_links == 1


def test_a_naive_clock(configured: "Configured", database: "Database") -> None:
    """A clock without a zone would be read in whatever zone the server has: it is refused before anything is done."""
    auth = configured(clock=lambda: datetime(2027, 1, 1))  # noqa: DTZ001 - that is what is refused
    before = database.contents()
    with pytest.raises(ConfigError, match="clock: must return an aware datetime"):
        auth.request_magic_link(ADA)
    assert before == database.contents()
