"""What the threat model promises, beyond what the races and the model hold."""

import base64
from collections.abc import Callable
from datetime import timedelta
from itertools import product
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import urljoin, urlsplit

import attrs
import pytest
import sqlalchemy as sa
from hypothesis import given, settings, strategies as st

from pgauthkit import AuthConfig, AuthService, Secret
from pgauthkit.config import Pepper, RateLimit, RateLimits
from pgauthkit.database import create_engine
from pgauthkit.errors import (
    BindingMismatchError,
    InvalidCodeError,
    InvalidRedirectError,
    InvalidTokenError,
    RateLimitedError,
    SessionRevokedError,
    SignUpClosedError,
    TokenExpiredError,
    UserInactiveError,
)
from pgauthkit.hashing import successor
from pgauthkit.redirects import checked_redirect
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import AuthEvent, IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.security.conftest import MakeAuth, Query

ADA: Final = "ada@example.com"
INSTANT: Final = timedelta(microseconds=1)
GRACE: Final = timedelta(seconds=30)
EVERY_ROW: Final = """
    SELECT array_agg(x ORDER BY x) FROM (
        SELECT u::text x FROM pgauthkit.users u UNION ALL SELECT l::text FROM pgauthkit.magic_links l
        UNION ALL SELECT s::text FROM pgauthkit.sessions s UNION ALL SELECT r::text FROM pgauthkit.rate_limits r) every
"""

Use = Callable[[AuthService], object]


def sign_in(auth: AuthService, email: str = ADA) -> SignIn:
    return auth.verify_magic_link(auth.request_magic_link(email).token.reveal())


def code_of(link: IssuedMagicLink) -> str:
    assert link.code
    return link.code.reveal()


def everything_held(auth: AuthService, email: str = ADA) -> dict[str, Use]:
    """Return every way in of somebody who has a link, a session, and the pair from before its last refresh."""
    signed_in = sign_in(auth, email)
    newer = auth.refresh(signed_in.tokens.refresh_token.reveal())
    by_link, by_code = auth.request_magic_link(email), auth.request_magic_link(email)
    older = signed_in.tokens
    return {
        "link": lambda auth: auth.verify_magic_link(by_link.token.reveal()),
        "code": lambda auth: auth.verify_code(by_code.id, code_of(by_code)),
        "access": lambda auth: auth.authenticate(newer.access_token.reveal()),
        "older access": lambda auth: auth.authenticate(older.access_token.reveal()),
        "refresh": lambda auth: auth.refresh(newer.refresh_token.reveal()),
        "older refresh": lambda auth: auth.refresh(older.refresh_token.reveal()),
        "host": lambda auth: auth.open_session(signed_in.user.user_id),
    }


WAYS_IN: Final = ["link", "code", "access", "older access", "refresh", "older refresh", "host"]


# Refusals cost the owner nothing.


def test_another_browser_costs_the_owner_nothing(auth: AuthService, query: "Query") -> None:
    """A link that was tried without, or with a foreign, binding is as good as before."""
    link, other = (auth.request_magic_link(ADA, bind=True) for _ in range(2))
    assert link.binding
    assert other.binding
    before = query(EVERY_ROW)
    for binding in (None, "", other.binding.reveal(), link.token.reveal()):
        with pytest.raises(BindingMismatchError):
            auth.verify_magic_link(link.token.reveal(), binding=binding)
        with pytest.raises(BindingMismatchError):
            auth.verify_code(link.id, code_of(link), binding=binding)
    assert before == query(EVERY_ROW)
    assert auth.verify_magic_link(link.token.reveal(), binding=link.binding.reveal()).created


def test_being_inactive_costs_the_owner_nothing(auth: AuthService, query: "Query") -> None:
    """A link that was tried while its user is inactive is used up by nobody."""
    auth.deactivate_user(sign_in(auth).user.user_id)
    link = auth.request_magic_link(ADA)
    before = query(EVERY_ROW)
    with pytest.raises(UserInactiveError):
        auth.verify_magic_link(link.token.reveal())
    assert before == query(EVERY_ROW)
    assert auth.peek_magic_link(link.token.reveal()).email == ADA


def test_a_closed_sign_up_costs_the_owner_nothing(make_auth: "MakeAuth", config: AuthConfig, query: "Query") -> None:
    """A link that was tried while sign-up is closed makes the account when it is open."""
    closed, opened = (make_auth(attrs.evolve(config, allow_sign_up=is_open)) for is_open in (False, True))
    link = closed.request_magic_link(ADA)
    before = query(EVERY_ROW)
    with pytest.raises(SignUpClosedError):
        closed.verify_magic_link(link.token.reveal())
    assert before == query(EVERY_ROW)
    assert opened.verify_magic_link(link.token.reveal()).created


