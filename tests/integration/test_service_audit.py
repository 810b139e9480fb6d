"""The audit log: what is told, to whom, when, and what never is."""

import hashlib
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import attrs
import pytest

from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import (
    BindingMismatchError,
    DatabaseUnavailableError,
    InvalidCodeError,
    PgAuthKitError,
    RateLimitedError,
    RefreshTokenReusedError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

ADA, EVE = "ada@example.com", "eve@example.com"
HERE, THERE = "203.0.113.7", "198.51.100.7"


def hash_of(email: str) -> str:
    return hashlib.sha256(b"email\0" + email.encode()).hexdigest()


@pytest.fixture
def ada(sign_in: "SigningIn", events: list[AuthEvent]) -> SignIn:
    signed_in = sign_in(ADA)
    events.clear()
    return signed_in


@pytest.fixture
def told(events: list[AuthEvent], pgauthkit_clock: Clock) -> Callable[..., None]:
    """Checks that exactly one event was told since the last time, and what is in it."""

    def told(kind: str, *, by: str | None = ADA, **fields: Any) -> None:  # noqa: ANN401 - the fields of an event
        email_hash = by and hash_of(by)
        assert [AuthEvent(kind=kind, at=pgauthkit_clock(), email_hash=email_hash, **fields)] == events
        events.clear()

    return told


class TestEvents:
    def test_link_requested(self, auth: AuthService, told: Callable[..., None]) -> None:
        """A request tells the link's id, the address's hash and the ip; with a binding and for the unknown as well."""
        link = auth.request_magic_link(ADA, ip=f"::ffff:{HERE}", bind=True)
        told("link_requested", ip=HERE, detail={"link_id": link.id})

    def test_rate_limited(self, configured: "Configured", told: Callable[..., None]) -> None:
        """A refused request is told, and the first refused code."""
        one = RateLimit(1, per=timedelta(hours=1))
        auth = configured(codes=True, rate_limits=RateLimits(per_email=one, code_attempts=one))
        link = auth.request_magic_link(ADA, ip=HERE)
        told("link_requested", ip=HERE, detail={"link_id": link.id})
        with pytest.raises(RateLimitedError):
            auth.request_magic_link(ADA, ip=HERE)
        told("rate_limited", ip=HERE, detail={"what": "magic_link"})
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, "wrong", ip=HERE)
        told("code_rejected", ip=HERE, detail={"attempts": 1})
        with pytest.raises(RateLimitedError):
            auth.verify_code(link.id, "wrong", ip=HERE)
        told("rate_limited", ip=HERE, detail={"what": "code"})

    def test_signed_in(self, configured: "Configured", told: Callable[..., None], events: list[AuthEvent]) -> None:
        """A sign-in tells who, which session, from where, and by what; and a new device."""
        auth = configured(codes=True)
        first, second = (auth.request_magic_link(ADA) for _ in range(2))
        events.clear()
        signed_in = auth.verify_magic_link(first.token.reveal(), ip=HERE)
        who = {"user_id": signed_in.user.user_id, "session_id": signed_in.user.session_id}
        told("signed_in", ip=HERE, detail={"by": "magic_link"}, **who)
        with pytest.raises(TokenExpiredError):
            auth.verify_code(second.id, "", ip=HERE)
        told("link_refused", ip=HERE, detail={"why": "expired"})
        third = auth.request_magic_link(ADA)
        events.clear()
        device = signed_in.device.reveal()
        signed_in = auth.verify_code(third.id, third.code.reveal() if third.code else "", ip=HERE, device=device)
        told("signed_in", ip=HERE, detail={"by": "code"}, **{**who, "session_id": signed_in.user.session_id})
        who["session_id"] = auth.open_session(signed_in.user.user_id, ip=HERE).user.session_id
        told("signed_in", ip=HERE, detail={"by": "host"}, **who)
        signed_in = auth.open_session(signed_in.user.user_id, device="", ip=HERE)
        who["session_id"] = signed_in.user.session_id
        assert (events.pop().kind, signed_in.known_device) == ("signed_in", False)
        # Opened in one moment of the clock: which is listed first goes by the rest of their ids.
        (device_id,) = (
            session.device_id
            for session in auth.list_sessions(signed_in.user.user_id)
            if session.id == signed_in.user.session_id
        )
        told("new_device", ip=HERE, detail={"device_id": device_id}, **who)

    def test_link_refused(
        self,
        configured: "Configured",
        database: "Database",
        told: Callable[..., None],
        events: list[AuthEvent],
        pgauthkit_clock: Clock,
    ) -> None:
        """A refused link tells why, by one word."""
        auth = configured(codes=True, code_attempts=1)
        closed = configured(allow_sign_up=False)

        def refused(error: type[PgAuthKitError], why: str, call: Callable[[], object]) -> None:
            events.clear()
            with pytest.raises(error):
                call()
            told("link_refused", ip=HERE, detail={"why": why})

        link = auth.request_magic_link(ADA, bind=True)
        token, binding = link.token.reveal(), link.binding.reveal() if link.binding else ""
        refused(BindingMismatchError, "binding", lambda: auth.verify_magic_link(token, ip=HERE))
        refused(BindingMismatchError, "binding", lambda: auth.verify_code(link.id, "", ip=HERE))
        refused(SignUpClosedError, "closed", lambda: closed.verify_magic_link(token, binding=binding, ip=HERE))
        database.tell("INSERT INTO pgauthkit.users (id, email, is_active) VALUES ('ada', %s, false)", ADA)
        refused(UserInactiveError, "inactive", lambda: auth.verify_magic_link(token, binding=binding, ip=HERE))
        database.tell("UPDATE pgauthkit.users SET is_active = true")
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, "", binding=binding)
        refused(TooManyAttemptsError, "spent", lambda: auth.verify_code(link.id, "", binding=binding, ip=HERE))
        pgauthkit_clock.move(timedelta(minutes=10))
        refused(TokenExpiredError, "expired", lambda: auth.verify_magic_link(token, ip=HERE))
        pgauthkit_clock.move(-timedelta(minutes=1))
        auth.verify_magic_link(token, binding=binding)
        refused(TokenAlreadyUsedError, "used", lambda: auth.verify_magic_link(token, ip=HERE))

    def test_refreshed(self, auth: AuthService, ada: SignIn, told: Callable[..., None], pgauthkit_clock: Clock) -> None:
        """A rotation, a second use within the grace (with both ips), and a replay are told apart."""
        who = {"user_id": ada.user.user_id, "session_id": ada.user.session_id}
        token = ada.tokens.refresh_token.reveal()
        new = auth.refresh(token, ip=HERE)
        told("refreshed", ip=HERE, **who)
        auth.refresh(token, ip=THERE)
        told("refresh_converged", ip=THERE, detail={"rotated_by_ip": HERE, "late": 0}, **who)
        auth.authenticate(new.access_token.reveal())
        pgauthkit_clock.move(timedelta(seconds=30))
        with pytest.raises(RefreshTokenReusedError):
            auth.refresh(token, ip=THERE)
        told("refresh_replayed", ip=THERE, **who)

    def test_converged_without_ips(self, auth: AuthService, ada: SignIn, told: Callable[..., None]) -> None:
        """Where the host says no ip, none is told."""
        token = ada.tokens.refresh_token.reveal()
        auth.refresh(token)
        told("refreshed", user_id=ada.user.user_id, session_id=ada.user.session_id)
        auth.refresh(token)
        who = {"user_id": ada.user.user_id, "session_id": ada.user.session_id}
        told("refresh_converged", detail={"rotated_by_ip": "", "late": 0}, **who)

    def test_signed_out(self, auth: AuthService, ada: SignIn, told: Callable[..., None]) -> None:
        """A sign-out is told once."""
        for _ in range(2):
            auth.sign_out(ada.tokens.access_token.reveal())
        told("signed_out", by=None, user_id=ada.user.user_id, session_id=ada.user.session_id)

    def test_sessions_revoked(self, auth: AuthService, ada: SignIn, told: Callable[..., None]) -> None:
        """Sessions that were ended are told by their number, where there were any."""
        user_id = ada.user.user_id
        auth.revoke_session(user_id, ada.tokens.session_id)
        auth.revoke_session(user_id, ada.tokens.session_id)
        auth.revoke_sessions(user_id)
        told("sessions_revoked", by=None, user_id=user_id, detail={"count": 1})

    def test_users(self, auth: AuthService, ada: SignIn, told: Callable[..., None]) -> None:
        """What is done to a user is told, with how many sessions it ended; an address is always a hash."""
        user_id = ada.user.user_id
        auth.change_email(user_id, EVE)
        told("email_changed", by=EVE, user_id=user_id, detail={"sessions": 1})
        auth.deactivate_user(user_id)
        told("user_deactivated", by=EVE, user_id=user_id, detail={"sessions": 0})
        auth.activate_user(user_id)
        told("user_activated", by=EVE, user_id=user_id, detail={"sessions": 0})

    def test_reading_tells_nothing(
        self, auth: AuthService, ada: SignIn, events: list[AuthEvent], pgauthkit_clock: Clock
    ) -> None:
        """A preview, a request, a list and a purge are no events."""
        token = auth.request_magic_link(ADA).token.reveal()
        events.clear()
        auth.peek_magic_link(token)
        pgauthkit_clock.move(timedelta(minutes=2))
        auth.authenticate(ada.tokens.access_token.reveal())
        auth.list_sessions(ada.user.user_id)
        auth.purge()
        assert events == []


