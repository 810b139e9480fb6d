"""Rows of sessions in two forms: with the whole hashes of before, and with as much of them as is kept now."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Engine, orm

from pgauthkit import AuthService
from pgauthkit.errors import InvalidTokenError, RefreshTokenReusedError, SessionRevokedError
from pgauthkit.models import Session
from pgauthkit.repositories import SessionRepository
from pgauthkit.testing import Clock
from pgauthkit.values import SignIn, TokenPair

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36"
)
LENGTHS = (
    "SELECT octet_length(selector_hash), octet_length(access_token_hash), octet_length(refresh_token_hash),"
    " octet_length(previous_refresh_token_hash), user_agent FROM pgauthkit.sessions"
)
FLIP = (
    "UPDATE pgauthkit.sessions SET access_token_hash ="
    " set_byte(access_token_hash, %s, get_byte(access_token_hash, %s) # 1)"
)


@pytest.fixture
def long(configured: "Configured") -> AuthService:
    """A host whose rows the release before can read."""
    return configured(long_hashes=True)


@pytest.fixture
def short(configured: "Configured") -> AuthService:
    """A host as it is by default."""
    return configured()


@pytest.fixture(params=["from long to short", "from short to long"])
def writer(request: pytest.FixtureRequest, long: AuthService, short: AuthService) -> AuthService:
    """The host that opens a session."""
    return long if request.param == "from long to short" else short


@pytest.fixture
def reader(writer: AuthService, long: AuthService, short: AuthService) -> AuthService:
    """The host where it comes back."""
    return short if writer is long else long


def access(of: SignIn | TokenPair) -> str:
    return (of.tokens if isinstance(of, SignIn) else of).access_token.reveal()


def refresh(of: SignIn | TokenPair) -> str:
    return (of.tokens if isinstance(of, SignIn) else of).refresh_token.reveal()


def test_what_a_row_keeps(long: AuthService, short: AuthService, database: "Database", sign_in: "SigningIn") -> None:
    """By default 15 bytes to find it by and 16 of each secret's hash; all 32 for the release before."""
    user_id = sign_in(by=short).user.user_id
    database.tell("DELETE FROM pgauthkit.sessions")
    first = short.open_session(user_id, user_agent=CHROME)
    assert database.ask(LENGTHS) == [(15, 16, 16, None, "~{142}")]
    short.refresh(refresh(first))
    assert database.ask(LENGTHS) == [(15, 16, 16, 16, "~{142}")]
    database.tell("DELETE FROM pgauthkit.sessions")
    second = long.open_session(user_id, user_agent=CHROME)
    assert database.ask(LENGTHS) == [(32, 32, 32, None, CHROME)]
    short.refresh(refresh(second), user_agent=CHROME)
    assert database.ask(LENGTHS) == [(32, 16, 16, 32, "~{142}")]


@pytest.mark.pg18
def test_the_life_of_a_session(
    writer: AuthService, reader: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock
) -> None:
    """It is authenticated, touched, refreshed and signed out of by hosts of both kinds, as by one of them."""
    first = sign_in(by=writer)
    assert reader.authenticate(access(first)) == first.user
    pgauthkit_clock.move(timedelta(seconds=61))
    reader.authenticate(access(first))
    assert reader.list_sessions(first.user.user_id)[0].last_used_at == pgauthkit_clock()
    second = reader.refresh(refresh(first))
    assert writer.refresh(refresh(first)) == second
    assert writer.authenticate(access(second)) == reader.authenticate(access(second))
    assert reader.authenticate(access(first)).session_id == first.user.session_id
    third = writer.refresh(refresh(second))
    assert reader.refresh(refresh(second)) == third
    writer.sign_out(refresh(third))
    for auth in (reader, writer):
        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(third))


def test_replay(writer: AuthService, reader: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
    """An ancestor that comes back is theft, whichever host wrote the row."""
    first = sign_in(by=writer)
    second = reader.refresh(refresh(first))
    writer.authenticate(access(second))
    pgauthkit_clock.move(timedelta(seconds=31))
    with pytest.raises(RefreshTokenReusedError):
        writer.refresh(refresh(first))
    with pytest.raises(SessionRevokedError):
        reader.authenticate(access(second))


def test_pressed_twice(writer: AuthService, reader: AuthService) -> None:
    """A button that is pressed at one host, and again at another, gives one session."""
    link = writer.request_magic_link("ada@example.com", bind=True)
    assert link.binding
    first, second = (
        auth.verify_magic_link(link.token.reveal(), binding=link.binding.reveal()) for auth in (writer, reader)
    )
    assert first.tokens == second.tokens


def test_the_beginning_of_a_hash_alone(
    writer: AuthService, reader: AuthService, database: "Database", sign_in: "SigningIn"
) -> None:
    """A row whose hash differs in one of its first 16 bytes knows the token no more."""
    first = sign_in(by=writer)
    for place in (0, 15):
        database.tell(FLIP, place, place)
        for auth in (writer, reader):
            with pytest.raises(InvalidTokenError):
                auth.authenticate(access(first))
        database.tell(FLIP, place, place)
        assert reader.authenticate(access(first)) == first.user


def test_browsers(writer: AuthService, reader: AuthService, sign_in: "SigningIn", pgauthkit_engine: Engine) -> None:
    """The browser comes back whole, from the service and from the model, and is found by its whole text."""
    user_id = sign_in(by=writer).user.user_id
    writer.revoke_sessions(user_id)
    writer.open_session(user_id, user_agent=CHROME)
    reader.open_session(user_id, user_agent="curl/8")
    assert {one.user_agent for one in reader.list_sessions(user_id)} == {CHROME, "curl/8"}
    with orm.Session(pgauthkit_engine) as db:
        live: list[Any] = list(db.query(Session).where(Session.revoked_at.is_(None)))
        assert {one.user_agent for one in live} == {CHROME, "curl/8"}
        assert SessionRepository(db).count(Session.user_agent == "curl/8") == 1
