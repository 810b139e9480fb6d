"""No secret in print: not in values, errors, logs or events, nor in what the server writes down of a statement."""

import base64
import json
import logging
import traceback
from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import attrs
import pytest
from sqlalchemy import orm

from pgauthkit import AuthConfig, AuthService, Secret
from pgauthkit.config import Pepper, RateLimit, RateLimits
from pgauthkit.database import create_engine
from pgauthkit.errors import DatabaseUnavailableError, PgAuthKitError
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import AuthEvent

if TYPE_CHECKING:
    from tests.security.conftest import MakeAuth, Query

T = TypeVar("T")

ADA, EVE = "ada@example.com", "eve@example.com"
PEPPER: Final = Pepper(id=1, secret=Secret("a pepper that nobody should ever read"))
READERS: Final[dict[str, Callable[[str], bytes]]] = {
    "ml": lambda text: SecretToken.parse(Kind.MAGIC_LINK, text).secret,
    "bd": lambda text: SecretToken.parse(Kind.BINDING, text).secret,
    "at": lambda text: SessionToken.parse(Kind.ACCESS, text).secret,
    "rt": lambda text: SessionToken.parse(Kind.REFRESH, text).secret,
}


def leaves(value: object) -> Iterator[object]:
    """Walk over what a value holds."""
    if attrs.has(type(value)):
        for part in attrs.astuple(cast("attrs.AttrsInstance", value), recurse=False):
            yield from leaves(part)
    else:
        yield value


def spellings(secret: Secret) -> set[str]:
    """Return how a secret might be written: whole, without its ends, and the bytes of a token in three ways."""
    text = secret.reveal()
    bare = READERS.get(text[5:7], str.encode)(text)
    return {text, text[8:-6] or text, bare.hex(), base64.b64encode(bare).decode(), repr(bare)[2:-1]}


def printed(value: object) -> list[str]:
    """Return a value, or an error with what led to it, in all the ways in which it is likely to be printed."""
    shown = [repr(value), str(value), f"{value!r:>99}", repr([value]), repr(getattr(value, "__dict__", None))]
    shown.append(json.dumps([str(leaf) for leaf in leaves(value)]))
    shown.append(repr(attrs.asdict(cast("attrs.AttrsInstance", value))) if attrs.has(type(value)) else "")
    chain = value if isinstance(value, BaseException) else None
    while chain:
        shown += [repr(chain), repr(chain.args), repr(vars(chain)), *traceback.format_exception(chain)]
        chain = chain.__cause__ or chain.__context__
    return shown


@pytest.fixture
def seen() -> list[Any]:
    """Everything that was returned, raised, or told to an observer."""
    return []


@pytest.fixture
def secret_config(config: AuthConfig, seen: list[Any]) -> AuthConfig:
    limits = RateLimits(per_email=RateLimit(3, per=timedelta(hours=1)))
    return attrs.evolve(config, peppers=(PEPPER,), rate_limits=limits, observers=[seen.append])


def go_through_everything(auth: AuthService, seen: list[Any], refused: Callable[[Callable[[], object]], None]) -> None:
    def keep(value: T) -> T:
        seen.append(value)
        return value

    link, other = (keep(auth.request_magic_link(email, bind=email == ADA, ip="192.0.2.1")) for email in (ADA, EVE))
    assert link.code
    assert link.binding
    token, code, binding = link.token.reveal(), link.code.reveal(), link.binding.reveal()
    keep(auth.peek_magic_link(token))
    refused(lambda: auth.verify_magic_link(token))
    refused(lambda: auth.verify_code(link.id, code))
    refused(lambda: auth.verify_code(link.id, code[::-1].lower(), binding=binding))
    mine, yours = (
        keep(auth.verify_code(link.id, code, binding=binding)),
        keep(auth.verify_magic_link(other.token.reveal())),
    )
    refused(lambda: auth.verify_magic_link(token, binding=binding))
    refresh_token = mine.tokens.refresh_token.reveal()
    newer = [keep(auth.refresh(refresh_token)) for _ in range(2)][1]
    newest = keep(auth.refresh(newer.refresh_token.reveal()))
    access_token = newest.access_token.reveal()
    keep(auth.authenticate(access_token))
    keep(auth.list_sessions(mine.user.user_id)[0])
    refused(lambda: auth.change_email(mine.user.user_id, EVE))
    refused(lambda: auth.refresh(refresh_token))
    auth.revoke_sessions(mine.user.user_id)
    refused(lambda: auth.authenticate(access_token))
    for text in (token[:-1], access_token, "pgak_rt_" + access_token[8:], newer.refresh_token.reveal() + "0"):
        refused(partial(auth.refresh, text))
    auth.sign_out(yours.tokens.access_token.reveal())
    auth.deactivate_user(yours.user.user_id)
    again = keep(auth.request_magic_link(EVE))
    refused(lambda: auth.verify_magic_link(again.token.reveal()))
    refused(lambda: auth.open_session(yours.user.user_id))
    keep(auth.request_magic_link(EVE))
    refused(lambda: auth.request_magic_link(EVE))


