"""Handoffs: ask on the computer, open the mail on the phone, and be signed in on the computer."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import text

from pgauthkit import AuthService
from pgauthkit.config import Pepper, RateLimits
from pgauthkit.errors import (
    ApprovalPendingError,
    InvalidCodeError,
    InvalidTokenError,
    RateLimitedError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UserInactiveError,
)
from pgauthkit.secret import Secret
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.values import AuthEvent, IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from sqlalchemy import Engine, orm
    from tests.integration.conftest import Configured, Database, Host, SigningIn

ADA = "ada@example.com"
TTL = timedelta(minutes=10)
INSTANT = timedelta(microseconds=1)


def asked(auth: AuthService, email: str = ADA, *, handoff: bool | str = True) -> IssuedMagicLink:
    return auth.request_magic_link(email, redirect_to="/inbox", handoff=handoff)


def cookie(link: IssuedMagicLink) -> str:
    assert link.handoff
    return link.handoff.reveal()


def number(link: IssuedMagicLink) -> str:
    assert link.match
    return link.match


def wrong(link: IssuedMagicLink) -> str:
    return "11" if link.match == "10" else "10"


def approve(auth: AuthService, link: IssuedMagicLink, match: str | None = None) -> None:
    auth.approve_magic_link(link.token.reveal(), number(link) if match is None else match)


def claim(auth: AuthService, link: IssuedMagicLink) -> SignIn:
    return auth.claim_sign_in(cookie(link))


def is_pending(auth: AuthService, link: IssuedMagicLink) -> bool:
    with pytest.raises(ApprovalPendingError) as caught:
        claim(auth, link)
    return caught.value.expires_at == link.expires_at and caught.value.retry_after == timedelta(seconds=3)


def test_from_the_phone(auth: AuthService, events: list[AuthEvent], database: "Database") -> None:
    """The number typed on the phone lets the computer in, which gets the tokens; the phone gets nothing."""
    link = asked(auth)
    assert 10 <= int(number(link)) <= 99
    assert "match" not in repr(link)
    before = database.contents()
    assert is_pending(auth, link)
    assert before == database.contents()
    preview = auth.peek_magic_link(link.token.reveal())
    assert (preview.handoff, preview.purpose, preview.email) == (True, "sign_in", ADA)

    auth.approve_magic_link(link.token.reveal(), number(link), ip="203.0.113.9", user_agent="Firefox/143.0")
    assert database.ask("SELECT count(*) FROM pgauthkit.sessions") == [(0,)]
    signed_in = auth.claim_sign_in(cookie(link), ip="203.0.113.7", user_agent="Chrome/140.0")

    assert (signed_in.user.email, signed_in.redirect_to, signed_in.created) == (ADA, "/inbox", True)
    assert auth.authenticate(signed_in.tokens.access_token.reveal()) == signed_in.user
    ((_, session),) = [(info.ip, info) for info in auth.list_sessions(signed_in.user.user_id)]
    assert (session.ip, session.user_agent) == ("203.0.113.7", "Chrome/140.0")
    told = [(event.kind, event.detail) for event in events[1:]]
    assert told == [
        ("handoff_approved", {"link_id": link.id, "browser": "Firefox"}),
        ("handoff_claimed", {"link_id": link.id}),
        ("signed_in", {"by": "handoff"}),
    ]


def test_the_same_again(auth: AuthService, pgauthkit_clock: Clock, events: list[AuthEvent]) -> None:
    """A lost answer is asked for again: the same tokens within the grace, and not after."""
    link = asked(auth)
    approve(auth, link)
    first = claim(auth, link)
    pgauthkit_clock.move(timedelta(seconds=30) - INSTANT)
    again = claim(auth, link)
    assert (first.tokens, first.user, "/inbox", False) == (again.tokens, again.user, again.redirect_to, again.created)
    assert (events[-1].kind, events[-1].detail) == ("sign_in_repeated", {"by": "handoff"})
    pgauthkit_clock.move(INSTANT)
    with pytest.raises(TokenAlreadyUsedError):
        claim(auth, link)


@pytest.mark.parametrize("what", ["sign_out", "refresh", "deactivate", "delete"])
def test_not_again(auth: AuthService, database: "Database", what: str) -> None:
    """Once anything has happened to the session, its tokens are given to nobody again."""
    link = asked(auth)
    approve(auth, link)
    signed_in = claim(auth, link)
    if what == "sign_out":
        auth.sign_out(signed_in.tokens.access_token.reveal())
    elif what == "refresh":
        auth.refresh(signed_in.tokens.refresh_token.reveal())
    elif what == "deactivate":
        auth.deactivate_user(signed_in.user.user_id)
    else:
        database.tell("DELETE FROM pgauthkit.sessions")
    with pytest.raises(TokenAlreadyUsedError):
        claim(auth, link)


def test_a_session_of_another(auth: AuthService, database: "Database") -> None:
    """A row that was made to name another session gives no tokens of it."""
    link, other = asked(auth), asked(auth, "grace@example.com")
    for one in (link, other):
        approve(auth, one)
        claim(auth, one)
    database.tell(
        "UPDATE pgauthkit.magic_links AS m SET session_id = o.session_id "
        "FROM pgauthkit.magic_links AS o WHERE o.id = %s AND m.id = %s",
        other.id,
        link.id,
    )
    with pytest.raises(TokenAlreadyUsedError):
        claim(auth, link)


def test_three_wrong_numbers(auth: AuthService, events: list[AuthEvent], database: "Database") -> None:
    """Three wrong numbers are counted, then not even the right one is looked at; the link itself stays good."""
    link = asked(auth)
    for left, match in zip((2, 1, 0), (wrong(link), "forty-seven", ""), strict=True):
        with pytest.raises(InvalidCodeError) as caught:
            approve(auth, link, match)
        assert left == caught.value.attempts_left
    assert (events[-1].kind, events[-1].detail) == ("match_rejected", {"attempts": 3})
    before = database.contents()
    with pytest.raises(TooManyAttemptsError):
        approve(auth, link)
    assert is_pending(auth, link)
    assert before == database.contents()
    assert auth.verify_magic_link(link.token.reveal()).created
    with pytest.raises(TokenAlreadyUsedError):
        claim(auth, link)


@pytest.mark.parametrize("form", ["{}", " {} ", "{0[0]} {0[1]}", "{}\n"])
def test_blanks_do_not_count(auth: AuthService, form: str) -> None:
    """Blanks around and between the digits are what a phone's keyboard makes of them."""
    link = asked(auth)
    approve(auth, link, form.format(number(link)))
    assert claim(auth, link).created


