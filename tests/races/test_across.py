"""One session of a handoff, one invitation of an address, one holder of an address: however many want it at once."""

from collections import Counter
from typing import TYPE_CHECKING

import attrs
import pytest

from pgauthkit import AuthConfig
from pgauthkit.config import RateLimits
from pgauthkit.errors import (
    ApprovalPendingError,
    InvalidCodeError,
    InvalidTokenError,
    RateLimitedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UniqueViolationError,
    UserInactiveError,
)
from pgauthkit.values import EmailChange, IssuedMagicLink, SignIn, UserRole

if TYPE_CHECKING:
    from tests.races.conftest import Call, Held, Host, MakeHost, Query

HOLD_LINK = "SELECT FROM pgauthkit.magic_links WHERE id = %(id)s FOR UPDATE"
LIVE_SESSIONS = "SELECT count(*) FROM pgauthkit.sessions WHERE revoked_at IS NULL"
EACH_LEVEL = pytest.mark.parametrize("isolation", ["read committed", "repeatable read", "serializable"])


def claim(link: IssuedMagicLink) -> "Call[SignIn]":
    cookie = (link.handoff or link.token).reveal()
    return lambda auth: auth.claim_sign_in(cookie)


def approve(link: IssuedMagicLink, match: str | None) -> "Call[None]":
    return lambda auth: auth.approve_magic_link(link.token.reveal(), match or "")


def verify(link: IssuedMagicLink) -> "Call[SignIn]":
    return lambda auth: auth.verify_magic_link(link.token.reveal())


def confirm(link: IssuedMagicLink) -> "Call[EmailChange]":
    return lambda auth: auth.confirm_email_change(link.token.reveal())


