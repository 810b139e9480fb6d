"""Rubbish of every kind ends in the right error, and mostly without a word to the database."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import psycopg
import pytest
from psycopg import sql

from pgauthkit import AuthConfig, AuthService
from pgauthkit.errors import (
    DatabaseUnavailableError,
    InvalidEmailError,
    InvalidRedirectError,
    InvalidTokenError,
    NotFoundError,
    PendingMigrationsError,
    PgAuthKitError,
)
from pgauthkit.ops.migrate import deploy
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import AuthEvent

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, Host, SigningIn

    from pgauthkit.testing import TestServer

ADA, HERE = "ada@example.com", "203.0.113.7"
NOWHERE = "postgresql://nobody@/nothing?host=/nowhere"
Call = Callable[[AuthService, Any], object]

TOKENS: dict[Kind, SecretToken | SessionToken] = {
    **dict.fromkeys(Kind, SecretToken(0, bytes(range(32)))),
    Kind.ACCESS: SessionToken(0, bytes(range(16)), bytes(range(32))),
    Kind.REFRESH: SessionToken(0, bytes(range(16)), bytes(range(32))),
}
VALID = {kind: token.text(kind).reveal() for kind, token in TOKENS.items()}
TAKERS: dict[str, tuple[Kind, Call]] = {
    "peek_magic_link": (Kind.MAGIC_LINK, lambda auth, token: auth.peek_magic_link(token)),
    "verify_magic_link": (Kind.MAGIC_LINK, lambda auth, token: auth.verify_magic_link(token)),
    "approve_magic_link": (Kind.MAGIC_LINK, lambda auth, token: auth.approve_magic_link(token, "47")),
    "claim_sign_in": (Kind.HANDOFF, lambda auth, token: auth.claim_sign_in(token)),
    "confirm_email_change": (Kind.EMAIL_CHANGE, lambda auth, token: auth.confirm_email_change(token)),
    "authenticate": (Kind.ACCESS, lambda auth, token: auth.authenticate(token)),
    "refresh": (Kind.REFRESH, lambda auth, token: auth.refresh(token)),
    "sign_out": (Kind.ACCESS, lambda auth, token: auth.sign_out(token)),
}
ALSO = {"sign_out": [Kind.REFRESH], "peek_magic_link": [Kind.EMAIL_CHANGE]}
SPOILED: dict[str, Callable[[str], object]] = {
    "empty": lambda _: "",
    "blank": lambda _: " ",
    "prefix alone": lambda text: text[:8],
    "one short at the end": lambda text: text[:-1],
    "one short at the start": lambda text: text[1:],
    "payload one short": lambda text: text[:20] + text[21:],
    "one more": lambda text: f"{text}0",
    "blank before": lambda text: f" {text[:-1]}",
    "line end": lambda text: f"{text[:-1]}\n",
    "twice": lambda text: text * 2,
    "capitals": lambda text: text.upper(),
    "one digit changed": lambda text: text[:20] + ("a" if text[20] != "a" else "b") + text[21:],
    "checksum changed": lambda text: text[:-1] + ("a" if text[-1] != "a" else "b"),
    "digits turned round": lambda text: text[:8] + text[8:-6][::-1] + text[-6:],
    "another product": lambda text: f"ghp__{text[5:]}",
    "another kind": lambda text: text.replace(text[:8], "pgak_xx_"),
    "nul": lambda text: f"{text[:20]}\0{text[21:]}",
    "lone surrogate": lambda text: f"{text[:20]}\ud800{text[21:]}",
    "full-width digit": lambda text: f"{text[:20]}\uff11{text[21:]}",
    "underscore": lambda text: f"{text[:20]}_{text[21:]}",
    "a megabyte": lambda _: "a" * 1_000_000,
    "a megabyte of rubbish": lambda text: text + "\0\ud800" * 500_000,
    "sql": lambda _: "' OR 1=1; --",
    "none": lambda _: None,
    "bytes": lambda text: text.encode(),
    "number": lambda _: 0,
    "list": lambda text: [text],
}


@pytest.fixture
def offline(host: "Host", pgauthkit_config: AuthConfig) -> AuthService:
    """The service with a database that cannot be reached: whatever needs it fails, and tells so."""
    return host.service_on(host.kept_engine(NOWHERE), pgauthkit_config)


class TestTokens:
    @pytest.mark.parametrize("method", TAKERS)
    def test_a_well_formed_one_needs_the_database(self, offline: AuthService, method: str) -> None:
        """Only a well-formed token of the right kind is looked up, as this database that is not there proves."""
        kind, call = TAKERS[method]
        with pytest.raises(DatabaseUnavailableError):
            call(offline, VALID[kind])

    @pytest.mark.parametrize("spoil", SPOILED)
    @pytest.mark.parametrize("method", TAKERS)
    def test_a_spoiled_one_does_not(self, offline: AuthService, method: str, spoil: str) -> None:
        """What is not well-formed is invalid, without SQL, and the error does not repeat it."""
        kind, call = TAKERS[method]
        with pytest.raises(InvalidTokenError) as caught:
            call(offline, SPOILED[spoil](VALID[kind]))
        assert str(caught.value) == "The token is malformed, of another kind, or unknown."
        assert caught.value.__cause__ is None

    @pytest.mark.parametrize("other", Kind)
    @pytest.mark.parametrize("method", TAKERS)
    def test_one_of_another_kind_does_not(self, offline: AuthService, method: str, other: Kind) -> None:
        """A token of one kind is never taken for another."""
        kind, call = TAKERS[method]
        taken = {kind, *ALSO.get(method, ())}
        with pytest.raises(DatabaseUnavailableError if other in taken else InvalidTokenError):
            call(offline, VALID[other])

    @pytest.mark.parametrize("method", TAKERS)
    def test_one_with_an_unknown_pepper_does_not(self, offline: AuthService, method: str) -> None:
        """A token that names a pepper which is not known here is invalid, without SQL."""
        kind, call = TAKERS[method]
        token = attrs.evolve(TOKENS[kind], pepper_id=7)
        with pytest.raises(InvalidTokenError):
            call(offline, token.text(kind).reveal())


RUBBISH = {"nul": "a\0b", "surrogate": "a\ud800b", "both": "\0\udfff", "long": "x" * 1_000_000, "empty": ""}
REFUSING: dict[str, tuple[type[Exception], Call]] = {
    "email": (InvalidEmailError, lambda auth, text: auth.request_magic_link(text)),
    "redirect_to": (InvalidRedirectError, lambda auth, text: auth.request_magic_link(ADA, redirect_to=text)),
    "link_id": (InvalidTokenError, lambda auth, text: auth.verify_code(text, "")),
    "find_user": (InvalidEmailError, lambda auth, text: auth.find_user(text)),
    "open_session": (NotFoundError, lambda auth, text: auth.open_session(text)),
    "deactivate_user": (NotFoundError, lambda auth, text: auth.deactivate_user(text)),
    "activate_user": (NotFoundError, lambda auth, text: auth.activate_user(text)),
    "change_email of": (NotFoundError, lambda auth, text: auth.change_email(text, ADA)),
    "change_email to": (InvalidEmailError, lambda auth, text: auth.change_email("nobody", text)),
}
ANSWERING: dict[str, tuple[object, Call]] = {
    "list_sessions": ([], lambda auth, text: auth.list_sessions(text)),
    "list_devices": ([], lambda auth, text: auth.list_devices(text)),
    "forget_device of": (False, lambda auth, text: auth.forget_device(text, "nothing")),
    "forget_device": (False, lambda auth, text: auth.forget_device("nobody", text)),
    "revoke_session of": (False, lambda auth, text: auth.revoke_session(text, "nothing")),
    "revoke_session": (False, lambda auth, text: auth.revoke_session("nobody", text)),
    "revoke_sessions": ([], lambda auth, text: auth.revoke_sessions(text)),
    "keep": ([], lambda auth, text: auth.revoke_sessions("nobody", keep=text)),
}


@pytest.mark.parametrize("rubbish", RUBBISH)
class TestTexts:
    @pytest.mark.parametrize("argument", REFUSING)
    def test_refused(self, auth: AuthService, database: "Database", argument: str, rubbish: str) -> None:
        """Where a text must mean something, rubbish means nothing, and nothing is written."""
        error, call = REFUSING[argument]
        with pytest.raises(error):
            call(auth, RUBBISH[rubbish])
        assert database.contents() == [[], [], [], [], []]

    @pytest.mark.parametrize("argument", ANSWERING)
    def test_answered(self, auth: AuthService, argument: str, rubbish: str) -> None:
        """Where nothing is a good answer, rubbish gets it."""
        answer, call = ANSWERING[argument]
        assert answer == call(auth, RUBBISH[rubbish])

    def test_who_asks(self, auth: AuthService, database: "Database", rubbish: str) -> None:
        """What is said of the browser and the ip never stands in the way: it is made fit, wherever it is kept."""
        text = RUBBISH[rubbish]
        link = auth.request_magic_link(ADA, ip=text, user_agent=text)
        signed_in = auth.verify_magic_link(link.token.reveal(), binding=text, ip=text, user_agent=text)
        auth.refresh(signed_in.tokens.refresh_token.reveal(), ip=text, user_agent=text)
        auth.open_session(signed_in.user.user_id, ip=text, user_agent=text)
        kept = database.ask("SELECT length(ip) <= 64, length(user_agent) <= 512 FROM pgauthkit.sessions")
        assert len(kept) == 2
        assert not any(fits is False for row in kept for fits in row)

    def test_codes(self, auth: AuthService, rubbish: str) -> None:
        """A code for no link is for no link, whatever it is and whoever asks."""
        text = RUBBISH[rubbish]
        with pytest.raises(InvalidTokenError):
            auth.verify_code("nothing", text, binding=text, ip=text, user_agent=text)


@pytest.mark.parametrize(
    ("said", "kept"),
    [("", None), (" ", None), (f"[::ffff:{HERE}]:443", HERE), ("fe80::1%eth0", "fe80::1"), (f"{HERE}, ::1",) * 2],
)
def test_an_ip_in_every_call(
    configured: "Configured", database: "Database", events: list[AuthEvent], said: str, kept: str | None
) -> None:
    """It has one spelling in each row and event, and a blank is none, whatever the call."""
    auth = configured(codes=True)
    link = auth.request_magic_link(ADA, ip=said)
    auth.refresh(auth.verify_magic_link(link.token.reveal(), ip=said).tokens.refresh_token.reveal(), ip=said)
    link = auth.request_magic_link(ADA, ip=said)
    assert link.code
    user_id = auth.verify_code(link.id, link.code.reveal(), ip=said).user.user_id
    auth.open_session(user_id, ip=said)
    auth.request_email_change(user_id, "eve@example.com", ip=said)
    link = auth.request_magic_link(ADA, ip=said, handoff=True)
    assert link.handoff
    auth.approve_magic_link(link.token.reveal(), str(link.match), ip=said)
    auth.claim_sign_in(link.handoff.reveal(), ip=said)

    for table in ("magic_links", "sessions", "devices"):
        query = sql.SQL("SELECT ip FROM pgauthkit.{}").format(sql.Identifier(table))
        assert database.ask(query.as_string()) == [(kept,)] * 4
    assert {event.ip for event in events} == {kept}


def with_token(call: Call, token: str) -> Callable[[AuthService], object]:
    return lambda auth: call(auth, token)


class TestNotMigrated:
    CALLS: ClassVar[dict[str, Callable[[AuthService], object]]] = {
        "request_magic_link": lambda auth: auth.request_magic_link(ADA),
        "verify_code": lambda auth: auth.verify_code("nothing", ""),
        "open_session": lambda auth: auth.open_session("nobody"),
        "list_sessions": lambda auth: auth.list_sessions("nobody"),
        "list_devices": lambda auth: auth.list_devices("nobody"),
        "forget_device": lambda auth: auth.forget_device("nobody", "nothing"),
        "revoke_session": lambda auth: auth.revoke_session("nobody", "nothing"),
        "revoke_sessions": lambda auth: auth.revoke_sessions("nobody"),
        "find_user": lambda auth: auth.find_user(ADA),
        "deactivate_user": lambda auth: auth.deactivate_user("nobody"),
        "activate_user": lambda auth: auth.activate_user("nobody"),
        "change_email": lambda auth: auth.change_email("nobody", ADA),
        "purge": lambda auth: auth.purge(),
        **{method: with_token(call, VALID[kind]) for method, (kind, call) in TAKERS.items()},
    }

    def test_no_tables(self, host: "Host", pgauthkit_empty_url: str, pgauthkit_config: AuthConfig) -> None:
        """In a database without our tables every method says that migrations are pending."""
        auth = host.service(pgauthkit_empty_url, pgauthkit_config)
        for call in self.CALLS.values():
            with pytest.raises(PendingMigrationsError) as caught:
                call(auth)
            assert (caught.value.__cause__, caught.value.__context__) == (None, None)
        assert "pgauthkit migrate deploy" in str(caught.value)

    def test_no_column(
        self, host: "Host", database: "Database", pgauthkit_config: AuthConfig, sign_in: "SigningIn"
    ) -> None:
        """In a database of an older release, which lacks a column, the error is the same, and goes when it is there."""
        tokens = sign_in().tokens
        database.tell("ALTER TABLE pgauthkit.sessions RENAME COLUMN revoked_at TO ended_at")
        auth = host.service(database.url, pgauthkit_config)
        try:
            with pytest.raises(PendingMigrationsError):
                auth.authenticate(tokens.access_token.reveal())
        finally:
            database.tell("ALTER TABLE pgauthkit.sessions RENAME COLUMN ended_at TO revoked_at")
        auth.authenticate(tokens.access_token.reveal())


def test_a_database_of_another_encoding(
    host: "Host", pgauthkit_empty_url: str, pgauthkit_server: "TestServer", pgauthkit_config: AuthConfig
) -> None:
    """What a database in LATIN1 cannot hold is refused by name, and what it can hold comes back as it was."""
    with psycopg.connect(pgauthkit_empty_url, autocommit=True) as connection:
        name = f"{connection.info.dbname}_latin"
        create = sql.SQL("CREATE DATABASE {} ENCODING 'LATIN1' LOCALE 'C' TEMPLATE template0")
        connection.execute(create.format(sql.Identifier(name)))
    url = pgauthkit_server.url(name)
    deploy(url)
    auth = host.service(url, pgauthkit_config)
    auth.request_magic_link("ada@example.com", user_agent="Mözilla")
    with pytest.raises(PgAuthKitError, match=r"SQLSTATE 22P05.*ENCODING 'UTF8'"):
        auth.request_magic_link("ada@example.com", user_agent="☃")
    host.tidy()
    with psycopg.connect(pgauthkit_empty_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
