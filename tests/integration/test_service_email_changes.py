"""Moving an address: by a link to the new one, which does nothing else."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService
from pgauthkit.config import SessionCache
from pgauthkit.errors import (
    InvalidEmailError,
    InvalidTokenError,
    NotFoundError,
    RateLimitedError,
    SessionRevokedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    UniqueViolationError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, EmailChange, IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

ADA, NEW = "ada@example.com", "ada@new.example"
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:143.0) Gecko/20100101 Firefox/143.0"


@pytest.fixture
def ada(sign_in: "SigningIn") -> SignIn:
    """Ada, who is signed in."""
    return sign_in(ADA)


def asked(auth: AuthService, person: SignIn, email: str = NEW) -> str:
    return auth.request_email_change(person.user.user_id, email).token.reveal()


def address_of(database: "Database", person: SignIn) -> object:
    return database.ask("SELECT email FROM pgauthkit.users WHERE id = %s", person.user.user_id)[0][0]


def test_it_moves(auth: AuthService, ada: SignIn, sign_in: "SigningIn", events: list[AuthEvent]) -> None:
    """The user has the new address at the click; sessions end but the one that is kept, and so do pending links."""
    other, pending = sign_in(ADA), auth.request_magic_link(ADA)
    there = auth.request_magic_link(NEW)
    link = auth.request_email_change(ada.user.user_id, "Ada@New.example", ip="203.0.113.7", user_agent=FIREFOX)
    assert (link.email, link.should_send, link.redirect_to, link.binding) == (NEW, True, None, None)
    preview = auth.peek_magic_link(link.token.reveal())
    assert (preview.purpose, preview.email, preview.asked_ip) == ("email_change", NEW, "203.0.113.7")
    assert preview.asked_browser == "Firefox on Linux"

    change = auth.confirm_email_change(
        link.token.reveal(), user_id=ada.user.user_id, keep_session=ada.tokens.session_id
    )

    user_id = ada.user.user_id
    expected = EmailChange(user_id=user_id, old_email=ADA, email=NEW, ended=[other.tokens.session_id])
    assert expected == change
    assert auth.authenticate(ada.tokens.access_token.reveal()).email == NEW
    for dead in (pending, there):
        with pytest.raises(TokenExpiredError):
            auth.verify_magic_link(dead.token.reveal())
    told = [event.kind for event in events]
    assert told.index("email_change_requested") < told.index("email_changed")
    assert sign_in(NEW).user.user_id == user_id


def test_once(auth: AuthService, ada: SignIn) -> None:
    """It is used once, and a look says so as well."""
    token = asked(auth, ada)
    auth.confirm_email_change(token)
    for use in (auth.confirm_email_change, auth.peek_magic_link):
        with pytest.raises(TokenAlreadyUsedError):
            use(token)


def test_a_link_of_another_purpose(auth: AuthService, ada: SignIn, database: "Database") -> None:
    """It signs nobody in, and no other link moves an address; nothing is consumed."""
    link = auth.request_email_change(ada.user.user_id, NEW)
    signing_in, invitation = auth.request_magic_link(ADA), auth.invite("grace@example.com")
    before = database.contents()
    with pytest.raises(InvalidTokenError):
        auth.verify_magic_link(link.token.reveal())
    with pytest.raises(InvalidTokenError):
        auth.verify_magic_link(link.token.reveal().replace("pgak_ec_", "pgak_ml_"))
    for other in (signing_in, invitation):
        with pytest.raises(InvalidTokenError):
            auth.confirm_email_change(other.token.reveal())
    assert not auth.withdraw_invitation(link.id)
    assert before == database.contents()


def test_the_hash_of_another_purpose(auth: AuthService, ada: SignIn, database: "Database") -> None:
    """Purposes are judged by the row: a link whose hash is there under another purpose is nothing."""
    change, link = auth.request_email_change(ada.user.user_id, NEW), auth.request_magic_link(ADA)
    database.tell("UPDATE pgauthkit.magic_links SET purpose = 'sign_in' WHERE id = %s", change.id)
    database.tell("UPDATE pgauthkit.magic_links SET purpose = 'email_change' WHERE id = %s", link.id)
    with pytest.raises(InvalidTokenError):
        auth.confirm_email_change(change.token.reveal())
    with pytest.raises(InvalidTokenError):
        auth.verify_magic_link(link.token.reveal())
    with pytest.raises(InvalidTokenError):
        auth.verify_code(link.id, "BCDF-GHJK")


def test_of_another_user(auth: AuthService, ada: SignIn, sign_in: "SigningIn", database: "Database") -> None:
    """With the user given, it is good for that user alone, and stays good where another presents it."""
    token, mallory = asked(auth, ada), sign_in("mallory@example.com")
    before = database.contents()
    for other in (mallory.user.user_id, "nobody", "a\0b"):
        with pytest.raises(InvalidTokenError):
            auth.confirm_email_change(token, user_id=other)
    assert before == database.contents()
    assert auth.confirm_email_change(token, user_id=ada.user.user_id).email == NEW


def test_an_address_that_is_taken(auth: AuthService, ada: SignIn, sign_in: "SigningIn", database: "Database") -> None:
    """Nothing says so before the click, which raises and consumes nothing: it works when the address is free."""
    grace = sign_in(NEW)
    link = auth.request_email_change(ada.user.user_id, NEW)
    free = auth.request_email_change(grace.user.user_id, "free@example.com")
    assert (link.should_send, free.should_send) == (True, True)
    before = database.contents()
    with pytest.raises(UniqueViolationError) as caught:
        auth.confirm_email_change(link.token.reveal())
    assert caught.value.columns == ("email",)
    assert before == database.contents()
    database.tell("DELETE FROM pgauthkit.users WHERE id = %s", grace.user.user_id)
    assert auth.confirm_email_change(link.token.reveal()).email == NEW


def test_the_next_replaces_it(auth: AuthService, ada: SignIn, database: "Database") -> None:
    """A user has one change: after the next, the first is nothing."""
    first, second = asked(auth, ada), asked(auth, ada, "third@example.com")
    with pytest.raises(InvalidTokenError):
        auth.confirm_email_change(first)
    assert auth.confirm_email_change(second).email == "third@example.com"
    assert database.ask("SELECT count(*) FROM pgauthkit.magic_links WHERE purpose = 'email_change'") == [(1,)]


def test_its_time(auth: AuthService, ada: SignIn, pgauthkit_clock: Clock) -> None:
    """It lives as long as a link to sign in with."""
    token = asked(auth, ada)
    pgauthkit_clock.move(timedelta(minutes=10))
    for use in (auth.confirm_email_change, auth.peek_magic_link):
        with pytest.raises(TokenExpiredError):
            use(token)


def test_a_sign_in_spares_it(auth: AuthService, ada: SignIn, sign_in: "SigningIn") -> None:
    """Signing in, at either address, ends no change."""
    token = asked(auth, ada)
    sign_in(ADA)
    assert auth.confirm_email_change(token).email == NEW


def test_what_ends_it(auth: AuthService, ada: SignIn, database: "Database") -> None:
    """A deactivation ends it for good, and so does a change of address by the host."""
    token = asked(auth, ada)
    auth.deactivate_user(ada.user.user_id)
    auth.activate_user(ada.user.user_id)
    with pytest.raises(TokenExpiredError):
        auth.confirm_email_change(token)
    token = asked(auth, ada)
    auth.change_email(ada.user.user_id, "third@example.com")
    with pytest.raises(TokenExpiredError):
        auth.confirm_email_change(token)
    assert address_of(database, ada) == "third@example.com"


def test_who_is_inactive(auth: AuthService, ada: SignIn, database: "Database", events: list[AuthEvent]) -> None:
    """Who was switched off, by whatever hand, can neither ask for it nor confirm it, and nothing is counted."""
    token = asked(auth, ada)
    database.tell("UPDATE pgauthkit.users SET is_active = false")
    before = database.contents()
    with pytest.raises(UserInactiveError):
        auth.confirm_email_change(token)
    assert (events[-1].kind, events[-1].detail) == ("link_refused", {"why": "inactive"})
    with pytest.raises(UserInactiveError):
        asked(auth, ada)
    assert before == database.contents()


def test_who_is_gone(auth: AuthService, ada: SignIn, database: "Database") -> None:
    """A user may be deleted beside a change, which is nothing afterwards."""
    token = asked(auth, ada)
    database.tell("DELETE FROM pgauthkit.users")
    for use in (auth.confirm_email_change, auth.peek_magic_link):
        with pytest.raises(InvalidTokenError):
            use(token)


def test_nobody(auth: AuthService, database: "Database") -> None:
    """For a user who is not there, nothing is written; nor for an address that is none."""
    for nobody in ("nobody", "a\0b"):
        with pytest.raises(NotFoundError):
            auth.request_email_change(nobody, NEW)
    with pytest.raises(InvalidEmailError):
        auth.request_email_change("nobody", "no address")
    assert database.contents() == [[], [], [], [], []]
    with pytest.raises(InvalidTokenError):
        auth.confirm_email_change("pgak_ec_rubbish")


def test_limits(auth: AuthService, ada: SignIn, sign_in: "SigningIn", events: list[AuthEvent]) -> None:
    """Three at once for a user, and three to a new address; links to sign in with are not counted with them."""
    for number in range(3):
        asked(auth, ada, f"new{number}@example.com")
    with pytest.raises(RateLimitedError):
        asked(auth, ada, "new3@example.com")
    assert events[-1].detail == {"what": "email_change"}
    others = [sign_in(f"{number}@example.com") for number in range(4)]
    for other in others[:3]:
        asked(auth, other)
    with pytest.raises(RateLimitedError) as caught:
        asked(auth, others[3])
    assert caught.value.retry_after == timedelta(days=1) / 10
    assert auth.request_magic_link(NEW).should_send


def test_no_limits(configured: "Configured", sign_in: "SigningIn") -> None:
    """Without limits a user may ask as often as they like, and have one link all the same."""
    auth = configured(rate_limits=None)
    person = sign_in(ADA)
    links: list[IssuedMagicLink] = [auth.request_email_change(person.user.user_id, NEW) for _ in range(9)]
    assert len({link.id for link in links}) == 1


@pytest.mark.parametrize("is_named", [True, False])
def test_what_is_kept_in_memory(configured: "Configured", sign_in: "SigningIn", *, is_named: bool) -> None:
    """A session that a change has ended is let in by no answer of before, whether or not the user is named."""
    auth = configured(session_cache=SessionCache(max_staleness=timedelta(seconds=10)))
    person = sign_in(ADA, by=auth)
    token, user_id = person.tokens.access_token.reveal(), person.user.user_id
    assert [auth.authenticate(token).email for _ in range(3)] == [ADA] * 3
    auth.confirm_email_change(asked(auth, person), user_id=user_id if is_named else None)
    with pytest.raises(SessionRevokedError):
        auth.authenticate(token)
