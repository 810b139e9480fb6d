"""Time: durations are seconds whatever the zone of the session, and a clock says which zone it means."""

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthConfig
from pgauthkit.config import RateLimit, RateLimits, SessionCache
from pgauthkit.errors import ConfigError, RateLimitedError, TokenExpiredError
from pgauthkit.testing import Clock
from pgauthkit.values import PurgeReport, UserRole

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


class TestClocksPutBack:
    """The minute before the clocks of Berlin are put back by an hour: 02:59 comes again, an hour later."""

    LAST = datetime(2027, 10, 31, 0, 59, tzinfo=UTC)
    MINUTE = timedelta(minutes=1)

    def test_freshness(self, in_berlin: "Configured") -> None:
        """The hour that comes twice counts twice: a sign-in is no fresher for it."""
        clock = Clock(self.LAST)
        auth = in_berlin(clock=clock, access_ttl=DAY)
        signed_in = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())
        clock.move(timedelta(hours=1))

        identity = auth.authenticate(signed_in.tokens.access_token.reveal())

        assert not identity.is_fresh(timedelta(hours=1) - INSTANT)
        assert identity.is_fresh(timedelta(hours=1))

    def test_what_is_kept(self, in_berlin: "Configured", database: "Database") -> None:
        """A session in memory is as old as it is: it is asked for again after its staleness, and not an hour later."""
        clock = Clock(self.LAST + self.MINUTE - INSTANT)
        auth = in_berlin(clock=clock, access_ttl=DAY, session_cache=SessionCache(self.MINUTE))
        token = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).tokens.access_token.reveal()
        auth.authenticate(token)
        database.tell("UPDATE pgauthkit.users SET role = 'ADMIN'")

        clock.move(self.MINUTE - INSTANT)
        kept = auth.authenticate(token)
        clock.move(INSTANT)

        assert (kept.role, kept.asked_at) == (UserRole.USER, clock() - INSTANT)
        assert auth.authenticate(token).role is UserRole.ADMIN


def test_a_naive_clock(configured: "Configured", database: "Database") -> None:
    """A clock without a zone would be read in whatever zone the server has: it is refused before anything is done."""
    auth = configured(clock=lambda: datetime(2027, 1, 1))  # noqa: DTZ001 - that is what is refused
    before = database.contents()
    with pytest.raises(ConfigError, match="clock: must return an aware datetime"):
        auth.request_magic_link(ADA)
    assert before == database.contents()