def test_being_limited_costs_nothing(make_auth: "MakeAuth", config: AuthConfig, query: "Query") -> None:
    """A request beyond the limit writes no row, and makes nobody wait longer."""
    limits = RateLimits(per_ip=None, per_email=RateLimit(1, per=timedelta(hours=1)))
    auth = make_auth(attrs.evolve(config, rate_limits=limits))
    auth.request_magic_link(ADA)
    links = query("SELECT * FROM pgauthkit.magic_links")
    for _ in range(3):
        with pytest.raises(RateLimitedError) as caught:
            auth.request_magic_link(ADA)
        assert timedelta(hours=1) == caught.value.retry_after
    assert links == query("SELECT * FROM pgauthkit.magic_links")


# Expiry needs no cleaner.

LIVES: Final = {
    "link": timedelta(minutes=10),
    "preview": timedelta(minutes=10),
    "code": timedelta(minutes=10),
    "access": timedelta(minutes=15),
    "older access": GRACE,
    "refresh": timedelta(days=14),
}


def fresh(auth: AuthService, what: str, email: str) -> Use:
    """Return a use of something that has just been given out."""
    if what == "preview":
        link = auth.request_magic_link(email)
        return lambda auth: auth.peek_magic_link(link.token.reveal())
    return everything_held(auth, email)[what]


@pytest.mark.parametrize("what", LIVES)
def test_it_ends_to_the_microsecond(auth: AuthService, pgauthkit_clock: Clock, what: str) -> None:
    """Everything is good until the last microsecond of its time and no longer, though no cleaner ever runs."""
    in_time, too_late = (fresh(auth, what, email) for email in (ADA, "eve@example.com"))
    pgauthkit_clock.move(LIVES[what] - INSTANT)
    in_time(auth)
    pgauthkit_clock.move(INSTANT)
    with pytest.raises(TokenExpiredError):
        too_late(auth)


