"""What went wrong in other libraries, each as a test that bears its number."""

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import attrs
import pytest
from sqlalchemy import make_url

from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import (
    BindingMismatchError,
    DatabaseUnavailableError,
    InvalidCodeError,
    InvalidEmailError,
    InvalidTokenError,
    PendingMigrationsError,
    RateLimitedError,
    SessionRevokedError,
    SignUpClosedError,
)
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import IssuedMagicLink, SignIn

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.security.conftest import MakeAuth, Query

ADA, BOB, EVE = "ada@example.com", "bob@example.com", "eve@example.com"
IP: Final = "192.0.2.1"


def sign_in(auth: AuthService, email: str = ADA) -> SignIn:
    return auth.verify_magic_link(auth.request_magic_link(email).token.reveal())


def code_of(link: IssuedMagicLink) -> str:
    assert link.code
    return link.code.reveal()


def wrong_code(link: IssuedMagicLink) -> str:
    return code_of(link).translate(str.maketrans("BCDFGHJKLMNPQRSTVWXZ", "CDFGHJKLMNPQRSTVWXZB"))


def access(signed_in: SignIn) -> str:
    return signed_in.tokens.access_token.reveal()


def refresh(signed_in: SignIn) -> str:
    return signed_in.tokens.refresh_token.reveal()


# Links and codes


@pytest.mark.parametrize("binding", [None, "", "null", "None"])
def test_ghsa_cq3f_vc6p_68fh_no_owner_matches_nobody(
    make_auth: "MakeAuth", config: AuthConfig, binding: str | None
) -> None:
    """A link that no browser asked for is good in none where a binding is required, and a bound one not without it."""
    anywhere, bound = make_auth(config), make_auth(attrs.evolve(config, require_binding=True))
    for link in (anywhere.request_magic_link(ADA), bound.request_magic_link(ADA)):
        with pytest.raises(BindingMismatchError):
            bound.verify_magic_link(link.token.reveal(), binding=binding)
        with pytest.raises(BindingMismatchError):
            bound.verify_code(link.id, code_of(link), binding=binding)


def test_cve_2021_21310_the_address_of_another(auth: AuthService) -> None:
    """The code of one address with the link of another signs nobody in, and neither link is used up."""
    mine, yours = auth.request_magic_link(ADA), auth.request_magic_link(BOB)
    for link, code in ((mine, code_of(yours)), (yours, code_of(mine))):
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, code)
    assert [auth.verify_code(link.id, code_of(link)).user.email for link in (mine, yours)] == [ADA, BOB]


def test_cve_2022_39263_the_identifier_alone(auth: AuthService, query: "Query") -> None:
    """Whoever knows only identifiers, of link, session, user or row, is refused and changes nothing but an attempt."""
    signed_in, link = sign_in(auth), auth.request_magic_link(ADA)
    for text in (link.id, signed_in.user.session_id, signed_in.user.user_id, ADA, link.id + code_of(link)):
        for use in (auth.peek_magic_link, auth.verify_magic_link, auth.authenticate, auth.refresh):
            with pytest.raises(InvalidTokenError):
                use(text)
    for code in (link.id, "", wrong_code(link)):
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, code)
    assert query("SELECT count(*) FROM pgauthkit.sessions WHERE revoked_at IS NULL") == [(1,)]


def test_drfpasswordless_a_code_is_good_with_its_own_link_only(auth: AuthService) -> None:
    """A code opens the link that it came with: not another of the same address, and not one of anybody else."""
    links = [auth.request_magic_link(email) for email in (ADA, ADA, BOB)]
    for link in links[1:]:
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, code_of(links[0]))
    with pytest.raises(InvalidTokenError):
        auth.verify_code("c0000000000000000000000000", code_of(links[0]))
    assert auth.verify_code(links[0].id, code_of(links[0])).user.email == ADA


