"""A button that is pressed twice, an answer that was lost, a mail that is sent again: in the browser that asked."""

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService
from pgauthkit.errors import (
    BindingMismatchError,
    InvalidCodeError,
    TokenAlreadyUsedError,
    TooManyAttemptsError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine, orm
    from tests.integration.conftest import Configured, Database, Host

ADA = "ada@example.com"
GRACE = timedelta(seconds=30)


@pytest.fixture
def auth(configured: "Configured") -> AuthService:
    """The service with codes."""
    return configured(codes=True)


def asked(auth: AuthService, *, bind: bool | str = True) -> IssuedMagicLink:
    return auth.request_magic_link(ADA, redirect_to="/inbox", bind=bind)


def cookie(link: IssuedMagicLink) -> str:
    assert link.binding
    return link.binding.reveal()


def press(auth: AuthService, link: IssuedMagicLink, binding: str | None = None) -> SignIn:
    return auth.verify_magic_link(link.token.reveal(), binding=cookie(link) if binding is None else binding)


def enter(auth: AuthService, link: IssuedMagicLink, code: str | None = None) -> SignIn:
    assert link.code
    return auth.verify_code(link.id, code or link.code.reveal(), binding=cookie(link))


def off_and_on(auth: AuthService, user_id: str) -> None:
    auth.deactivate_user(user_id)
    auth.activate_user(user_id)


@pytest.mark.parametrize("way", [press, enter], ids=["link", "code"])
def test_pressed_twice(
    auth: AuthService, events: list[AuthEvent], database: "Database", way: "Callable[..., SignIn]"
) -> None:
    """The same tokens of one session come again, nobody is new twice, and the audit log tells the two apart."""
    link = asked(auth)
    first, second = way(auth, link), way(auth, link)
    assert (first.created, second.created) == (True, False)
    assert first.tokens == second.tokens
    assert (second.redirect_to, second.user.session_id) == ("/inbox", first.user.session_id)
    assert auth.authenticate(second.tokens.access_token.reveal()).email == ADA
    assert database.ask("SELECT count(*) FROM pgauthkit.sessions") == [(1,)]
    assert [event.kind for event in events][-2:] == ["signed_in", "sign_in_repeated"]


@pytest.mark.parametrize(
    "meanwhile",
    [
        lambda auth, signed_in: auth.refresh(signed_in.tokens.refresh_token.reveal()),
        lambda auth, signed_in: auth.sign_out(signed_in.tokens.access_token.reveal()),
        lambda auth, signed_in: off_and_on(auth, signed_in.user.user_id),
    ],
    ids=["refreshed", "signed out", "off and on"],
)
def test_not_after_something_happened(auth: AuthService, meanwhile: "Callable[[AuthService, SignIn], object]") -> None:
    """A session that was refreshed or ended is not given again."""
    link = asked(auth)
    meanwhile(auth, press(auth, link))
    with pytest.raises(TokenAlreadyUsedError):
        press(auth, link)


def test_within_the_grace_only(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """After `refresh_grace` the link is used, as any."""
    link = asked(auth)
    press(auth, link)
    pgauthkit_clock.move(GRACE - timedelta(microseconds=1))
    assert not press(auth, link).created
    pgauthkit_clock.move(timedelta(microseconds=1))
    with pytest.raises(TokenAlreadyUsedError):
        press(auth, link)


def test_not_by_another_browser(auth: AuthService) -> None:
    """Neither a browser without a binding nor one with another gets the session; nor does the link for the code."""
    link, other = asked(auth), asked(auth)
    signed_in = press(auth, link)
    assert link.code
    for binding in (cookie(other), "", "rubbish"):
        with pytest.raises(TokenAlreadyUsedError):
            press(auth, link, binding)
    # The tokens hang on what was presented: the code of the link is another proof.
    with pytest.raises(TokenAlreadyUsedError):
        enter(auth, link)
    assert press(auth, link).tokens == signed_in.tokens


def test_a_link_without_a_binding_works_once(auth: AuthService) -> None:
    """What is bound to no browser is used once, whatever the browser presents."""
    link, other = asked(auth, bind=False), asked(auth)
    press(auth, link, cookie(other))
    with pytest.raises(TokenAlreadyUsedError):
        press(auth, link, cookie(other))


def test_a_wrong_code(auth: AuthService) -> None:
    """A repetition costs an attempt, and so does a wrong code after the right one, which gives nothing."""
    link = asked(auth)
    enter(auth, link)
    with pytest.raises(InvalidCodeError) as caught:
        enter(auth, link, "BCDF-GHJK")
    assert caught.value.attempts_left == 3
    for _ in range(3):
        assert not enter(auth, link).created
    with pytest.raises(TooManyAttemptsError):
        enter(auth, link)


def test_a_session_that_is_gone(auth: AuthService, database: "Database") -> None:
    """Where the row of the session is not there any more, the link is used."""
    link = asked(auth)
    press(auth, link)
    database.ask("DELETE FROM pgauthkit.sessions RETURNING id")
    with pytest.raises(TokenAlreadyUsedError):
        press(auth, link)


def test_sent_again(auth: AuthService) -> None:
    """With the cookie's token the browser keeps its binding, and each mail signs in; what is no token is replaced."""
    first = asked(auth)
    second = asked(auth, bind=cookie(first))
    assert cookie(first) == cookie(second)
    assert press(auth, first).created
    third = asked(auth, bind="rubbish")
    assert cookie(third) != cookie(first)
    with pytest.raises(BindingMismatchError):
        press(auth, third, cookie(first))
    assert len({cookie(asked(auth, bind=bind)) for bind in ("", True)}) == 2


def test_it_is_kept_as_long_as_it_can_be_asked_for(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A purge that keeps nothing leaves a link for five minutes past its end, so that a late press is answered."""
    link = asked(auth)
    pgauthkit_clock.move(timedelta(minutes=9, seconds=59))
    press(auth, link)
    pgauthkit_clock.move(timedelta(seconds=20))
    assert auth.purge(keep=timedelta(0)).magic_links == 0
    assert not press(auth, link).created
    pgauthkit_clock.move(timedelta(minutes=5))
    assert auth.purge(keep=timedelta(0)).magic_links == 1


def test_inside_a_transaction(auth: AuthService, engine: "Engine", host: "Host") -> None:
    """The same again inside the host's transaction; rolled back, the link is as new."""
    link = asked(auth)

    def fail(db: "orm.Session") -> None:
        inside = auth.within(db)
        assert press(inside, link).tokens == press(inside, link).tokens
        raise LookupError

    with pytest.raises(LookupError):
        host.in_session(engine, fail)
    assert press(auth, link).created