class TestTelling:
    def test_after_the_commit(self, configured: "Configured", database: "Database") -> None:
        """When an observer is called, everybody can see what it is told of."""
        seen: list[object] = []
        auth = configured(observers=(lambda _event: seen.append(database.ask("SELECT id FROM pgauthkit.magic_links")),))
        link = auth.request_magic_link(ADA)
        assert [[(link.id,)]] == seen

    def test_an_observer_that_fails(
        self, configured: "Configured", events: list[AuthEvent], caplog: pytest.LogCaptureFixture
    ) -> None:
        """An observer that raises is logged, the next one is called, and the sign-in goes on."""

        def fail(_event: AuthEvent) -> None:
            raise RuntimeError("out of order")

        auth = configured(observers=(fail, events.append))
        auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())
        assert [event.kind for event in events] == ["link_requested", "signed_in"]
        failures = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert [record.name for record in failures] == ["pgauthkit.audit"] * 2
        assert failures[0].getMessage() == "An observer failed on link_requested."
        assert failures[0].exc_info is not None
        assert isinstance(failures[0].exc_info[1], RuntimeError)

    def test_the_log(self, auth: AuthService, events: list[AuthEvent], caplog: pytest.LogCaptureFixture) -> None:
        """Each event is logged at INFO by `pgauthkit.audit`, in words and as itself."""
        caplog.set_level(logging.INFO, "pgauthkit.audit")
        link = auth.request_magic_link(ADA, ip=HERE)
        (record,) = [record for record in caplog.records if record.name == "pgauthkit.audit"]
        words = f"link_requested user=None session=None email={hash_of(ADA)} ip={HERE} {{'link_id': '{link.id}'}}"
        assert (logging.INFO, words) == (record.levelno, record.getMessage())
        assert events == [record.__dict__["auth_event"]]

    def test_the_time_of_this_process(self, configured: "Configured", events: list[AuthEvent]) -> None:
        """Without a clock an event has the time of the process that tells it."""
        before = datetime.now(UTC)
        configured(clock=None).request_magic_link(ADA)
        assert before <= events[0].at <= datetime.now(UTC)

    def test_nothing_that_did_not_happen(
        self, host: "Host", pgauthkit_config: AuthConfig, events: list[AuthEvent]
    ) -> None:
        """Where the database cannot be reached nothing is told."""
        auth = host.service("postgresql://nobody@/nothing?host=/nowhere", pgauthkit_config)
        with pytest.raises(DatabaseUnavailableError):
            auth.request_magic_link(ADA)
        assert events == []