def test_allauth_65_8_1_a_sign_in_gives_no_new_attempts(make_auth: "MakeAuth", config: AuthConfig) -> None:
    """Whoever guesses at another's codes, and signs in to an account of their own in between, has no more guesses."""
    limits = RateLimits(code_attempts=RateLimit(3, per=timedelta(hours=1)))
    auth = make_auth(attrs.evolve(config, rate_limits=limits))
    for _ in range(3):
        own, victims = auth.request_magic_link(EVE), auth.request_magic_link(ADA)
        with pytest.raises(InvalidCodeError):
            auth.verify_code(victims.id, wrong_code(victims), ip=IP)
        auth.verify_code(own.id, code_of(own), ip=IP)
    with pytest.raises(RateLimitedError):
        auth.verify_code(victims.id, code_of(victims), ip=IP)


# Addresses


@pytest.mark.parametrize(
    "address",
    [
        "eve@evil.example,ada@example.com",
        "eve@evil.example;ada@example.com",
        "eve@evil.example ada@example.com",
        "eve@evil.example\r\nada@example.com",
        "eve@evil.example\nBcc: ada@example.com",
        "eve@evil.example@example.com",
        "<eve@evil.example>ada@example.com",
        "Ada <eve@evil.example>",
        "eve@evil.example\0@example.com",
    ],
)
def test_cve_2022_35924_one_request_has_one_recipient(auth: AuthService, query: "Query", address: str) -> None:
    """A list of addresses, a second @, a name or a line end is no address, and no link is written."""
    with pytest.raises(InvalidEmailError):
        auth.request_magic_link(address)
    assert query("SELECT FROM pgauthkit.magic_links") == []


@pytest.mark.parametrize(
    "address", ['"eve@evil.example"@example.com', '"eve"@example.com', "e\\@evil.example@example.com"]
)
def test_ghsa_5jpx_9hw9_2fx4_a_quoted_local_part_is_none(auth: AuthService, address: str) -> None:
    """A local part in quotes, which mailers read in different ways, is refused."""
    with pytest.raises(InvalidEmailError):
        auth.request_magic_link(address)


@pytest.mark.parametrize("character", "\uff20\ufe6b\uff0c\uff1b\uff1c\uff1e\uff02\ufe50\ufe64\ufe65\uff3c\uff08\uff1a")
def test_ghsa_7rqj_j65f_68wh_look_alikes_of_structure_are_refused(auth: AuthService, character: str) -> None:
    """What becomes an @, a comma or a quote only when it is normalised is refused before it does."""
    for address in (
        f"eve{character}evil.example",
        f"eve@evil.example{character}ada@example.com",
        f"a{character}@b.example",
    ):
        with pytest.raises(InvalidEmailError):
            auth.request_magic_link(address)


@pytest.mark.parametrize(
    "address", ["<b>ada</b>@example.com", "ada@<script>.example", "ada@exam\u202eple.com", "a\x07@b.example"]
)
def test_cve_2022_31127_markup_is_no_address(auth: AuthService, address: str) -> None:
    """Markup and invisible characters never get into an address that a host writes into its mail."""
    with pytest.raises(InvalidEmailError) as caught:
        auth.request_magic_link(address)
    assert address not in str(caught.value)


def test_cve_2019_19844_a_look_alike_gets_no_mail(auth: AuthService) -> None:
    """Who asks with a Kelvin sign causes mail to the owner's stored address; with a dotless i there is none."""
    owner = sign_in(auth, "mike@example.com").user
    assert owner.email == auth.request_magic_link("mi\u212ae@example.com").email
    for address in ("m\u0131ke@example.com", "m\u0130ke@example.com"):
        with pytest.raises(InvalidEmailError):
            auth.request_magic_link(address)


# Sessions and accounts


@pytest.mark.parametrize("allow_sign_up", [True, False])
def test_ghsa_2vg6_77g8_24mp_a_deleted_user_is_gone(
    make_auth: "MakeAuth",
    config: AuthConfig,
    query: "Query",
    allow_sign_up: bool,  # noqa: FBT001
) -> None:
    """With a user's row go the sessions; a pending link leads to a new account, or to none where sign-up is closed."""
    auth = make_auth(attrs.evolve(config, allow_sign_up=allow_sign_up))
    signed_in = sign_in(make_auth(config))
    link = auth.request_magic_link(ADA)
    query("DELETE FROM pgauthkit.users")
    with pytest.raises(InvalidTokenError):
        auth.authenticate(access(signed_in))
    with pytest.raises(InvalidTokenError):
        auth.refresh(refresh(signed_in))
    if allow_sign_up:
        assert signed_in.user.user_id != auth.verify_magic_link(link.token.reveal()).user.user_id
    else:
        with pytest.raises(SignUpClosedError):
            auth.verify_magic_link(link.token.reveal())


