"""Invitations: a link for somebody who did not ask, with a role and a time of its own."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import (
    ConfigError,
    InvalidRedirectError,
    InvalidTokenError,
    RateLimitedError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, InvitationInfo, IssuedMagicLink, SignIn, UserRole

if TYPE_CHECKING:
    from sqlalchemy import Engine, orm
    from tests.integration.conftest import Configured, Database, Host, SigningIn

GRACE = "grace@example.com"
WEEK = timedelta(days=7)
INSTANT = timedelta(microseconds=1)


def use(auth: AuthService, link: IssuedMagicLink) -> SignIn:
    return auth.verify_magic_link(link.token.reveal())


def test_an_account_of_that_role(configured: "Configured", events: list[AuthEvent]) -> None:
    """The invited gets an account of the role, also where sign-up is closed; others still do not."""
    auth = configured(allow_sign_up=False)
    link = auth.invite("Grace@Example.com", role=UserRole.ADMIN, redirect_to="/team")
    assert (link.email, link.should_send, link.code, link.binding) == (GRACE, True, None, None)
    signed_in = use(auth, link)
    assert (signed_in.created, signed_in.redirect_to, signed_in.user.role) == (True, "/team", UserRole.ADMIN)
    with pytest.raises(TokenAlreadyUsedError):
        use(auth, link)
    with pytest.raises(SignUpClosedError):
        use(auth, auth.request_magic_link("ada@example.com"))
    assert [event.detail for event in events if event.kind == "invited"] == [{"link_id": link.id, "role": "ADMIN"}]


def test_in_any_browser(configured: "Configured") -> None:
    """It needs no binding, also where all links do: who invites has another browser."""
    auth = configured(require_binding=True)
    assert use(auth, auth.invite(GRACE)).created


def test_what_a_page_may_show(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A preview says that it is an invitation, and when it was made."""
    preview = auth.peek_magic_link(auth.invite(GRACE).token.reveal())
    assert ("invite", pgauthkit_clock(), False) == (preview.purpose, preview.asked_at, preview.handoff)
    assert pgauthkit_clock() + WEEK == preview.expires_at


@pytest.mark.parametrize("ttl", [WEEK, timedelta(minutes=1)])
def test_its_time(auth: AuthService, pgauthkit_clock: Clock, ttl: timedelta) -> None:
    """It is good to the last microsecond of its own time, and not after."""
    link, late = auth.invite(GRACE, ttl=ttl), auth.invite("late@example.com", ttl=ttl)
    pgauthkit_clock.move(ttl - INSTANT)
    use(auth, link)
    pgauthkit_clock.move(INSTANT)
    assert auth.list_invitations() == []
    with pytest.raises(TokenExpiredError):
        use(auth, late)


def test_the_next_replaces_it(auth: AuthService, database: "Database", pgauthkit_clock: Clock) -> None:
    """Another invitation has the row of the first, whose token and role are gone."""
    first = auth.invite(GRACE, role=UserRole.ADMIN, redirect_to="/admin")
    pgauthkit_clock.move(WEEK + INSTANT)
    second = auth.invite(GRACE)
    assert first.id == second.id
    assert database.ask("SELECT count(*) FROM pgauthkit.magic_links") == [(1,)]
    with pytest.raises(InvalidTokenError):
        use(auth, first)
    signed_in = use(auth, second)
    assert (signed_in.user.role, signed_in.redirect_to) == (UserRole.USER, None)