@EACH_LEVEL
def test_a_handoff_is_one_session(host: "Host", held: "Held", query: "Query") -> None:
    """16 claims of one approved handoff, in the queue for its link, all get the tokens of one session."""
    link = host.auth.request_magic_link("ada@example.com", handoff=True)
    host.auth.approve_magic_link(link.token.reveal(), link.match or "")
    with held(HOLD_LINK, id=link.id) as wait_for:
        started = host.start([claim(link)] * 16)
        wait_for(16)
    signed_in = [outcome for outcome in host.outcomes(started) if isinstance(outcome, SignIn)]
    assert [len(signed_in), len({one.tokens.access_token.reveal() for one in signed_in})] == [16, 1]
    assert len({one.device.reveal() for one in signed_in}) == 1
    assert [one.created for one in signed_in if one.created] == [True]
    assert query("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]


@EACH_LEVEL
def test_a_button_pressed_16_times(host: "Host", held: "Held", query: "Query") -> None:
    """16 presses in the browser that asked, in the queue for the link, all get the tokens of one session."""
    link = host.auth.request_magic_link("ada@example.com", bind=True)
    binding = (link.binding or link.token).reveal()
    with held(HOLD_LINK, id=link.id) as wait_for:
        started = host.start([lambda auth: auth.verify_magic_link(link.token.reveal(), binding=binding)] * 16)
        wait_for(16)
    signed_in = [outcome for outcome in host.outcomes(started) if isinstance(outcome, SignIn)]
    assert [len(signed_in), len({one.tokens.access_token.reveal() for one in signed_in})] == [16, 1]
    assert [one.created for one in signed_in if one.created] == [True]
    assert query("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]


@EACH_LEVEL
def test_the_waiting_browser_or_the_opener(host: "Host", rounds: int, query: "Query") -> None:
    """Approved, opened and claimed at once, a link gives one session: the waiting browser's or the opener's."""
    expected = {SignIn, type(None), ApprovalPendingError, TokenAlreadyUsedError}
    for number in range(rounds // 10):
        link = host.auth.request_magic_link(f"ada{number}@example.com", handoff=True)
        outcomes = host.race([*[approve(link, link.match), verify(link)] * 3, *[claim(link)] * 6])
        assert set(map(type, outcomes)) <= expected
        host.race([claim(link)])
        assert [(number + 1,)] == query("SELECT count(*) FROM pgauthkit.sessions")


@EACH_LEVEL
def test_three_of_16_wrong_numbers(host: "Host", rounds: int) -> None:
    """Of 16 wrong numbers at once three are looked at, and the right one is not after them."""
    for number in range(rounds // 10):
        link = host.auth.request_magic_link(f"ada{number}@example.com", handoff=True)
        outcomes = Counter(map(type, host.race([approve(link, "no")] * 16)))
        assert {InvalidCodeError: 3, TooManyAttemptsError: 13} == outcomes
        with pytest.raises(TooManyAttemptsError):
            host.auth.approve_magic_link(link.token.reveal(), link.match or "")


@EACH_LEVEL
def test_six_a_day_over_three_links(make_host: "MakeHost", config: AuthConfig, rounds: int) -> None:
    """Of 48 wrong numbers at three links at once six to nine are looked at; then no number is, and others go on."""
    host = make_host(attrs.evolve(config, codes=False, rate_limits=RateLimits(per_ip=None, per_email=None)))
    for number in range(rounds // 20):
        links = [host.auth.request_magic_link(f"ada{number}@example.com", handoff=True) for _ in range(4)]
        outcomes = Counter(map(type, host.race([approve(link, "no") for link in links[:3]] * 16)))
        assert set(outcomes) <= {InvalidCodeError, TooManyAttemptsError, RateLimitedError}
        assert 6 <= outcomes[InvalidCodeError] <= 9
        with pytest.raises(RateLimitedError):
            host.auth.approve_magic_link(links[3].token.reveal(), links[3].match or "")
        other = host.auth.request_magic_link(f"bob{number}@example.com", handoff=True)
        host.auth.approve_magic_link(other.token.reveal(), other.match or "")


@EACH_LEVEL
def test_three_mails_of_one_browser(host: "Host", rounds: int, query: "Query") -> None:
    """Three links that were sent again to one browser, all approved and claimed at once, are one session."""
    for number in range(rounds // 10):
        first = host.auth.request_magic_link(f"ada{number}@example.com", handoff=True)
        again = (first.handoff or first.token).reveal()
        links = [first, *(host.auth.request_magic_link(first.email, handoff=again) for _ in range(2))]
        outcomes = host.race([*[approve(link, first.match) for link in links] * 2, *[claim(first)] * 6])
        allowed = {SignIn, type(None), ApprovalPendingError, TokenAlreadyUsedError, TokenExpiredError}
        assert set(map(type, outcomes)) <= allowed
        host.race([claim(first)])
        assert [(number + 1,)] == query("SELECT count(*) FROM pgauthkit.sessions")


@EACH_LEVEL
def test_a_handoff_beside_a_deactivation(host: "Host", rounds: int, query: "Query") -> None:
    """Whatever comes of a handoff while its user is switched off, nothing of it is alive after that, off and on."""
    allowed = {SignIn, type(None), list, ApprovalPendingError, TokenAlreadyUsedError, TokenExpiredError}
    for number in range(rounds // 10):
        user_id = host.auth.verify_magic_link(
            host.auth.request_magic_link(f"ada{number}@example.com").token.reveal()
        ).user.user_id
        link = host.auth.request_magic_link(f"ada{number}@example.com", handoff=True)
        deactivate: Call[list[str]] = lambda auth, one=user_id: auth.deactivate_user(one)  # type: ignore[misc]  # noqa: E731
        outcomes = host.race([*[approve(link, link.match)] * 2, *[claim(link)] * 4, verify(link), deactivate])
        assert set(map(type, outcomes)) <= {*allowed, UserInactiveError}
        host.auth.activate_user(user_id)
        assert query(LIVE_SESSIONS) == [(0,)]
        late = host.race([claim(link), verify(link), approve(link, link.match)])
        assert set(map(type, late)) <= {TokenAlreadyUsedError, TokenExpiredError}


@EACH_LEVEL
def test_withdrawn_or_used(host: "Host", rounds: int) -> None:
    """An invitation that is withdrawn while it is used was either withdrawn or used, and that once."""
    for number in range(rounds // 10):
        invitation = host.auth.invite(f"grace{number}@example.com")
        withdraw: Call[bool] = lambda auth, one=invitation.id: auth.withdraw_invitation(one)  # type: ignore[misc]  # noqa: E731
        outcomes = host.race([*[verify(invitation)] * 3, *[withdraw] * 3])
        assert set(map(type, outcomes)) <= {SignIn, bool, TokenAlreadyUsedError, TokenExpiredError}
        assert [isinstance(one, SignIn) or one is True for one in outcomes].count(True) == 1


@EACH_LEVEL
def test_one_invitation_of_16(host: "Host", query: "Query") -> None:
    """Of 16 invitations of one address at once one token is good, and the account has its role."""
    roles = [UserRole.ADMIN, UserRole.USER] * 8
    calls: list[Call[IssuedMagicLink]] = [
        lambda auth, role=role: auth.invite("grace@example.com", role=role)  # type: ignore[misc]
        for role in roles
    ]
    links = [link for link in host.race(calls) if isinstance(link, IssuedMagicLink)]
    assert [(len(links), 1)] == query("SELECT 16, count(*) FROM pgauthkit.magic_links")
    ((role,),) = query("SELECT role FROM pgauthkit.magic_links")
    outcomes = host.race([verify(link) for link in links])
    assert {SignIn: 1, InvalidTokenError: 15} == Counter(map(type, outcomes))
    assert query("SELECT role FROM pgauthkit.users") == [(role,)]
    assert [role] == [roles[index] for index, one in enumerate(outcomes) if isinstance(one, SignIn)]


@EACH_LEVEL
def test_one_holder_of_an_address(host: "Host", rounds: int, query: "Query") -> None:
    """Eight users move to one address that is invited, while it is used: one has it, and nobody waits in a circle."""
    allowed = {EmailChange, SignIn, UniqueViolationError, TokenAlreadyUsedError, TokenExpiredError}
    for number in range(rounds // 10):
        invitation = host.auth.invite(f"new{number}@example.com")
        people = [host.auth.request_magic_link(f"{number}-{one}@example.com") for one in range(8)]
        ids = [host.auth.verify_magic_link(link.token.reveal()).user.user_id for link in people]
        moves = [host.auth.request_email_change(user_id, invitation.email) for user_id in ids]
        outcomes = Counter(map(type, host.race([*map(confirm, moves), *[verify(invitation)] * 3])))
        assert set(outcomes) <= allowed
        assert outcomes[EmailChange] + outcomes[SignIn] == 1
        assert query("SELECT count(*) FROM pgauthkit.users WHERE email = %(email)s", email=invitation.email) == [(1,)]


@EACH_LEVEL
def test_one_change_of_16(host: "Host", query: "Query") -> None:
    """Of 16 changes that a user asks for at once one is good."""
    user_id = host.auth.verify_magic_link(host.auth.request_magic_link("a@example.com").token.reveal()).user.user_id
    calls: list[Call[IssuedMagicLink]] = [
        lambda auth, new=f"{new}@example.com": auth.request_email_change(user_id, new)  # type: ignore[misc]
        for new in range(16)
    ]
    links = [link for link in host.race(calls) if isinstance(link, IssuedMagicLink)]
    outcomes = Counter(map(type, host.race([confirm(link) for link in links])))
    assert {EmailChange: 1, InvalidTokenError: 15} == outcomes
    assert query("SELECT count(*) FROM pgauthkit.magic_links WHERE purpose = 'email_change'") == [(1,)]


@EACH_LEVEL
def test_a_change_beside_a_deactivation(host: "Host", rounds: int, query: "Query") -> None:
    """A change that is confirmed while its user is switched off has moved them or not, and lets nobody in."""
    for number in range(rounds // 10):
        link = host.auth.request_magic_link(f"ada{number}@example.com")
        user_id = host.auth.verify_magic_link(link.token.reveal()).user.user_id
        change = host.auth.request_email_change(user_id, f"new{number}@example.com")
        deactivate: Call[list[str]] = lambda auth, one=user_id: auth.deactivate_user(one)  # type: ignore[misc]  # noqa: E731
        outcomes = host.race([*[confirm(change)] * 3, deactivate])
        allowed = {EmailChange, list, TokenAlreadyUsedError, TokenExpiredError, UserInactiveError}
        assert set(map(type, outcomes)) <= allowed
        host.auth.activate_user(user_id)
        assert query(LIVE_SESSIONS) == [(0,)]
        moved = [isinstance(one, EmailChange) for one in outcomes].count(True)
        ((email,),) = query("SELECT email FROM pgauthkit.users WHERE id = %(id)s", id=user_id)
        assert email == (change.email if moved else link.email)
        (late,) = host.race([confirm(change)])
        assert isinstance(late, TokenAlreadyUsedError | TokenExpiredError)