def assert_nothing_is_told(seen: list[Any], written: list[str]) -> None:
    """No spelling of any secret among what was seen stands in how it prints, or in what was written."""
    secrets = [PEPPER.secret, *(leaf for value in seen for leaf in leaves(value) if isinstance(leaf, Secret))]
    assert len(secrets) > 15
    everything = "\n".join([*written, *(text for value in seen for text in printed(value))])
    assert [secret for secret in secrets for spelling in spellings(secret) if spelling in everything] == []


def lines_of(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [caplog.text, *(repr(vars(record)) for record in caplog.records)]


def test_no_secret_in_print(
    *,
    make_auth: "MakeAuth",
    secret_config: AuthConfig,
    seen: list[Any],
    listening: dict[str, Any],
    server_log: list[str],
    caplog: pytest.LogCaptureFixture,
    query: "Query",
) -> None:
    """Values, errors with their causes, events, logs at DEBUG with echo, and the server's log show hashes at most."""
    caplog.set_level(logging.DEBUG)
    auth = make_auth(secret_config, echo="debug", hide_parameters=False, **listening)

    def refused(call: Callable[[], object]) -> None:
        with pytest.raises(PgAuthKitError) as caught:
            call()
        seen.append(caught.value)

    go_through_everything(auth, seen, refused)
    hashes = query("SELECT encode(token_hash, 'hex') FROM pgauthkit.magic_links")
    assert all(hashed in "\n".join(server_log) for (hashed,) in hashes)
    assert {"signed_in", "refresh_replayed", "code_rejected"} <= {
        event.kind for event in seen if isinstance(event, AuthEvent)
    }
    assert_nothing_is_told(seen, [*lines_of(caplog), *server_log])


def test_no_secret_in_print_within_a_transaction(
    *,
    secret_config: AuthConfig,
    pgauthkit_url: str,
    seen: list[Any],
    listening: dict[str, Any],
    server_log: list[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The same inside a host's transaction, where SQLAlchemy logs each statement, its parameters and its rows."""
    caplog.set_level(logging.DEBUG)
    engine = create_engine(pgauthkit_url, echo="debug", hide_parameters=False, **listening)
    with orm.Session(engine) as db, db.begin():

        def refused(call: Callable[[], object]) -> None:
            with pytest.raises(PgAuthKitError) as caught, db.begin_nested():
                call()
            seen.append(caught.value)

        go_through_everything(AuthService(engine, secret_config).within(db), seen, refused)
    engine.dispose()
    assert "INSERT INTO pgauthkit.sessions" in caplog.text
    assert_nothing_is_told(seen, [*lines_of(caplog), *server_log])


def test_no_password_in_print(make_auth: "MakeAuth", config: AuthConfig, caplog: pytest.LogCaptureFixture) -> None:
    """An error about a database that cannot be reached names it without the password, and so does every log."""
    caplog.set_level(logging.DEBUG)
    auth = make_auth(config, url="postgresql://host:do-not-show-me@127.0.0.1:1/app?sslpassword=nor-me")
    with pytest.raises(DatabaseUnavailableError) as caught:
        auth.authenticate(SessionToken.new(0).text(Kind.ACCESS).reveal())
    everything = "\n".join([*printed(caught.value), *lines_of(caplog)])
    assert "127.0.0.1" in everything
    assert [text for text in ("do-not-show-me", "nor-me") if text not in everything] == ["do-not-show-me", "nor-me"]