def test_ghsa_hvp3_26wx_g2w4_all_sessions_means_all(auth: AuthService) -> None:
    """Ending all sessions ends all, whatever a caller hands in to be kept that is not one of the user's."""
    mine, yours = [sign_in(auth) for _ in range(3)], sign_in(auth, EVE)
    for keep in (yours.user.session_id, "", "unknown", "\0"):
        mine.append(sign_in(auth))
        auth.revoke_sessions(mine[0].user.user_id, keep=keep)
        for signed_in in mine:
            with pytest.raises(SessionRevokedError):
                auth.refresh(refresh(signed_in))
    assert auth.authenticate(access(yours)).email == EVE


def test_ghsa_mr34_8733_grr2_tokens_do_not_outlive_a_change_of_address(auth: AuthService) -> None:
    """After a change of address no access or refresh token is good but those of the session that was kept."""
    gone, kept = sign_in(auth), sign_in(auth)
    newer = auth.refresh(refresh(gone))
    auth.change_email(kept.user.user_id, BOB, keep_session=kept.user.session_id)
    for token in (access(gone), newer.access_token.reveal()):
        with pytest.raises(SessionRevokedError):
            auth.authenticate(token)
    for token in (refresh(gone), newer.refresh_token.reveal()):
        with pytest.raises(SessionRevokedError):
            auth.refresh(token)
    assert auth.authenticate(access(kept)).email == BOB


def test_ghsa_f66q_9rf6_8795_nobody_proves_who_another_is(auth: AuthService, pgauthkit_clock: Clock) -> None:
    """A sign-in of somebody else, or a refresh, does not make a session fresh: only its owner's next sign-in does."""
    mine = sign_in(auth)
    pgauthkit_clock.move(timedelta(minutes=10))
    sign_in(auth, EVE)
    newer = auth.refresh(refresh(mine))
    identity = auth.authenticate(newer.access_token.reveal())
    assert mine.user.authenticated_at == identity.authenticated_at
    assert not identity.is_fresh(timedelta(minutes=9))
    assert sign_in(auth).user.is_fresh(timedelta())


@pytest.mark.parametrize(
    ("name", "error"), [("postgres", PendingMigrationsError), ("nowhere", DatabaseUnavailableError)]
)
def test_ghsa_8fpg_xm3f_6cx3_an_error_lets_nobody_in(
    make_auth: "MakeAuth", config: AuthConfig, pgauthkit_url: str, name: str, error: type[Exception]
) -> None:
    """Where the database cannot answer every method raises; none returns anything that could be taken for a yes."""
    auth = make_auth(config, url=make_url(pgauthkit_url).set(database=name))
    link, token = SecretToken.new(0).text(Kind.MAGIC_LINK).reveal(), SessionToken.new(0)
    calls: list[Callable[[], object]] = [
        lambda: auth.request_magic_link(ADA),
        lambda: auth.peek_magic_link(link),
        lambda: auth.verify_magic_link(link),
        lambda: auth.verify_code("an id", "a code"),
        lambda: auth.authenticate(token.text(Kind.ACCESS).reveal()),
        lambda: auth.refresh(token.text(Kind.REFRESH).reveal()),
        lambda: auth.sign_out(token.text(Kind.ACCESS).reveal()),
        lambda: auth.open_session("an id"),
        lambda: auth.list_sessions("an id"),
        lambda: auth.revoke_session("an id", "an id"),
        lambda: auth.revoke_sessions("an id"),
        lambda: auth.deactivate_user("an id"),
        lambda: auth.activate_user("an id"),
        lambda: auth.change_email("an id", ADA),
        auth.purge,
    ]
    for call in calls:
        with pytest.raises(error):
            call()
