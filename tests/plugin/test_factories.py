"""Users and sign-ins for tests that are about something else."""

from datetime import timedelta

import pytest

from pgauthkit import AuthService
from pgauthkit.errors import TokenExpiredError, UniqueViolationError, UserInactiveError
from pgauthkit.models import UserRole
from pgauthkit.testing import Clock, MakeSignIn, MakeUser, Outbox


def test_users_are_committed_and_have_addresses_of_their_own(pgauthkit_make_user: MakeUser) -> None:
    """Each user is new, with the columns that were given; an address that is taken is refused."""
    first, second = pgauthkit_make_user(), pgauthkit_make_user(role=UserRole.ADMIN)
    assert (first.email, second.email) == ("user-1@example.com", "user-2@example.com")
    assert (first.role, second.role) == (UserRole.USER, UserRole.ADMIN)
    with pytest.raises(UniqueViolationError):
        pgauthkit_make_user("User-1@example.com")


def test_one_call_signs_somebody_in(
    pgauthkit_sign_in: MakeSignIn, pgauthkit_make_user: MakeUser, pgauthkit_auth: AuthService
) -> None:
    """A user, a known or new address, or nobody in particular: the tokens are good, and the columns are set."""
    ada = pgauthkit_make_user("ada@example.com")
    signed_in = [
        pgauthkit_sign_in(ada),
        pgauthkit_sign_in("Ada@example.com"),
        pgauthkit_sign_in("grace@example.com", role=UserRole.ADMIN, ip="203.0.113.7", user_agent="Firefox"),
        pgauthkit_sign_in(email="eve@example.com"),
        pgauthkit_sign_in(),
    ]
    known = [pgauthkit_auth.authenticate(each.tokens.access_token.reveal()) for each in signed_in]
    assert [each.user_id == ada.id for each in known] == [True, True, False, False, False]
    assert known[2].role is UserRole.ADMIN
    assert [each.email for each in known[3:]] == ["eve@example.com", "user-1@example.com"]
    (session,) = pgauthkit_auth.list_sessions(known[2].user_id)
    assert (session.ip, session.user_agent) == ("203.0.113.7", "Firefox")


def test_one_browser_signs_in_twice(pgauthkit_sign_in: MakeSignIn, pgauthkit_auth: AuthService) -> None:
    """With the token of a known device a sign-in comes from that browser again, and without from another."""
    first = pgauthkit_sign_in("ada@example.com")
    again = pgauthkit_sign_in("ada@example.com", device=first.device.reveal())
    other = pgauthkit_sign_in("ada@example.com")
    assert (first.known_device, again.known_device, other.known_device) == (False, True, False)
    assert len(pgauthkit_auth.list_devices(first.user.user_id)) == 2


def test_no_rate_limit_counts_it(pgauthkit_sign_in: MakeSignIn) -> None:
    """Twenty sign-ins of one address within an hour are twenty sessions."""
    assert len({pgauthkit_sign_in("ada@example.com").tokens.session_id for _ in range(20)}) == 20


def test_the_clock_counts(pgauthkit_sign_in: MakeSignIn, pgauthkit_auth: AuthService, pgauthkit_clock: Clock) -> None:
    """The session follows the test's clock, and an inactive user gets none."""
    tokens = pgauthkit_sign_in("ada@example.com").tokens
    pgauthkit_clock.move(timedelta(minutes=15))
    with pytest.raises(TokenExpiredError):
        pgauthkit_auth.authenticate(tokens.access_token.reveal())
    with pytest.raises(UserInactiveError):
        pgauthkit_sign_in("eve@example.com", is_active=False)


def test_the_outbox_takes_a_link(pgauthkit_outbox: Outbox, pgauthkit_auth: AuthService) -> None:
    """The token in a mail signs in."""
    link = pgauthkit_auth.request_magic_link("ada@example.com")
    pgauthkit_outbox.send(link.email, "Sign in", link.url("https://app.example.com/confirm"))
    assert pgauthkit_auth.verify_magic_link(pgauthkit_outbox.last().token).created


def test_the_outbox_takes_an_invitation_and_a_change_of_address(
    pgauthkit_outbox: Outbox, pgauthkit_auth: AuthService
) -> None:
    """The token in the mail to an invited person signs them in, and the one of a change moves them."""
    invitation = pgauthkit_auth.invite("grace@example.com", role=UserRole.ADMIN)
    pgauthkit_outbox.send(invitation.email, "Come", invitation.url("https://app.example.com/confirm"))
    grace = pgauthkit_auth.verify_magic_link(pgauthkit_outbox.last("grace@example.com").token).user
    assert grace.role is UserRole.ADMIN
    change = pgauthkit_auth.request_email_change(grace.user_id, "grace@new.example")
    pgauthkit_outbox.send(change.email, "Move", change.url("https://app.example.com/#/confirm-address"))
    moved = pgauthkit_auth.confirm_email_change(pgauthkit_outbox.last("grace@new.example").token)
    assert (moved.old_email, moved.email) == ("grace@example.com", "grace@new.example")
