"""Rubbish: whatever text comes in, nothing goes out but a value or an error of the contract."""

import secrets
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

import attrs
import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from pgauthkit import AsyncAuthService, AuthConfig, AuthService, Secret
from pgauthkit.errors import (
    ApprovalPendingError,
    BindingMismatchError,
    ConfigError,
    DatabaseUnavailableError,
    InvalidCodeError,
    InvalidEmailError,
    InvalidRedirectError,
    InvalidTokenError,
    NotFoundError,
    PgAuthKitError,
    RefreshTokenReusedError,
    SessionRevokedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UniqueViolationError,
)
from pgauthkit.tokens import Kind, SecretToken, SessionToken, pasted
from pgauthkit.values import UserRole

if TYPE_CHECKING:
    from tests.security.conftest import MakeAuth

# 200 of each by default, 10,000 by --hypothesis-profile=fuzz.
often = settings(
    max_examples=max(200, settings().max_examples),
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
# Lone surrogates too: what a request carries need not be encodable.
any_text = st.text(st.characters(exclude_categories=())) | st.sampled_from(["\0", "é" * 60, "x" * 1_000_000])
any_object = (
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary() | st.lists(st.text()) | st.builds(object)
)


@st.composite
def spoilt(draw: st.DrawFn, good: str) -> str:
    """Return a good value with a piece of it replaced."""
    start, end = sorted(draw(st.tuples(*[st.integers(0, len(good))] * 2)))
    return good[:start] + draw(any_text) + good[end:]


def near(good: str) -> st.SearchStrategy[Any]:
    """Return texts of any kind, often close to a good one, now and then the good one itself, or what is no text."""
    return any_text | spoilt(good) | st.just(good) | any_object


@attrs.frozen
class Known:
    """What somebody was given who signed in, and asked for another link."""

    user_id: str
    session_id: str
    link_id: str
    link: str
    code: str
    binding: str
    access: str
    refresh: str
    handoff: str
    match: str
    change: str
    device: str
    device_id: str


@pytest.fixture
def known(auth: AuthService) -> Known:
    signed_in = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
    auth.verify_magic_link(auth.request_magic_link("eve@example.com").token.reveal())
    link = auth.request_magic_link("ada@example.com", bind=True, handoff=True)
    change = auth.request_email_change(signed_in.user.user_id, "moved@example.com")
    assert link.handoff
    assert link.match
    assert link.code
    assert link.binding
    return Known(
        signed_in.user.user_id,
        signed_in.user.session_id,
        link.id,
        link.token.reveal(),
        link.code.reveal(),
        link.binding.reveal(),
        signed_in.tokens.access_token.reveal(),
        signed_in.tokens.refresh_token.reveal(),
        link.handoff.reveal(),
        link.match,
        change.token.reveal(),
        signed_in.device.reveal(),
        auth.list_devices(signed_in.user.user_id)[0].id,
    )


@attrs.frozen
class Method:
    """How one method is tried: its arguments, and what it may raise for whatever text stands in them."""

    arguments: Callable[[Known], Mapping[str, st.SearchStrategy[Any]]]
    raises: frozenset[type[PgAuthKitError]] = frozenset()


CONTEXT: Final[Mapping[str, st.SearchStrategy[Any]]] = {
    "ip": any_text | any_object,
    "user_agent": any_text | any_object,
}
TOKEN: Final = {InvalidTokenError, TokenExpiredError}
LINK: Final = frozenset({*TOKEN, TokenAlreadyUsedError, BindingMismatchError})
SESSION: Final = frozenset({*TOKEN, SessionRevokedError})
NOBODY: Final = frozenset({NotFoundError})

METHODS: Final[Mapping[str, Method]] = {
    "request_magic_link": Method(
        lambda known: {
            "email": near("ada@example.com"),
            "redirect_to": st.none() | near("/inbox?page=2#top"),
            "bind": st.booleans(),
            "handoff": st.booleans() | near(known.handoff),
            "device": st.none() | near(known.device),
            **CONTEXT,
        },
        frozenset({InvalidEmailError, InvalidRedirectError}),
    ),
    "approve_magic_link": Method(
        lambda known: {"token": near(known.link), "match": near(known.match), **CONTEXT},
        LINK | {InvalidCodeError, TooManyAttemptsError},
    ),
    "claim_sign_in": Method(
        lambda known: {"handoff": near(known.handoff), "device": near(known.device), **CONTEXT},
        LINK | {ApprovalPendingError},
    ),
    "invite": Method(
        lambda _: {
            "email": near("grace@example.com"),
            "role": near(UserRole.ADMIN),
            "redirect_to": st.none() | near("/team"),
            "ttl": st.timedeltas() | any_object,
        },
        frozenset({InvalidEmailError, InvalidRedirectError, ConfigError}),
    ),
    "list_invitations": Method(lambda _: {}),
    "withdraw_invitation": Method(lambda known: {"link_id": near(known.link_id)}),
    "request_email_change": Method(
        lambda known: {"user_id": near(known.user_id), "email": near("new@example.com"), **CONTEXT},
        frozenset({InvalidEmailError, NotFoundError}),
    ),
    "confirm_email_change": Method(
        lambda known: {
            "token": near(known.change),
            "user_id": st.none() | near(known.user_id),
            "keep_session": st.none() | near(known.session_id),
        },
        frozenset({*TOKEN, TokenAlreadyUsedError}),
    ),
    "peek_magic_link": Method(lambda known: {"token": near(known.link)}, LINK),
    "verify_magic_link": Method(
        lambda known: {
            "token": near(known.link),
            "binding": st.none() | near(known.binding),
            "device": near(known.device),
            **CONTEXT,
        },
        LINK,
    ),
    "verify_code": Method(
        lambda known: {
            "link_id": near(known.link_id),
            "code": near(known.code),
            "binding": st.none() | near(known.binding),
            "device": near(known.device),
            **CONTEXT,
        },
        LINK | {InvalidCodeError, TooManyAttemptsError},
    ),
    "authenticate": Method(lambda known: {"access_token": near(known.access)}, SESSION),
    "refresh": Method(
        lambda known: {"refresh_token": near(known.refresh), **CONTEXT}, SESSION | {RefreshTokenReusedError}
    ),
    "sign_out": Method(lambda known: {"": near(known.access) | near(known.refresh)}, frozenset({InvalidTokenError})),
    "open_session": Method(
        lambda known: {"user_id": near(known.user_id), "device": near(known.device), **CONTEXT}, NOBODY
    ),
    "list_devices": Method(lambda known: {"user_id": near(known.user_id)}),
    "forget_device": Method(lambda known: {"user_id": near(known.user_id), "device_id": near(known.device_id)}),
    "list_sessions": Method(lambda known: {"user_id": near(known.user_id)}),
    "revoke_session": Method(lambda known: {"user_id": near(known.user_id), "session_id": near(known.session_id)}),
    "revoke_sessions": Method(
        lambda known: {"user_id": near(known.user_id), "keep": st.none() | near(known.session_id)}
    ),
    "find_user": Method(lambda _: {"email": near("ada@example.com")}, frozenset({InvalidEmailError})),
    "deactivate_user": Method(lambda known: {"user_id": near(known.user_id)}, NOBODY),
    "activate_user": Method(lambda known: {"user_id": near(known.user_id)}, NOBODY),
    "change_email": Method(
        lambda known: {
            "user_id": near(known.user_id),
            "email": near("ada@example.com") | st.just("eve@example.com"),
            "keep_session": st.none() | near(known.session_id),
        },
        NOBODY | {InvalidEmailError, UniqueViolationError},
    ),
    "revoke_all_sessions": Method(lambda _: {"batch_size": st.integers() | any_object}, frozenset({ConfigError})),
    "purge": Method(
        lambda _: {"keep": st.timedeltas() | any_object, "batch_size": st.integers() | any_object},
        frozenset({ConfigError}),
    ),
}


def test_every_method_is_tried() -> None:
    """No public method, of either twin, is forgotten here; `within` takes no text."""
    for service in (AuthService, AsyncAuthService):
        assert {*METHODS, "within"} == {name for name in dir(service) if not name.startswith("_")}


@pytest.mark.parametrize("name", METHODS)
def test_only_the_contract_is_raised(auth: AuthService, known: Known, name: str) -> None:
    """Text, bytes, numbers or what is nearly right in every argument: a value, or an error that the method names."""

    @often
    @given(arguments=st.fixed_dictionaries(METHODS[name].arguments(known)))
    def attempt(arguments: dict[str, Any]) -> None:
        with suppress(*METHODS[name].raises):
            method = getattr(auth, name)
            method(*arguments.values()) if "" in arguments else method(**arguments)

    attempt()


WELL_FORMED: Final[Mapping[str, Callable[[int, bytes], Secret]]] = {
    "peek_magic_link": lambda pepper, secret: SecretToken(pepper, secret).text(Kind.MAGIC_LINK),
    "verify_magic_link": lambda pepper, secret: SecretToken(pepper, secret).text(Kind.MAGIC_LINK),
    "authenticate": lambda pepper, secret: SessionToken(pepper, secret[:16], secret).text(Kind.ACCESS),
    "refresh": lambda pepper, secret: SessionToken(pepper, secret[:16], secret).text(Kind.REFRESH),
    "sign_out": lambda pepper, secret: SessionToken(pepper, secret[:16], secret).text(Kind.ACCESS),
}


@pytest.mark.parametrize("name", WELL_FORMED)
def test_rubbish_is_an_invalid_token_before_any_sql(make_auth: "MakeAuth", config: AuthConfig, name: str) -> None:
    """Text, bytes, numbers or objects that are no token are refused as one, although no database is there to ask."""
    method = getattr(make_auth(config, url="postgresql://nobody@127.0.0.1:1/nowhere"), name)
    good = WELL_FORMED[name](0, secrets.token_bytes(32)).reveal()
    wrong = spoilt(good).filter(lambda text: pasted(text) != good)  # a link's token is taken with what is around it
    rubbish = any_object | any_text | any_text.map("pgak_{}".format) | wrong

    @often
    @given(rubbish)
    def attempt(token: object) -> None:
        with pytest.raises(InvalidTokenError) as caught:
            method(token)
        assert caught.value.args == ("The token is malformed, of another kind, or unknown.",)

    attempt()
    with pytest.raises(DatabaseUnavailableError):
        method(good)


@pytest.mark.parametrize("name", ["peek_magic_link", "verify_magic_link", "authenticate", "refresh"])
def test_a_token_that_nobody_was_given_is_invalid(auth: AuthService, name: str) -> None:
    """Well-formed tokens, under whichever pepper they say, are unknown."""

    @often
    @given(st.integers(0, 255), st.binary(min_size=32, max_size=32))
    def attempt(pepper: int, secret: bytes) -> None:
        with pytest.raises(InvalidTokenError):
            getattr(auth, name)(WELL_FORMED[name](pepper, secret).reveal())

    attempt()


def test_a_binding_that_is_rubbish_is_another_browser(auth: AuthService, known: Known) -> None:
    """Whatever object is given for the binding, a bound link stays as it was, for the browser that asked for it."""

    @often
    @given(any_object | any_text | spoilt(known.binding).filter(lambda text: text != known.binding))
    def attempt(binding: Any) -> None:  # noqa: ANN401 - that is the point
        with pytest.raises(BindingMismatchError):
            auth.verify_magic_link(known.link, binding=binding)
        with pytest.raises(BindingMismatchError):
            auth.verify_code(known.link_id, known.code, binding=binding)

    attempt()
    assert known.user_id == auth.verify_code(known.link_id, known.code, binding=known.binding).user.user_id