def test_six_wrong_numbers_a_day(auth: AuthService, events: list[AuthEvent], pgauthkit_clock: Clock) -> None:
    """Over all its links an address has six wrong numbers a day; another address has its own."""
    for _ in range(2):
        link = asked(auth)
        for _ in range(3):
            with pytest.raises(InvalidCodeError):
                approve(auth, link, wrong(link))
    link, other = asked(auth), asked(auth, "grace@example.com")
    with pytest.raises(RateLimitedError) as caught:
        approve(auth, link)
    assert caught.value.retry_after == timedelta(hours=4)
    assert events[-1].detail == {"what": "match"}
    approve(auth, other)
    pgauthkit_clock.move(timedelta(hours=4))
    link = asked(auth)
    approve(auth, link)


def test_no_limit(configured: "Configured") -> None:
    """Without the limit of the address, each link still has its three."""
    auth = configured(rate_limits=RateLimits(wrong_matches=None))
    for _ in range(3):
        link = asked(auth)
        for _ in range(3):
            with pytest.raises(InvalidCodeError):
                approve(auth, link, wrong(link))
    approve(auth, asked(auth))


def test_approved_once(auth: AuthService) -> None:
    """An approved link is nobody else's: it is not approved again, not opened, and looks used."""
    link = asked(auth)
    approve(auth, link)
    for use in (auth.peek_magic_link, auth.verify_magic_link):
        with pytest.raises(TokenAlreadyUsedError):
            use(link.token.reveal())
    with pytest.raises(TokenAlreadyUsedError):
        approve(auth, link)
    assert claim(auth, link).created


