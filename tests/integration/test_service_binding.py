"""Binding: a link that works only in the browser that asked for it."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService
from pgauthkit.errors import BindingMismatchError, TokenAlreadyUsedError, TokenExpiredError
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.values import IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database

ADA = "ada@example.com"
Verify = Callable[[AuthService, IssuedMagicLink, str | None], SignIn]


def by_link(auth: AuthService, link: IssuedMagicLink, binding: str | None) -> SignIn:
    return auth.verify_magic_link(link.token.reveal(), binding=binding)


def by_code(auth: AuthService, link: IssuedMagicLink, binding: str | None) -> SignIn:
    return auth.verify_code(link.id, link.code.reveal() if link.code else "", binding=binding)


@pytest.fixture(params=[by_link, by_code])
def verify(request: pytest.FixtureRequest) -> Verify:
    """Signs in by the link, then by its code."""
    how: Verify = request.param
    return how


@pytest.fixture
def auth(configured: "Configured") -> AuthService:
    return configured(codes=True)


def binding_of(link: IssuedMagicLink) -> str:
    assert link.binding is not None
    return link.binding.reveal()


def test_the_browser_that_asked(auth: AuthService, database: "Database", verify: Verify) -> None:
    """With the binding that went into its cookie, the browser signs in; the row has a hash of it."""
    link = auth.request_magic_link(ADA, bind=True)
    assert re.fullmatch(r"pgak_bd_[0-9A-Za-z]{51}", binding_of(link))
    ((kept,),) = database.ask("SELECT binding_hash FROM pgauthkit.magic_links")
    assert len(kept) == 32
    assert SecretToken.parse(Kind.BINDING, binding_of(link)).secret != kept
    assert verify(auth, link, binding_of(link)).user.email == ADA


@pytest.mark.parametrize(
    "wrong",
    [None, "", "rubbish", "a\0b", "a\ud800b", "x" * 1_000_000, SecretToken.new(0).text(Kind.BINDING).reveal()],
    ids=["none", "empty", "rubbish", "nul", "surrogate", "long", "made up"],
)
def test_any_other_browser(auth: AuthService, database: "Database", verify: Verify, wrong: str | None) -> None:
    """Without it, or with any other text, nothing is consumed and nothing counted; the link is as good as before."""
    link = auth.request_magic_link(ADA, bind=True)
    before = database.contents()
    for _ in range(6):
        with pytest.raises(BindingMismatchError):
            verify(auth, link, wrong)
    assert before == database.contents()
    assert verify(auth, link, binding_of(link)).user.email == ADA


def test_the_binding_of_another_link(auth: AuthService, verify: Verify) -> None:
    """Each link has a binding of its own; the token of the link is not it."""
    link, other = (auth.request_magic_link(ADA, bind=True) for _ in range(2))
    for wrong in (binding_of(other), link.token.reveal()):
        with pytest.raises(BindingMismatchError):
            verify(auth, link, wrong)
    verify(auth, link, binding_of(link))


def test_a_link_without_a_binding(auth: AuthService, verify: Verify) -> None:
    """A link that was asked for without a binding works in every browser, whatever its cookie says."""
    link = auth.request_magic_link(ADA)
    assert link.binding is None
    assert verify(auth, link, binding_of(auth.request_magic_link(ADA, bind=True))).user.email == ADA


def test_required_for_all(configured: "Configured", verify: Verify) -> None:
    """Where a binding is required each link has one, asked for or not."""
    auth = configured(codes=True, require_binding=True)
    link = auth.request_magic_link(ADA)
    with pytest.raises(BindingMismatchError):
        verify(auth, link, None)
    assert verify(auth, link, binding_of(link)).user.email == ADA


def test_required_since(auth: AuthService, configured: "Configured", database: "Database", verify: Verify) -> None:
    """A link from the time before a binding was required is refused, and stays good where none is."""
    link = auth.request_magic_link(ADA)
    before = database.contents()
    with pytest.raises(BindingMismatchError):
        verify(configured(codes=True, require_binding=True), link, None)
    assert before == database.contents()
    verify(auth, link, None)


def test_what_is_over_is_over_for_all(auth: AuthService, verify: Verify, pgauthkit_clock: Clock) -> None:
    """Used and expired are said before the binding is looked at."""
    used, expired = (auth.request_magic_link(ADA, bind=True) for _ in range(2))
    verify(auth, used, binding_of(used))
    with pytest.raises(TokenAlreadyUsedError):
        verify(auth, used, None)
    with pytest.raises(TokenExpiredError):
        verify(auth, expired, None)
    assert pgauthkit_clock() < expired.expires_at
