"""Keys turn over: a new pepper comes in, and an old one goes, while people are signed in."""

import secrets
from typing import TYPE_CHECKING, Final

import attrs
import pytest

from pgauthkit import AuthConfig, AuthService, Secret
from pgauthkit.config import Pepper
from pgauthkit.errors import InvalidCodeError, InvalidTokenError, RefreshTokenReusedError, SessionRevokedError
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import IssuedMagicLink, SignIn, TokenPair

if TYPE_CHECKING:
    from tests.security.conftest import MakeAuth, Query

ADA: Final = "ada@example.com"
OLD, NEW = (Pepper(id=number, secret=Secret(secrets.token_hex())) for number in (7, 8))
# What two hosts have while a deployment goes from one to the other, step by step.
ROLL_OUT: Final = [
    ((OLD,), (OLD,)),
    ((OLD, NEW), (OLD,)),
    ((OLD, NEW), (OLD, NEW)),
    ((NEW, OLD), (OLD, NEW)),
    ((NEW, OLD), (NEW, OLD)),
]


def sign_in(auth: AuthService) -> SignIn:
    return auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal())


def refresh(auth: AuthService, tokens: TokenPair) -> TokenPair:
    return auth.refresh(tokens.refresh_token.reveal())


def authenticate(auth: AuthService, tokens: TokenPair) -> str:
    return auth.authenticate(tokens.access_token.reveal()).session_id


def code_of(link: IssuedMagicLink) -> str:
    assert link.code
    return link.code.reveal()


def pepper_of(tokens: TokenPair) -> int:
    return SessionToken.parse(Kind.REFRESH, tokens.refresh_token.reveal()).pepper_id


def test_a_roll_out_signs_nobody_out(make_auth: "MakeAuth", config: AuthConfig) -> None:
    """While hosts take a new pepper, one after the other, every pair, link, code and binding is good at both."""
    first: TokenPair | None = None
    for peppers in ROLL_OUT:
        hosts = [make_auth(attrs.evolve(config, peppers=each)) for each in peppers]
        first = first or sign_in(hosts[0]).tokens
        for here, there in (hosts, hosts[::-1]):
            assert first.session_id == authenticate(there, first)
            tokens = sign_in(here).tokens
            assert tokens.session_id == authenticate(there, tokens)
            newer = refresh(there, tokens)
            assert newer == refresh(here, tokens)
            assert [newer.session_id] * 2 == [authenticate(host, newer) for host in hosts]
            by_link, by_code = (here.request_magic_link(f"{who}@example.com", bind=True) for who in ("ada", "bob"))
            assert by_link.binding
            assert by_code.binding
            there.peek_magic_link(by_link.token.reveal())
            there.verify_magic_link(by_link.token.reveal(), binding=by_link.binding.reveal())
            there.verify_code(by_code.id, code_of(by_code), binding=by_code.binding.reveal())


@pytest.mark.parametrize("step", ROLL_OUT)
def test_replay_is_seen_at_every_step(
    make_auth: "MakeAuth", config: AuthConfig, step: tuple[tuple[Pepper, ...], tuple[Pepper, ...]]
) -> None:
    """An ancestor ends its session at the other host as well, whichever pepper it was made with."""
    one, other = (make_auth(attrs.evolve(config, peppers=each)) for each in step)
    stolen = sign_in(one).tokens
    newest = refresh(one, refresh(other, stolen))
    with pytest.raises(RefreshTokenReusedError):
        refresh(other, stolen)
    with pytest.raises(SessionRevokedError):
        authenticate(one, newest)


def test_a_refresh_moves_a_session_to_the_first_pepper(make_auth: "MakeAuth", config: AuthConfig) -> None:
    """An old pepper verifies; after one refresh the session is under the first, and lives on without the old one."""
    before, during, after = (
        make_auth(attrs.evolve(config, peppers=peppers)) for peppers in ((OLD,), (NEW, OLD), (NEW,))
    )
    tokens = sign_in(before).tokens
    assert (OLD.id, tokens.session_id) == (pepper_of(tokens), authenticate(during, tokens))
    newer = refresh(during, tokens)
    assert (NEW.id, newer.session_id) == (pepper_of(newer), authenticate(after, newer))
    assert NEW.id == pepper_of(refresh(after, newer))


def test_a_pepper_that_is_gone_refuses_and_ends_nothing(
    make_auth: "MakeAuth", config: AuthConfig, query: "Query"
) -> None:
    """What was made with a pepper that has been dropped, or is not known yet, is unknown, and otherwise untouched."""
    before, after = (make_auth(attrs.evolve(config, peppers=peppers)) for peppers in ((OLD,), (NEW,)))
    tokens = sign_in(before).tokens
    newer = refresh(before, tokens)
    link = before.request_magic_link(ADA)
    rows = query("SELECT s::text FROM pgauthkit.sessions s")
    for pair in (tokens, newer):
        with pytest.raises(InvalidTokenError):
            refresh(after, pair)
        with pytest.raises(InvalidTokenError):
            authenticate(after, pair)
        with pytest.raises(InvalidTokenError):
            after.sign_out(pair.access_token.reveal())
    for use in (after.peek_magic_link, after.verify_magic_link):
        with pytest.raises(InvalidTokenError):
            use(link.token.reveal())
    with pytest.raises(InvalidCodeError):
        after.verify_code(link.id, code_of(link))
    assert rows == query("SELECT s::text FROM pgauthkit.sessions s")
    assert newer.session_id == refresh(before, newer).session_id
    assert before.verify_magic_link(link.token.reveal()).user.email == ADA


@pytest.mark.parametrize("pepper_id", [0, 9, 255])
def test_a_pepper_that_nobody_has_ends_nothing(
    make_auth: "MakeAuth", config: AuthConfig, query: "Query", pepper_id: int
) -> None:
    """Whoever knows the selectors of a session and writes another pepper's number into a token is nobody."""
    auth = make_auth(attrs.evolve(config, peppers=[OLD, NEW]))
    tokens = sign_in(auth).tokens
    rows = query("SELECT s::text FROM pgauthkit.sessions s")
    kinds = {Kind.REFRESH: (auth.refresh,), Kind.ACCESS: (auth.authenticate, auth.sign_out)}
    for kind, uses in kinds.items():
        real = SessionToken.parse(kind, (tokens.refresh_token if kind == "rt" else tokens.access_token).reveal())
        for use in uses:
            with pytest.raises(InvalidTokenError):
                use(attrs.evolve(real, pepper_id=pepper_id).text(kind).reveal())
    assert rows == query("SELECT s::text FROM pgauthkit.sessions s")


def test_peppers_come_to_a_host_that_had_none(make_auth: "MakeAuth", config: AuthConfig) -> None:
    """Tokens made without a pepper are good for the days of `accept_unpeppered`, and worth nothing afterwards."""
    without = make_auth(config)
    during = make_auth(attrs.evolve(config, peppers=[NEW], accept_unpeppered=True))
    after = make_auth(attrs.evolve(config, peppers=[NEW]))
    moved, left = sign_in(without).tokens, sign_in(without).tokens
    assert left.session_id == authenticate(during, left)
    newer = refresh(during, moved)
    assert (NEW.id, newer.session_id) == (pepper_of(newer), authenticate(after, newer))
    with pytest.raises(InvalidTokenError):
        refresh(after, left)
    with pytest.raises(InvalidTokenError):
        authenticate(after, left)
    assert left.session_id == refresh(during, left).session_id
