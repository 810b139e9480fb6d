"""What goes over the wire: how many statements, and how many round trips, each method takes.

Counted by libpq itself, at the client's end of the connection: `PQtrace` writes a line for every message of the
protocol. A statement is an `Execute` or a `Query` from the front end (F); a round trip ends with the `ReadyForQuery` of
the back end (B), which comes once for each `Sync` or `Query`. The server's log would show statements, yet not how often
the client waited; and both twins are traced in the same way, below psycopg. The trace starts on a connection of a pool
of one that has run the method before, since the first time takes a round trip more to prepare the statement, and it
ends when the connection is back in the pool, so that a BEGIN, a ROLLBACK, a COMMIT or a ping would be seen.
"""

import tempfile
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

import attrs
import pytest
from psycopg import pq
from sqlalchemy import Engine

from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import (
    BindingMismatchError,
    InvalidCodeError,
    InvalidTokenError,
    PgAuthKitError,
    RateLimitedError,
    RefreshTokenReusedError,
    SessionRevokedError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Database, Host

# Makes ready, on any connection, and returns the call that is counted.
Ready = Callable[["Scene"], Callable[[], object]]
ADA = "ada@example.com"
FAR = timedelta(days=40)
INSTANT, TOUCH_INTERVAL = timedelta(microseconds=1), timedelta(seconds=60)


@attrs.frozen
class Scene:
    """A service to be counted, a person to act on, and time."""

    auth: AuthService
    database: "Database"
    clock: Clock
    without_sign_up: AuthService
    without_codes: AuthService

    def closed(self) -> "Scene":
        return attrs.evolve(self, auth=self.without_sign_up)

    def plain(self) -> "Scene":
        return attrs.evolve(self, auth=self.without_codes)

    def email(self) -> str:
        """Return an address that nobody had before."""
        return f"{SecretToken.new(0).secret.hex()[:20]}@example.com"

    def link(self, email: str | None = None, *, bind: bool = False) -> IssuedMagicLink:
        return self.auth.request_magic_link(email or self.email(), bind=bind, ip=self.email())

    def signed_in(self) -> SignIn:
        return self.auth.verify_magic_link(self.link().token.reveal())

    def inactive(self) -> SignIn:
        signed_in = self.signed_in()
        self.database.tell("UPDATE pgauthkit.users SET is_active = false WHERE id = %s", signed_in.user.user_id)
        return signed_in


def code_of(link: IssuedMagicLink) -> str:
    return link.code.reveal() if link.code else ""


def request(scene: Scene, email: str) -> Callable[[], object]:
    return lambda: scene.auth.request_magic_link(email, ip="203.0.113.7", redirect_to="/in")


def verify(scene: Scene, link: IssuedMagicLink) -> Callable[[], object]:
    return lambda: scene.auth.verify_magic_link(link.token.reveal(), ip="203.0.113.7", user_agent="curl/8")


def verify_code(scene: Scene, link: IssuedMagicLink, code: str, ip: str | None = None) -> Callable[[], object]:
    return lambda: scene.auth.verify_code(link.id, code, ip=ip)


def used(scene: Scene) -> IssuedMagicLink:
    link = scene.link()
    scene.auth.verify_magic_link(link.token.reveal())
    return link


def authenticate(scene: Scene, signed_in: SignIn) -> Callable[[], object]:
    return lambda: scene.auth.authenticate(signed_in.tokens.access_token.reveal())


def refresh(scene: Scene, signed_in: SignIn) -> Callable[[], object]:
    return lambda: scene.auth.refresh(signed_in.tokens.refresh_token.reveal(), ip="203.0.113.7")


def signed_in_before(scene: Scene, ago: timedelta) -> SignIn:
    signed_in = scene.signed_in()
    scene.clock.move(ago)
    return signed_in


def refreshed(scene: Scene, ago: timedelta = timedelta()) -> SignIn:
    signed_in = scene.signed_in()
    followed = scene.auth.refresh(signed_in.tokens.refresh_token.reveal())
    scene.auth.authenticate(followed.access_token.reveal())
    scene.clock.move(ago)
    return signed_in


def signed_out(scene: Scene) -> SignIn:
    signed_in = scene.signed_in()
    scene.auth.sign_out(signed_in.tokens.access_token.reveal())
    return signed_in


def limited(scene: Scene) -> Callable[[], object]:
    call = request(scene, scene.email())
    for _ in range(2):
        call()
    return call


def limited_code(scene: Scene) -> Callable[[], object]:
    link = scene.link()
    call = verify_code(scene, link, "", ip="203.0.113.7")
    with pytest.raises(InvalidCodeError):
        call()
    return call


def spent(scene: Scene) -> Callable[[], object]:
    link = scene.link()
    scene.database.tell("UPDATE pgauthkit.magic_links SET attempts = 5 WHERE id = %s", link.id)
    return verify_code(scene, link, "")


def expired(scene: Scene) -> IssuedMagicLink:
    link = scene.link()
    scene.clock.move(timedelta(hours=1))
    return link


def right_code(scene: Scene) -> Callable[[], object]:
    link = scene.link()
    return verify_code(scene, link, code_of(link))


def right_code_from_somewhere(scene: Scene) -> Callable[[], object]:
    link = scene.link()
    return verify_code(scene, link, code_of(link), ip="203.0.113.7")


def revoke_session(scene: Scene) -> Callable[[], object]:
    user = scene.signed_in().user
    return partial(scene.auth.revoke_session, user.user_id, user.session_id)


def forget_device(scene: Scene) -> Callable[[], object]:
    user_id = scene.signed_in().user.user_id
    return partial(scene.auth.forget_device, user_id, scene.auth.list_devices(user_id)[0].id)


def request_on_a_device(scene: Scene) -> Callable[[], object]:
    signed_in = scene.signed_in()
    return partial(
        scene.plain().auth.request_magic_link, signed_in.user.email, ip="203.0.113.7", device=signed_in.device.reveal()
    )


def open_session_on_a_device(scene: Scene) -> Callable[[], object]:
    signed_in = scene.signed_in()
    return partial(scene.auth.open_session, signed_in.user.user_id, device=signed_in.device.reveal())


def code_on_a_device(scene: Scene) -> Callable[[], object]:
    signed_in = scene.signed_in()
    link = scene.link(signed_in.user.email)
    device = signed_in.device.reveal()
    return partial(scene.auth.verify_code, link.id, code_of(link), ip="203.0.113.7", device=device)


ONE: dict[str, Ready] = {
    "request, no code": lambda scene: request(scene.plain(), scene.email()),
    "request, no code, known": lambda scene: request(scene.plain(), scene.signed_in().user.email),
    "peek": lambda scene: partial(scene.auth.peek_magic_link, scene.link().token.reveal()),
    "verify, first": lambda scene: verify(scene, scene.link()),
    "verify, again": lambda scene: verify(scene, scene.link(scene.signed_in().user.email)),
    "authenticate": lambda scene: authenticate(scene, signed_in_before(scene, TOUCH_INTERVAL)),
    "refresh": lambda scene: refresh(scene, scene.signed_in()),
    "refresh, converging": lambda scene: refresh(scene, refreshed(scene)),
    "open_session": lambda scene: partial(scene.auth.open_session, scene.signed_in().user.user_id),
    "sign_out": lambda scene: partial(scene.auth.sign_out, scene.signed_in().tokens.access_token.reveal()),
    "sign_out, again": lambda scene: partial(scene.auth.sign_out, signed_out(scene).tokens.access_token.reveal()),
    "list_sessions": lambda scene: partial(scene.auth.list_sessions, scene.signed_in().user.user_id),
    "list_devices": lambda scene: partial(scene.auth.list_devices, scene.signed_in().user.user_id),
    "forget_device": forget_device,
    "request, on a device": request_on_a_device,
    "open_session, on a device": open_session_on_a_device,
    "find_user": lambda scene: partial(scene.auth.find_user, scene.signed_in().user.email),
    "revoke_session": revoke_session,
    "revoke_sessions": lambda scene: partial(scene.auth.revoke_sessions, scene.signed_in().user.user_id),
    "deactivate_user": lambda scene: partial(scene.auth.deactivate_user, scene.signed_in().user.user_id),
    "activate_user": lambda scene: partial(scene.auth.activate_user, scene.inactive().user.user_id),
}
TWO: dict[str, Ready] = {
    # The limits, and the link; the code is hashed in between.
    "request, unknown": lambda scene: request(scene, scene.email()),
    "request, known": lambda scene: request(scene, scene.signed_in().user.email),
    "request, inactive": lambda scene: request(scene, scene.inactive().user.email),
    "authenticate, touching": lambda scene: authenticate(scene, signed_in_before(scene, TOUCH_INTERVAL + INSTANT)),
    "verify_code": right_code,
    "verify_code, limited": right_code_from_somewhere,
    "verify_code, on a device": code_on_a_device,
    "change_email": lambda scene: partial(scene.auth.change_email, scene.signed_in().user.user_id, scene.email()),
}
REFUSED: dict[str, tuple[type[PgAuthKitError], Ready]] = {
    "limited": (RateLimitedError, limited),
    "limited code": (RateLimitedError, limited_code),
    "too many codes": (TooManyAttemptsError, spent),
    "closed": (SignUpClosedError, lambda scene: verify(scene.closed(), scene.link())),
    "expired": (TokenExpiredError, lambda scene: verify(scene, expired(scene))),
    "unknown": (
        InvalidTokenError,
        lambda scene: partial(scene.auth.verify_magic_link, SecretToken.new(0).text(Kind.MAGIC_LINK).reveal()),
    ),
    "used": (TokenAlreadyUsedError, lambda scene: verify(scene, used(scene))),
    "bound elsewhere": (BindingMismatchError, lambda scene: verify(scene, scene.link(bind=True))),
    "inactive": (UserInactiveError, lambda scene: verify(scene, scene.link(scene.inactive().user.email))),
    "wrong code": (InvalidCodeError, lambda scene: verify_code(scene, scene.link(), "")),
    "code bound elsewhere": (BindingMismatchError, lambda scene: verify_code(scene, scene.link(bind=True), "")),
    "unknown access token": (
        InvalidTokenError,
        lambda scene: partial(scene.auth.authenticate, SessionToken.new(0).text(Kind.ACCESS).reveal()),
    ),
    "signed out": (SessionRevokedError, lambda scene: authenticate(scene, signed_out(scene))),
    "refresh when signed out": (SessionRevokedError, lambda scene: refresh(scene, signed_out(scene))),
    "replay": (RefreshTokenReusedError, lambda scene: refresh(scene, refreshed(scene, timedelta(seconds=31)))),
    "open_session": (UserInactiveError, lambda scene: partial(scene.auth.open_session, scene.inactive().user.user_id)),
}


@pytest.fixture
def engine(host: "Host", database: "Database") -> Engine:
    """An engine with one connection."""
    return host.engine(database.url, pool_size=1, max_overflow=0)


@pytest.fixture
def scene(
    host: "Host", engine: Engine, database: "Database", pgauthkit_config: AuthConfig, pgauthkit_clock: Clock
) -> Scene:
    one, two = (RateLimit(number, per=timedelta(hours=1)) for number in (1, 2))
    limits = RateLimits(per_ip=None, per_email_and_ip=two, code_attempts=one)
    config = attrs.evolve(pgauthkit_config, codes=True, rate_limits=limits)
    closed = host.service_on(engine, attrs.evolve(config, allow_sign_up=False))
    plain = host.service_on(engine, attrs.evolve(config, codes=False))
    return Scene(host.service_on(engine, config), database, pgauthkit_clock, closed, plain)


class Counting(Protocol):
    """Counts statements and round trips of a call, on a connection that has seen the like of it before."""

    def __call__(self, ready: Ready, run: Callable[[Callable[[], object]], object] = ...) -> tuple[int, int]: ...


@pytest.fixture
def count(host: "Host", engine: Engine, scene: Scene) -> Counting:
    def count(ready: Ready, run: Callable[[Callable[[], object]], object] = lambda call: call()) -> tuple[int, int]:
        for _ in range(2):
            run(ready(scene))
        call = ready(scene)
        with tempfile.TemporaryFile("w+") as trace:
            with_connection(host, engine, lambda connection: connection.trace(trace.fileno()))
            run(call)
            with_connection(host, engine, lambda connection: connection.untrace())
            trace.seek(0)
            return counted(trace.read())

    return count


def with_connection(host: "Host", engine: Engine, work: Callable[[pq.abc.PGconn], None]) -> None:
    """Do something with the one connection of the pool, which sends nothing."""

    def borrow() -> None:
        connection = engine.raw_connection()
        driver: Any = connection.driver_connection
        work(driver.pgconn)
        connection.close()

    host.call(borrow)


def counted(trace: str) -> tuple[int, int]:
    """Return the statements and the round trips in what libpq wrote: time, direction, length, and message."""
    messages = Counter(tuple(line.split("\t")[1:4:2]) for line in trace.splitlines())
    statements = messages[("F", "Execute")] + messages[("F", "Query")]
    assert messages[("F", "Sync")] + messages[("F", "Query")] == messages[("B", "ReadyForQuery")]
    assert messages[("F", "Parse")] == 0
    return statements, messages[("B", "ReadyForQuery")]


@pytest.mark.pg18
@pytest.mark.parametrize("name", ONE)
def test_one_statement_one_round_trip(count: Counting, name: str) -> None:
    """Each method is one statement and one round trip, whoever it is for."""
    assert count(ONE[name]) == (1, 1)


@pytest.mark.parametrize("name", TWO)
def test_two_of_each(count: Counting, name: str) -> None:
    """A touch is a second statement; a code is counted before it is looked at; a change of address looks twice."""
    assert count(TWO[name]) == (2, 2)


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_cost_no_more(count: Counting, name: str) -> None:
    """Whoever is refused, and why, is known after one statement."""
    error, ready = REFUSED[name]

    def refused(call: Callable[[], object]) -> None:
        with pytest.raises(error):
            call()

    assert count(ready, refused) == (1, 1)


def test_a_purge(count: Counting) -> None:
    """A purge is one statement for each batch, and one that finds nothing for each of its six parts.

    Of five dead links, five dead sessions and five empty buckets, in batches of two: links 3 + 1, sessions by their end
    3 + 1, the walk over the sessions that are left 0 + 1, devices by their end 0 + 1, the walk over five of them 3 + 1,
    buckets 3 + 1.
    """

    def ready(scene: Scene) -> Callable[[], object]:
        scene.database.empty()
        user_id = scene.signed_in().user.user_id
        for _ in range(4):
            scene.link()
            scene.auth.open_session(user_id)
        scene.clock.move(FAR)
        scene.database.tell("DELETE FROM pgauthkit.rate_limits")
        scene.database.tell(
            "INSERT INTO pgauthkit.rate_limits (key, full_at) "
            "SELECT number::text::bytea, '2000-01-01Z' FROM generate_series(1, 5) AS number"
        )
        return partial(scene.auth.purge, batch_size=2)

    assert count(ready) == (17, 17)


@pytest.mark.parametrize("text", ["", "rubbish", SecretToken(9, bytes(32)).text(Kind.MAGIC_LINK).reveal()])
def test_rubbish_costs_nothing(count: Counting, text: str) -> None:
    """What is not a well-formed token of a known pepper is refused without a word."""

    def refused(call: Callable[[], object]) -> None:
        with pytest.raises(InvalidTokenError):
            call()

    assert count(lambda scene: partial(scene.auth.verify_magic_link, text), refused) == (0, 0)