def test_an_account_that_exists(auth: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
    """It signs the owner of an account in, whose role stays, for as long as a link that they asked for would."""
    sign_in(GRACE)
    link = auth.invite(GRACE, role=UserRole.ADMIN)
    signed_in = use(auth, link)
    assert (signed_in.created, signed_in.user.role) == (False, UserRole.USER)
    link = auth.invite(GRACE, role=UserRole.ADMIN)
    pgauthkit_clock.move(timedelta(minutes=10) - INSTANT)
    assert [link.id] == [invitation.id for invitation in auth.list_invitations()]
    pgauthkit_clock.move(INSTANT)
    assert auth.list_invitations() == []
    for look in (auth.peek_magic_link, auth.verify_magic_link):
        with pytest.raises(TokenExpiredError):
            look(link.token.reveal())


def test_a_sign_up_ends_it(auth: AuthService, sign_in: "SigningIn") -> None:
    """Who makes the account by a link of their own gets no role, and the invitation is over."""
    link = auth.invite(GRACE, role=UserRole.ADMIN)
    assert sign_in(GRACE).user.role is UserRole.USER
    with pytest.raises(TokenExpiredError):
        use(auth, link)


def test_who_is_inactive(auth: AuthService, sign_in: "SigningIn") -> None:
    """An inactive user is let in by no invitation, and is not to be mailed one."""
    auth.deactivate_user(sign_in(GRACE).user.user_id)
    link = auth.invite(GRACE)
    assert not link.should_send
    with pytest.raises(UserInactiveError):
        use(auth, link)


def test_no_code(configured: "Configured") -> None:
    """It has no code, and its id is nothing to the method of codes."""
    auth = configured(codes=True)
    link = auth.invite(GRACE)
    assert link.code is None
    with pytest.raises(InvalidTokenError):
        auth.verify_code(link.id, "BCDF-GHJK")


def test_the_list(auth: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
    """Pending invitations are listed, newest first: not those used or withdrawn, and no links to sign in with."""
    used, withdrawn = auth.invite("used@example.com"), auth.invite("withdrawn@example.com")
    use(auth, used)
    assert auth.withdraw_invitation(withdrawn.id)
    auth.request_magic_link("ada@example.com")
    sign_in("ada@example.com")
    first = auth.invite("first@example.com", role=UserRole.ADMIN, redirect_to="/team")
    began = pgauthkit_clock()
    pgauthkit_clock.move(timedelta(hours=1))
    second = auth.invite("second@example.com", ttl=timedelta(days=1))
    expected = InvitationInfo(
        id=first.id,
        email="first@example.com",
        role=UserRole.ADMIN,
        redirect_to="/team",
        created_at=began,
        expires_at=first.expires_at,
    )
    assert [second.id, expected] == [auth.list_invitations()[0].id, auth.list_invitations()[1]]


def test_withdrawing(auth: AuthService, events: list[AuthEvent], pgauthkit_clock: Clock) -> None:
    """A withdrawn invitation lets nobody in; there is one to withdraw only while it is good, and of no other kind."""
    link, late = auth.invite(GRACE), auth.invite("late@example.com", ttl=timedelta(minutes=5))
    other = auth.request_magic_link("ada@example.com")
    assert auth.withdraw_invitation(link.id)
    assert events[-1].kind == "invitation_withdrawn"
    with pytest.raises(TokenExpiredError):
        use(auth, link)
    pgauthkit_clock.move(timedelta(minutes=5))
    for nothing in (link.id, late.id, other.id, "nobody", "a\0b", ""):
        assert not auth.withdraw_invitation(nothing)
    assert use(auth, other).created


def test_a_limit_of_its_own(configured: "Configured", events: list[AuthEvent]) -> None:
    """Three at once, then no more for the address; links to sign in with are not counted with them."""
    auth = configured()
    for _ in range(3):
        auth.invite(GRACE)
    with pytest.raises(RateLimitedError) as caught:
        auth.invite(GRACE)
    assert caught.value.retry_after == timedelta(days=1) / 10
    assert events[-1].detail == {"what": "invitation"}
    auth.invite("ada@example.com")
    assert auth.request_magic_link(GRACE).should_send


@pytest.mark.parametrize("limit", [None, RateLimit(9, WEEK)])
def test_other_limits(configured: "Configured", limit: RateLimit | None) -> None:
    """A limit can be switched off, or be another."""
    auth = configured(rate_limits=RateLimits(per_invitation=limit))
    assert len({auth.invite(GRACE).id for _ in range(9)}) == 1


@pytest.mark.parametrize("ttl", [timedelta(), -WEEK, timedelta(days=367), 7])
def test_a_wrong_time_or_role(auth: AuthService, ttl: timedelta) -> None:
    """A time or a role that is none is refused, both in one error."""
    role: UserRole = "OWNER"  # type: ignore[assignment]  # what a host may pass that does not check types
    with pytest.raises(ConfigError) as caught:
        auth.invite(GRACE, role=role, ttl=ttl)
    assert len(caught.value.problems) == 2


def test_redirects_stay_home(auth: AuthService, database: "Database") -> None:
    """A redirect that leads elsewhere is refused, and nothing is written."""
    with pytest.raises(InvalidRedirectError):
        auth.invite(GRACE, redirect_to="//evil.example")
    assert database.ask("SELECT 1 FROM pgauthkit.magic_links") == []


def test_within(auth: AuthService, engine: "Engine", host: "Host") -> None:
    """Inside a host's transaction an invitation goes with its rollback."""

    def fail(db: "orm.Session") -> None:
        auth.within(db).invite(GRACE)
        raise LookupError

    with pytest.raises(LookupError):
        host.in_session(engine, fail)
    assert auth.list_invitations() == []