def test_no_secret_in_print(
    configured: "Configured",
    database: "Database",
    events: list[AuthEvent],
    caplog: pytest.LogCaptureFixture,
    pgauthkit_clock: Clock,
) -> None:
    """No token, code, binding or address is in any value's repr, event, log line, error, or row."""
    caplog.set_level(logging.DEBUG)
    auth = configured(codes=True)
    link = auth.request_magic_link(ADA, bind=True, redirect_to="/in")
    other = auth.request_magic_link(ADA)
    assert link.binding is not None
    secrets = [value.reveal() for value in (link.token, link.binding, link.code, other.token, other.code) if value]
    errors: list[BaseException] = []
    refused: list[Callable[[], object]] = [
        lambda: auth.verify_magic_link(secrets[0]),
        lambda: auth.verify_code(link.id, secrets[4], binding=secrets[1]),
    ]
    for call in refused:
        with pytest.raises(PgAuthKitError) as caught:
            call()
        errors.append(caught.value)
    signed_in = auth.verify_magic_link(secrets[0], binding=secrets[1])
    pairs = [signed_in.tokens, auth.refresh(signed_in.tokens.refresh_token.reveal())]
    auth.authenticate(pairs[1].access_token.reveal())
    pgauthkit_clock.move(timedelta(minutes=1))
    with pytest.raises(RefreshTokenReusedError) as replay:
        auth.refresh(pairs[0].refresh_token.reveal())
    errors.append(replay.value)
    secrets += [token.reveal() for pair in pairs for token in (pair.access_token, pair.refresh_token)]
    assert len(secrets) == 9

    printed = [
        *map(repr, (link, other, signed_in, pairs, [attrs.asdict(pair) for pair in pairs])),
        *(caplog.text, repr(events), str(events)),
        *(f"{error} {error!r} {error.__context__} {error.__cause__}" for error in errors),
    ]
    assert [secret for secret in secrets if any(secret in text for text in [*printed, str(database.contents())])] == []
    assert not any(ADA in text for text in (caplog.text, repr(events), *printed[-3:]))