def test_an_approval_lasts_a_minute(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """Approved in the last moment, it waits for its browser for 60 seconds, and not longer."""
    link, late = asked(auth), asked(auth, "late@example.com")
    pgauthkit_clock.move(TTL - INSTANT)
    approve(auth, link)
    approve(auth, late)
    pgauthkit_clock.move(timedelta(seconds=60) - INSTANT)
    assert claim(auth, link).created
    pgauthkit_clock.move(INSTANT)
    with pytest.raises(TokenExpiredError):
        claim(auth, late)


def test_what_is_over(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """After its time a link is neither approved nor claimed."""
    link = asked(auth)
    pgauthkit_clock.move(TTL)
    for use in (approve, claim):
        with pytest.raises(TokenExpiredError):
            use(auth, link)


def test_opened_here(auth: AuthService, sign_in: "SigningIn") -> None:
    """Opened instead, it signs its opener in, and the waiting browser learns so; another sign-in ends it."""
    link, other = asked(auth), asked(auth, "grace@example.com")
    auth.verify_magic_link(link.token.reveal())
    with pytest.raises(TokenAlreadyUsedError):
        claim(auth, link)
    with pytest.raises(TokenAlreadyUsedError):
        approve(auth, link)
    approve(auth, other)
    sign_in("grace@example.com")
    with pytest.raises(TokenExpiredError):
        claim(auth, other)


def test_send_it_again(auth: AuthService) -> None:
    """With the token that the browser has, the number stays, and each mail is good; the session is one."""
    first = asked(auth)
    second = asked(auth, handoff=cookie(first))
    assert (first.handoff, first.match) == (second.handoff, second.match)
    with pytest.raises(InvalidCodeError):
        approve(auth, second, wrong(first))
    approve(auth, first)
    signed_in = claim(auth, second)
    assert signed_in.tokens == claim(auth, first).tokens
    with pytest.raises(TokenExpiredError):
        approve(auth, second)


def test_one_of_two_is_over(auth: AuthService, database: "Database") -> None:
    """Where the approved one of two mails was ended, the browser goes on waiting for the other."""
    first = asked(auth)
    second = asked(auth, handoff=cookie(first))
    approve(auth, first)
    database.tell("UPDATE pgauthkit.magic_links SET revoked_at = created_at WHERE id = %s", first.id)
    assert is_pending(auth, second)


@pytest.mark.parametrize("rubbish", ["", "rubbish", "a\0b", "pgak_ho_rubbish"])
def test_a_cookie_that_is_rubbish(auth: AuthService, rubbish: str) -> None:
    """It is replaced by a new one when a link is asked for, and is nothing to a claim."""
    assert cookie(asked(auth, handoff=rubbish)) != rubbish
    with pytest.raises(InvalidTokenError):
        auth.claim_sign_in(rubbish)


def test_other_tokens(auth: AuthService) -> None:
    """A token of a link, a binding, or a handoff that nobody was given lets nobody in; nor is one a binding."""
    link = auth.request_magic_link(ADA, bind=True, handoff=True)
    unknown = auth.request_magic_link(ADA, handoff=True)
    approve(auth, link)
    assert link.binding
    for other in (link.token.reveal(), link.binding.reveal()):
        with pytest.raises(InvalidTokenError):
            auth.claim_sign_in(other)
    assert is_pending(auth, unknown)
    with pytest.raises(InvalidTokenError):
        auth.approve_magic_link(cookie(link), "47")


def test_nobody_waits(auth: AuthService) -> None:
    """A link that no browser waits for, an invitation included, is not approved but opened."""
    for link in (auth.request_magic_link(ADA), auth.invite("grace@example.com")):
        assert (link.handoff, link.match) == (None, None)
        with pytest.raises(InvalidTokenError):
            auth.approve_magic_link(link.token.reveal(), "47")
    with pytest.raises(InvalidTokenError):
        auth.claim_sign_in(SecretToken.new(0).text(Kind.HANDOFF).reveal())


def test_without_the_browser_of_the_link(configured: "Configured") -> None:
    """Where a binding is required, the phone has none, and may approve all the same; it may not open the link."""
    auth = configured(require_binding=True)
    link = asked(auth)
    approve(auth, link)
    assert claim(auth, link).created


def test_waiting_takes_no_lock(auth: AuthService, engine: "Engine", host: "Host") -> None:
    """While it waits a browser costs a read: no row is locked, nothing is logged, and no transaction id is taken."""
    link = asked(auth)

    def poll(db: "orm.Session") -> tuple[set[str], int | None]:
        for _ in range(3):
            assert is_pending(auth.within(db), link)
        modes = db.scalars(text("SELECT mode FROM pg_locks WHERE pid = pg_backend_pid() AND locktype <> 'virtualxid'"))
        return set(modes), db.scalar(text("SELECT pg_current_xact_id_if_assigned()::text"))

    assert host.in_session(engine, poll) == ({"AccessShareLock"}, None)


def test_closed(configured: "Configured", events: list[AuthEvent]) -> None:
    """With sign-up closed an unknown address is refused at the approval, and looks pending to the one who waits."""
    link = asked(closed := configured(allow_sign_up=False))
    with pytest.raises(SignUpClosedError):
        approve(closed, link)
    assert is_pending(closed, link)
    approve(configured(), link)
    assert is_pending(closed, link)
    assert (events[-1].kind, events[-1].detail) == ("link_refused", {"why": "closed"})


def test_inactive(auth: AuthService, sign_in: "SigningIn", database: "Database", events: list[AuthEvent]) -> None:
    """An inactive user is refused at the approval; one who was switched off since looks pending, or expired."""
    user_id = sign_in(ADA).user.user_id
    link, gone = asked(auth), asked(auth)
    approve(auth, link)
    database.tell("UPDATE pgauthkit.users SET is_active = false")
    with pytest.raises(UserInactiveError):
        approve(auth, gone)
    assert is_pending(auth, link)
    assert (events[-1].kind, events[-1].detail) == ("link_refused", {"why": "inactive"})
    auth.deactivate_user(user_id)
    with pytest.raises(TokenExpiredError):
        claim(auth, link)


def test_purged(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """Once its links are purged, a handoff is nothing."""
    link = asked(auth)
    pgauthkit_clock.move(TTL + timedelta(days=1) + INSTANT)
    auth.purge()
    with pytest.raises(InvalidTokenError):
        claim(auth, link)


def test_peppers_turn_over(configured: "Configured") -> None:
    """A handoff from before a pepper goes on, and the session is under the new one."""
    before = configured()
    after = configured(peppers=(Pepper(id=1, secret=Secret("p" * 32)),), accept_unpeppered=True)
    link = asked(before)
    again = asked(after, handoff=cookie(link))
    assert link.match == again.match
    approve(after, again)
    signed_in = claim(after, link)
    assert signed_in.tokens == claim(after, link).tokens
    assert after.authenticate(signed_in.tokens.access_token.reveal()).email == ADA


def test_a_dump_signs_nobody_in(auth: AuthService, database: "Database") -> None:
    """The row has hashes of the handoff, and of the number with the link's secret, which cannot be tried out."""
    link = asked(auth)
    approve(auth, link)
    claim(auth, link)
    kept = database.ask("SELECT handoff_hash, match_hash, session_nonce FROM pgauthkit.magic_links")
    assert [len(value) for value in kept[0]] == [32, 32, 17]
