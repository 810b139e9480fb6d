"""Purge: what is over is deleted, in batches, and nothing else."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pgauthkit import AuthConfig, AuthService
from pgauthkit.errors import ConfigError
from pgauthkit.testing import Clock
from pgauthkit.values import PurgeReport, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

INSTANT = timedelta(microseconds=1)
DAY = timedelta(days=1)
NOTHING = PurgeReport(magic_links=0, sessions=0, rate_limits=0)


@pytest.fixture
def ada(sign_in: "SigningIn") -> SignIn:
    return sign_in()


def ids(database: "Database") -> list[str]:
    return [row[0] for row in database.ask("SELECT id FROM pgauthkit.sessions ORDER BY id")]


def test_nothing_to_do(auth: AuthService) -> None:
    """An empty database is purged of nothing."""
    assert auth.purge() == NOTHING


def test_what_is_good_stays(auth: AuthService, database: "Database", ada: SignIn) -> None:
    """Live sessions, pending links, users and full buckets are never deleted."""
    auth.request_magic_link("ada@example.com", ip="203.0.113.7")
    before = database.contents()
    assert auth.purge(keep=timedelta()) == NOTHING
    assert before == database.contents()
    auth.authenticate(ada.tokens.access_token.reveal())


def test_links_are_kept_for_a_while(configured: "Configured", database: "Database", pgauthkit_clock: Clock) -> None:
    """A link is deleted when it has been over for longer than `keep`, a day by default, used or not."""
    auth = configured(rate_limits=None)
    auth.request_magic_link("ada@example.com")
    user = auth.verify_magic_link(auth.request_magic_link("eve@example.com").token.reveal()).user
    pgauthkit_clock.move(timedelta(minutes=10) + DAY)
    assert auth.purge() == NOTHING
    pgauthkit_clock.move(INSTANT)
    assert PurgeReport(magic_links=2, sessions=0, rate_limits=0) == auth.purge()
    assert [(user.user_id,)] == database.ask("SELECT id FROM pgauthkit.users")


def test_sessions_that_reached_their_end(auth: AuthService, ada: SignIn, pgauthkit_clock: Clock) -> None:
    """A session is deleted when its absolute end is longer ago than `keep`, once, though it is idle as well."""
    auth.purge(keep=timedelta())
    pgauthkit_clock.move(timedelta(days=30) + timedelta(hours=5))
    report = auth.purge(keep=timedelta(hours=5), batch_size=1)
    assert PurgeReport(magic_links=1, sessions=1, rate_limits=1) == report
    assert auth.list_sessions(ada.user.user_id) == []


@pytest.mark.parametrize("used_to_the_end", [False, True])
def test_to_the_microsecond(
    configured: "Configured",
    database: "Database",
    sign_in: "SigningIn",
    pgauthkit_clock: Clock,
    *,
    used_to_the_end: bool,
) -> None:
    """Idle or absolute, the end of a session must be longer ago than `keep`."""
    idle = timedelta(days=30) if used_to_the_end else timedelta(days=14)
    auth = configured(session_idle_ttl=idle)
    sign_in(by=auth)
    pgauthkit_clock.move(idle + DAY)
    auth.purge()
    assert len(ids(database)) == 1
    pgauthkit_clock.move(INSTANT)
    assert auth.purge().sessions == 1
    assert ids(database) == []


def test_sessions_that_were_revoked(
    auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
) -> None:
    """A session that was ended long before its time is found, and a live one of the same user is left."""
    revoked, live = sign_in(), sign_in()
    auth.sign_out(revoked.tokens.access_token.reveal())
    pgauthkit_clock.move(DAY)
    assert auth.purge().sessions == 0
    pgauthkit_clock.move(INSTANT)
    assert auth.purge().sessions == 1
    assert [live.tokens.session_id] == ids(database)


def test_buckets_that_are_empty_again(auth: AuthService, database: "Database", pgauthkit_clock: Clock) -> None:
    """A bucket is deleted when it has run empty, whatever `keep` is, and not before."""
    auth.request_magic_link("ada@example.com", ip="203.0.113.7")
    buckets = database.ask("SELECT full_at FROM pgauthkit.rate_limits ORDER BY full_at")
    waits = [full_at - pgauthkit_clock() for (full_at,) in buckets]
    assert [timedelta(seconds=3), timedelta(minutes=4), timedelta(hours=1)] == waits
    pgauthkit_clock.move(timedelta(minutes=4))
    assert auth.purge().rate_limits == 1
    pgauthkit_clock.move(INSTANT)
    assert auth.purge().rate_limits == 1
    assert [buckets[2]] == database.ask("SELECT full_at FROM pgauthkit.rate_limits")


def test_in_batches(
    configured: "Configured", database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
) -> None:
    """Each batch is followed by a report of what was deleted so far; the whole is the last of them."""
    auth = configured(rate_limits=None)
    signed_in = sign_in(by=auth)
    for _ in range(4):
        auth.request_magic_link("ada@example.com")
        auth.open_session(signed_in.user.user_id)
    database.tell("INSERT INTO pgauthkit.rate_limits (key, full_at) VALUES ('a', '2000-01-01Z'), ('b', '2000-01-01Z')")
    pgauthkit_clock.move(timedelta(days=32))
    seen: list[PurgeReport] = []

    report = auth.purge(batch_size=2, on_progress=seen.append)

    expected = [(2, 0, 0), (4, 0, 0), (5, 0, 0), (5, 2, 0), (5, 4, 0), (5, 5, 0), (5, 5, 0), (5, 5, 2), (5, 5, 2)]
    devices = [(5, 5, 0)] * 4  # five live ones are walked over
    assert [*expected[:7], *devices, *expected[7:]] == [
        (so_far.magic_links, so_far.sessions, so_far.rate_limits) for so_far in seen
    ]
    assert PurgeReport(magic_links=5, sessions=5, rate_limits=2) == report


def test_a_walk_sees_every_row(
    auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
) -> None:
    """What is dead is found between what is live, whatever the size of a batch."""
    user_id = sign_in().user.user_id
    dead, live = [], [sign_in().tokens.session_id]
    for _ in range(3):
        dead.append(auth.open_session(user_id).tokens.session_id)
        live.append(auth.open_session(user_id).tokens.session_id)
    for session_id in dead:
        auth.revoke_session(user_id, session_id)
    auth.revoke_sessions("nobody")
    pgauthkit_clock.move(INSTANT)
    before = ids(database)
    assert auth.purge(keep=timedelta(), batch_size=2).sessions == 3
    assert [session_id for session_id in before if session_id not in dead] == ids(database)


def test_locked_rows_are_passed_by(
    host: "Host", database: "Database", pgauthkit_config: AuthConfig, sign_in: "SigningIn", pgauthkit_clock: Clock
) -> None:
    """A row that somebody works with is left for the next purge, without waiting and without an end to the loop."""
    auth = host.service(database.url, pgauthkit_config, connect_args={"options": "-c lock_timeout=5s"})
    ended, revoked = sign_in(), sign_in("eve@example.com")
    for _ in range(2):
        sign_in()
    pgauthkit_clock.move(timedelta(days=32))
    database.tell(
        "UPDATE pgauthkit.sessions SET expires_at = 'infinity', revoked_at = now() WHERE id = %s",
        revoked.tokens.session_id,
    )
    with psycopg.connect(database.url) as other:
        ended_and_revoked = [ended.tokens.session_id, revoked.tokens.session_id]
        other.execute("SELECT 1 FROM pgauthkit.sessions WHERE id = ANY(%s) FOR UPDATE", [ended_and_revoked])
        other.execute("SELECT 1 FROM pgauthkit.magic_links WHERE email = 'eve@example.com' FOR UPDATE")
        other.execute("SELECT 1 FROM pgauthkit.rate_limits FOR UPDATE")
        assert PurgeReport(magic_links=3, sessions=2, rate_limits=0) == auth.purge(batch_size=1)
        assert sorted(ended_and_revoked) == ids(database)
        other.rollback()
    assert PurgeReport(magic_links=1, sessions=2, rate_limits=2) == auth.purge(batch_size=1)


@pytest.mark.parametrize(
    ("keep", "batch_size"),
    [
        (-INSTANT, 1),
        (timedelta(), 0),
        (timedelta(), -1),
        (None, 1),
        (0, 1),
        (timedelta(), None),
        (timedelta(), 1.5),
        (timedelta(), True),
    ],
)
def test_wrong_numbers(auth: AuthService, keep: Any, batch_size: Any) -> None:  # noqa: ANN401 - that is the point
    """A time that is negative, and a batch of nothing, are refused."""
    with pytest.raises(ConfigError, match="purge"):
        auth.purge(keep=keep, batch_size=batch_size)


@pytest.mark.pg18
def test_without_a_clock(configured: "Configured", database: "Database", sign_in: "SigningIn") -> None:
    """What is over by the server's time is deleted, and what is not is left."""
    auth = configured(clock=None)
    over, live = sign_in(by=auth), sign_in(by=auth)
    database.tell("UPDATE pgauthkit.sessions SET expires_at = '2000-01-01Z' WHERE id = %s", over.tokens.session_id)
    assert PurgeReport(magic_links=0, sessions=1, rate_limits=0) == auth.purge()
    assert [live.tokens.session_id] == ids(database)