def test_a_session_ends_however_busy_it_is(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A session that is refreshed every ten days is over after thirty, to the microsecond."""
    tokens = sign_in(auth).tokens
    for _ in range(2):
        pgauthkit_clock.move(timedelta(days=10))
        tokens = auth.refresh(tokens.refresh_token.reveal())
    pgauthkit_clock.move(timedelta(days=10) - INSTANT)
    tokens = auth.refresh(tokens.refresh_token.reveal())
    auth.authenticate(tokens.access_token.reveal())
    pgauthkit_clock.move(INSTANT)
    with pytest.raises(TokenExpiredError):
        auth.authenticate(tokens.access_token.reveal())
    with pytest.raises(TokenExpiredError):
        auth.refresh(tokens.refresh_token.reveal())


def test_an_expired_access_token_stays_expired(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A refresh, and the grace after it, does not bring an expired access token back."""
    signed_in = sign_in(auth)
    pgauthkit_clock.move(timedelta(minutes=15))
    newer = auth.refresh(signed_in.tokens.refresh_token.reveal())
    with pytest.raises(TokenExpiredError):
        auth.authenticate(signed_in.tokens.access_token.reveal())
    assert auth.authenticate(newer.access_token.reveal()).email == ADA


def test_the_database_s_clock_decides(make_auth: "MakeAuth", config: AuthConfig, query: "Query") -> None:
    """Without a clock of the tests every end is counted from the moment of the statement on the server."""
    auth = make_auth(attrs.evolve(config, clock=None))
    ((before,),) = query("SELECT clock_timestamp()")
    link = auth.request_magic_link(ADA)
    ((after,),) = query("SELECT clock_timestamp()")
    assert before <= link.expires_at - timedelta(minutes=10) <= after
    query("UPDATE pgauthkit.magic_links SET expires_at = clock_timestamp()")
    with pytest.raises(TokenExpiredError):
        auth.verify_magic_link(link.token.reveal())


# Inactive means out.


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_inactive_means_out(auth: AuthService, query: "Query", way_in: str) -> None:
    """Whatever somebody was given before they were deactivated is worth nothing, and not a row is changed by trying."""
    use = everything_held(auth)[way_in]
    ((user_id,),) = query("SELECT id FROM pgauthkit.users")
    auth.deactivate_user(user_id)
    before = query("SELECT s::text FROM pgauthkit.sessions s")
    with pytest.raises((UserInactiveError, SessionRevokedError, TokenExpiredError)):
        use(auth)
    assert before == query("SELECT s::text FROM pgauthkit.sessions s")


@pytest.mark.parametrize("way_in", WAYS_IN)
def test_inactive_means_out_however_it_came_about(auth: AuthService, query: "Query", way_in: str) -> None:
    """Also where the host has switched the user off by itself, and neither links nor sessions were ended."""
    use = everything_held(auth)[way_in]
    query("UPDATE pgauthkit.users SET is_active = false")
    with pytest.raises(UserInactiveError):
        use(auth)


# Redirects stay home.

AWAY: Final = [
    *(
        "//evil.example",
        "///evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/%09/evil.example",
    ),
    *("/%2509/evil.example", "/%5cevil.example", "/%255cevil.example", "https:evil.example", "https:/evil.example"),
    *(
        "https://evil.example",
        "http://app.example",
        "https://app.example@evil.example",
        "https://app.example.evil.example",
    ),
    *("https://app.example:444/", "javascript:alert(1)", "data:text/html,x", "evil.example", "/../evil", "/a/%2e%2e/b"),
    *(
        "/inbox\r\nSet-Cookie: a=b",
        "/inbox%0d%0aSet-Cookie:a=b",
        "/in box",
        " /inbox",
        "/inbox\u2028",
        "",
        "?a=b",
        "#top",
    ),
]
HOME: Final = [
    "/",
    "/inbox",
    "/inbox?next=//evil.example",
    "/a#//b",
    "https://app.example",
    "https://app.example/a?b#c",
]


@pytest.mark.parametrize("target", AWAY)
def test_cve_2023_49438_redirects_stay_home(
    make_auth: "MakeAuth", config: AuthConfig, query: "Query", target: str
) -> None:
    """A redirect that a browser could take for another site is refused, and no link is written."""
    auth = make_auth(attrs.evolve(config, allowed_redirects=["https://app.example"]))
    with pytest.raises(InvalidRedirectError):
        auth.request_magic_link(ADA, redirect_to=target)
    assert query("SELECT FROM pgauthkit.magic_links") == []


@pytest.mark.parametrize("target", HOME)
def test_a_redirect_that_stays_home_comes_back_unchanged(
    make_auth: "MakeAuth", config: AuthConfig, target: str
) -> None:
    """Paths of the same site, and addresses that the host allows, come back after the sign-in as they were given."""
    auth = make_auth(attrs.evolve(config, allowed_redirects=["https://app.example"]))
    link = auth.request_magic_link(ADA, redirect_to=target)
    assert target == auth.verify_magic_link(link.token.reveal()).redirect_to


@settings(max_examples=max(500, settings().max_examples))
@given(st.text("/\\.:@%?#&;=\t\n\r e02059cfht\u2028\uff0f", max_size=12) | st.text())
def test_whatever_is_let_through_stays_home(target: str) -> None:
    """What is let through stays home, also where a browser drops line ends and takes a backslash for a slash."""
    try:
        accepted = checked_redirect(target)
    except InvalidRedirectError:
        return
    for seen in (accepted, "".join(accepted.split()).replace("\\", "/")):
        there = urlsplit(urljoin("https://home.example/sign-in", seen))
        assert (there.scheme, there.netloc) == ("https", "home.example")


# Nothing tells whether an account exists.


def test_nothing_tells_whether_an_account_exists(
    make_auth: "MakeAuth", config: AuthConfig, server_log: list[str], listening: dict[str, Any]
) -> None:
    """Known, unknown and inactive: the same fields of the same types, the same statements, and events, and waits."""
    events: list[AuthEvent] = []
    limits = RateLimits(per_email=RateLimit(2, per=timedelta(hours=1)))
    auth = make_auth(attrs.evolve(config, rate_limits=limits, observers=[events.append]), **listening)
    sign_in(auth, "known@example.com")
    auth.deactivate_user(sign_in(auth, "inactive@example.com").user.user_id)
    auth.request_magic_link("unknown@example.com")
    seen = []
    for email in ("known@example.com", "unknown@example.com", "inactive@example.com"):
        events.clear()
        server_log.clear()
        link = auth.request_magic_link(email, ip="192.0.2.1", redirect_to="/inbox", bind=True)
        with pytest.raises(RateLimitedError) as caught:
            auth.request_magic_link(email, ip="192.0.2.2")
        fields = {name: type(value) for name, value in attrs.asdict(link, recurse=False).items()}
        statements = [line.partition("\n")[0] for line in server_log]
        kinds = [(event.kind, event.user_id, event.ip, sorted(event.detail)) for event in events]
        seen.append((fields, link.expires_at, caught.value.retry_after, str(caught.value), statements, kinds))
    assert len(seen[0][4]) == 3  # the limits and the link, and the limits that refuse
    assert [seen[0]] * 3 == seen


def test_a_row_of_a_user_is_read_for_every_address(pgauthkit_url: str, config: AuthConfig) -> None:
    """Known, unknown and inactive: one each, since to find a row in an index takes longer than to find none."""
    engine = create_engine(pgauthkit_url)
    auth = AuthService(engine, config)
    for name in ("inactive", "known", "zoe"):
        user_id = sign_in(auth, f"{name}@example.com").user.user_id
        if name == "inactive":
            auth.deactivate_user(user_id)
    read = sa.text("SELECT idx_tup_fetch FROM pg_stat_xact_user_tables WHERE relid = 'pgauthkit.users'::regclass")
    counts: list[int] = []
    with engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL enable_seqscan = off"))
        for name in ("inactive", "known", "unknown"):
            before = connection.execute(read).scalar_one()
            auth.within(connection).request_magic_link(f"{name}@example.com")
            counts.append(connection.execute(read).scalar_one() - before)
    engine.dispose()
    assert counts == [1, 1, 1]


# A dump signs nobody in.


def stored(query: "Query") -> list[bytes]:
    """Return every text and every run of bytes in the four tables."""
    tables = ("users", "magic_links", "sessions", "rate_limits")
    values = {value for table in tables for row in query(f"SELECT * FROM pgauthkit.{table}") for value in row}  # noqa: S608
    return sorted(
        value if isinstance(value, bytes) else value.encode() for value in values if isinstance(value, str | bytes)
    )


def spelt(value: bytes) -> list[str]:
    return [value.decode("latin-1"), value.hex(), "\\x" + value.hex(), base64.urlsafe_b64encode(value).decode()]


@pytest.mark.parametrize("peppers", [(), (Pepper(id=1, secret=Secret("a pepper of thirty-two characters")),)])
def test_a_dump_signs_nobody_in(
    make_auth: "MakeAuth", config: AuthConfig, query: "Query", peppers: tuple[Pepper, ...]
) -> None:
    """Of all that the four tables hold, in every spelling and as every kind of token, nothing is let in."""
    auth = make_auth(attrs.evolve(config, peppers=peppers, code_attempts=100, rate_limits=RateLimits()))
    signed_in = sign_in(auth)
    tokens = auth.refresh(signed_in.tokens.refresh_token.reveal())
    link = auth.request_magic_link(ADA, ip="192.0.2.1", bind=True)
    assert link.binding
    values = stored(query)
    pepper, secrets = len(peppers), [value[:32].ljust(32, b"\0") for value in values]
    by_token: list[Callable[[str], object]] = [
        auth.peek_magic_link,
        auth.verify_magic_link,
        auth.authenticate,
        auth.refresh,
    ]

    for call, text in product(by_token, (text for value in values for text in spelt(value))):
        with pytest.raises(InvalidTokenError):
            call(text)
    for secret in secrets:
        with pytest.raises(InvalidTokenError):
            auth.verify_magic_link(SecretToken(pepper, secret).text(Kind.MAGIC_LINK).reveal())
        binding = SecretToken(pepper, secret).text(Kind.BINDING).reveal()
        with pytest.raises(BindingMismatchError):
            auth.verify_magic_link(link.token.reveal(), binding=binding)
    for code in (text for value in values if value.startswith(str(pepper).encode() + b"$") for text in spelt(value)):
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, code, binding=link.binding.reveal())

    ((nonce,),) = query("SELECT rotation_nonce FROM pgauthkit.sessions")
    known = SessionToken.parse(Kind.ACCESS, tokens.access_token.reveal()).selector
    hashes = [value for value in values if len(value) == 32]
    derived = [successor(kind, value, nonce) for kind, value in product((Kind.ACCESS, Kind.REFRESH), hashes)]
    selectors = {known, nonce[1:], *(value[:16] for value in hashes), *(value[16:] for value in hashes)}
    for selector, secret in [*product(selectors, hashes[:3]), *product([known, nonce[1:]], [*secrets, *derived])]:
        token = SessionToken(pepper, selector, secret)
        with pytest.raises(InvalidTokenError):
            auth.authenticate(token.text(Kind.ACCESS).reveal())
        with pytest.raises(InvalidTokenError):
            auth.refresh(token.text(Kind.REFRESH).reveal())

    assert auth.authenticate(tokens.access_token.reveal()).email == ADA
    assert auth.refresh(tokens.refresh_token.reveal()).session_id == tokens.session_id
    assert auth.verify_code(link.id, code_of(link), binding=link.binding.reveal()).user.email == ADA


# One canonical address.


@pytest.mark.parametrize(
    "spelling",
    [
        "Mike@Example.COM",
        " mike@example.com ",
        "mi\u212ae@example.com",
        "\uff4d\uff49\uff4b\uff45@example.com",
        "mike@exa\u2133ple.com",
    ],
)
def test_every_spelling_is_one_person(auth: AuthService, spelling: str) -> None:
    """Whoever asks in whatever spelling gets a link that is mailed to, and signs in, the one account."""
    mike = sign_in(auth, "mike@example.com").user
    link = auth.request_magic_link(spelling)
    assert link.email == "mike@example.com"
    signed_in = auth.verify_magic_link(link.token.reveal())
    assert (mike.user_id, False) == (signed_in.user.user_id, signed_in.created)
