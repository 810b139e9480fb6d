"""Peppers: what is stored is keyed, and keys turn over while nobody is signed out."""

import hashlib
import hmac
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService, Secret
from pgauthkit.config import Pepper, RateLimit, RateLimits
from pgauthkit.errors import BindingMismatchError, InvalidCodeError, InvalidTokenError, RefreshTokenReusedError
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken, SessionToken
from pgauthkit.values import AuthEvent, IssuedMagicLink, TokenPair

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

ADA = "ada@example.com"
OLD, NEW = Pepper(1, Secret("an old pepper" * 3)), Pepper(2, Secret("a new pepper" * 3))
IMPOSTOR = Pepper(1, Secret("another secret under the old id" * 2))
JUST_AFTER = timedelta(seconds=30.1)

USES: dict[str, tuple[Callable[[IssuedMagicLink, TokenPair], str], Callable[[AuthService, str], object]]] = {
    "peek": (lambda link, _: link.token.reveal(), lambda auth, token: auth.peek_magic_link(token)),
    "verify": (lambda link, _: link.token.reveal(), lambda auth, token: auth.verify_magic_link(token)),
    "authenticate": (lambda _, pair: pair.access_token.reveal(), lambda auth, token: auth.authenticate(token)),
    "refresh": (lambda _, pair: pair.refresh_token.reveal(), lambda auth, token: auth.refresh(token)),
    "sign_out": (lambda _, pair: pair.access_token.reveal(), lambda auth, token: auth.sign_out(token)),
}


def pepper_of(pair: TokenPair) -> set[int]:
    """Return the ids of the peppers that the tokens name."""
    kinds = ((Kind.ACCESS, pair.access_token), (Kind.REFRESH, pair.refresh_token))
    return {SessionToken.parse(kind, token.reveal()).pepper_id for kind, token in kinds}


def access(pair: TokenPair) -> str:
    return pair.access_token.reveal()


def refresh(pair: TokenPair) -> str:
    return pair.refresh_token.reveal()


def keyed(pepper: Pepper, purpose: str, secret: bytes) -> bytes:
    return hmac.digest(pepper.secret.reveal().encode(), purpose.encode() + b"\0" + secret, "sha256")


@pytest.fixture
def unpeppered(configured: "Configured") -> AuthService:
    return configured(codes=True)


@pytest.fixture
def old(configured: "Configured") -> AuthService:
    """A host before the new pepper is known anywhere."""
    return configured(codes=True, peppers=(OLD,))


@pytest.fixture
def preparing(configured: "Configured") -> AuthService:
    """A host that knows the new pepper, and makes tokens with the old one."""
    return configured(codes=True, peppers=(OLD, NEW))


@pytest.fixture
def turned(configured: "Configured") -> AuthService:
    """A host that makes tokens with the new pepper, and still knows the old one."""
    return configured(codes=True, peppers=(NEW, OLD))


@pytest.fixture
def new(configured: "Configured") -> AuthService:
    """A host that has dropped the old pepper."""
    return configured(codes=True, peppers=(NEW,))


def test_what_is_stored(old: AuthService, database: "Database", sign_in: "SigningIn") -> None:
    """Links, bindings and both tokens are stored as HMAC-SHA-256 under the pepper, labelled by what they are.

    Of the last two its first 16 bytes.
    """
    link = old.request_magic_link(ADA, bind=True)
    assert link.binding is not None
    token, binding = (
        SecretToken.parse(kind, text.reveal())
        for kind, text in ((Kind.MAGIC_LINK, link.token), (Kind.BINDING, link.binding))
    )
    assert (token.pepper_id, binding.pepper_id) == (1, 1)
    expected_link = (keyed(OLD, "magic-link", token.secret), keyed(OLD, "binding", binding.secret))
    assert [expected_link] == database.ask("SELECT token_hash, binding_hash FROM pgauthkit.magic_links")

    pair = sign_in(by=old).tokens
    at, rt = SessionToken.parse(Kind.ACCESS, access(pair)), SessionToken.parse(Kind.REFRESH, refresh(pair))
    expected_session = (keyed(OLD, "access", at.proof)[:16], keyed(OLD, "refresh", rt.proof)[:16])
    assert [expected_session] == database.ask("SELECT access_token_hash, refresh_token_hash FROM pgauthkit.sessions")


def test_a_selector_is_never_keyed(old: AuthService, database: "Database", sign_in: "SigningIn") -> None:
    """A session is found by one key whichever pepper its secrets are under."""
    pair = sign_in(by=old).tokens
    selector = SessionToken.parse(Kind.ACCESS, access(pair)).selector
    expected = hashlib.sha256(b"selector\0" + selector).digest()
    assert [(expected[:15],)] == database.ask("SELECT selector_hash FROM pgauthkit.sessions")


@pytest.mark.parametrize("use", USES)
class TestOfEachToken:
    def test_an_old_pepper_verifies(
        self, old: AuthService, preparing: AuthService, turned: AuthService, sign_in: "SigningIn", use: str
    ) -> None:
        """What was made with a pepper is good wherever the pepper is known, first or not."""
        pick, call = USES[use]
        for auth in (old, preparing, turned):
            pair = sign_in(by=old).tokens
            call(auth, pick(old.request_magic_link(ADA), pair))

    def test_a_dropped_pepper_refuses(
        self, old: AuthService, new: AuthService, database: "Database", sign_in: "SigningIn", use: str
    ) -> None:
        """What was made with a pepper that is not known here is invalid, and nothing is changed by it."""
        pick, call = USES[use]
        pair = sign_in(by=old).tokens
        token = pick(old.request_magic_link(ADA), pair)
        before = database.contents()
        with pytest.raises(InvalidTokenError):
            call(new, token)
        assert before == database.contents()
        call(old, token)

    def test_without_a_pepper_is_refused_with_one(
        self, unpeppered: AuthService, old: AuthService, database: "Database", sign_in: "SigningIn", use: str
    ) -> None:
        """Once there are peppers, what was made without one is invalid: its hash in a dump is not keyed."""
        pick, call = USES[use]
        pair = sign_in(by=unpeppered).tokens
        token = pick(unpeppered.request_magic_link(ADA), pair)
        before = database.contents()
        with pytest.raises(InvalidTokenError):
            call(old, token)
        assert before == database.contents()

    def test_unless_it_is_accepted(
        self, unpeppered: AuthService, configured: "Configured", sign_in: "SigningIn", use: str
    ) -> None:
        """For the days of a roll-out, what was made without a pepper may be accepted."""
        pick, call = USES[use]
        pair = sign_in(by=unpeppered).tokens
        call(configured(peppers=(OLD,), accept_unpeppered=True), pick(unpeppered.request_magic_link(ADA), pair))

    def test_with_a_pepper_is_refused_without_one(
        self, unpeppered: AuthService, old: AuthService, sign_in: "SigningIn", use: str
    ) -> None:
        """A host without peppers knows none."""
        pick, call = USES[use]
        pair = sign_in(by=old).tokens
        with pytest.raises(InvalidTokenError):
            call(unpeppered, pick(old.request_magic_link(ADA), pair))


@pytest.mark.parametrize("use", ["peek", "verify", "authenticate"])
def test_another_secret_under_the_same_id(
    old: AuthService, configured: "Configured", sign_in: "SigningIn", use: str
) -> None:
    """The id of a pepper is only its name: with another secret under it nothing is found."""
    pick, call = USES[use]
    pair = sign_in(by=old).tokens
    with pytest.raises(InvalidTokenError):
        call(configured(peppers=(IMPOSTOR,)), pick(old.request_magic_link(ADA), pair))


class TestCodesAndBindings:
    def test_an_old_pepper_verifies(self, old: AuthService, turned: AuthService, database: "Database") -> None:
        """A code, and a binding, from before the turn are good after it."""
        link = old.request_magic_link(ADA, bind=True)
        assert database.ask("SELECT starts_with(code_hash, '1$argon2id$') FROM pgauthkit.magic_links") == [(True,)]
        assert link.code is not None
        assert link.binding is not None
        signed_in = turned.verify_code(link.id, link.code.reveal(), binding=link.binding.reveal())
        assert signed_in.user.email == ADA

    def test_a_dropped_pepper_refuses(self, old: AuthService, new: AuthService) -> None:
        """Without the pepper, a code is wrong, and a binding is another browser's."""
        link, bound = old.request_magic_link(ADA), old.request_magic_link(ADA, bind=True)
        assert link.code is not None
        assert bound.code is not None
        assert bound.binding is not None
        with pytest.raises(InvalidCodeError):
            new.verify_code(link.id, link.code.reveal())
        with pytest.raises(BindingMismatchError):
            new.verify_code(bound.id, bound.code.reveal(), binding=bound.binding.reveal())

    def test_codes_are_keyed(self, old: AuthService, configured: "Configured") -> None:
        """Whoever has the table and not the pepper cannot tell a right code."""
        link = old.request_magic_link(ADA)
        assert link.code is not None
        with pytest.raises(InvalidCodeError):
            configured(codes=True, peppers=(IMPOSTOR,)).verify_code(link.id, link.code.reveal())

    def test_without_a_pepper(self, unpeppered: AuthService, old: AuthService, configured: "Configured") -> None:
        """A code without a pepper is wrong once there are peppers, unless it is accepted."""
        link = unpeppered.request_magic_link(ADA)
        assert link.code is not None
        with pytest.raises(InvalidCodeError):
            old.verify_code(link.id, link.code.reveal())
        configured(peppers=(OLD,), accept_unpeppered=True).verify_code(link.id, link.code.reveal())


class TestTurning:
    def test_a_refresh_moves_the_row(
        self, old: AuthService, turned: AuthService, new: AuthService, sign_in: "SigningIn"
    ) -> None:
        """The next pair is under the first pepper, so that the old one can be dropped after a while."""
        first = sign_in(by=old).tokens
        second = turned.refresh(refresh(first))
        assert ({1}, {2}) == (pepper_of(first), pepper_of(second))
        assert first.session_id == new.authenticate(access(second)).session_id
        assert {2} == pepper_of(new.refresh(refresh(second)))

    def test_the_nonce_names_the_pepper_of_the_pair(
        self, old: AuthService, turned: AuthService, database: "Database", sign_in: "SigningIn"
    ) -> None:
        """The first byte of the nonce says under which pepper the derived pair is; sixteen random ones follow."""
        nonce = "SELECT get_byte(rotation_nonce, 0), length(rotation_nonce) FROM pgauthkit.sessions"
        pair = old.refresh(refresh(sign_in(by=old).tokens))
        assert database.ask(nonce) == [(1, 17)]
        turned.refresh(refresh(pair))
        assert database.ask(nonce) == [(2, 17)]

    def test_the_previous_access_token_stays_good(
        self, old: AuthService, turned: AuthService, sign_in: "SigningIn"
    ) -> None:
        """The grace holds across a turn: the previous pair is under the old pepper."""
        first = sign_in(by=old).tokens
        second = turned.refresh(refresh(first))
        assert first.session_id == turned.authenticate(access(first)).session_id
        assert second == turned.refresh(refresh(first))

    def test_hosts_take_turns(
        self, preparing: AuthService, turned: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """While hosts are at different peppers, a session goes from one to the other and back."""
        pair = sign_in(by=preparing).tokens
        for auth, pepper_id in ((turned, 2), (preparing, 1), (turned, 2), (turned, 2), (preparing, 1)):
            pgauthkit_clock.move(timedelta(minutes=1))
            pair = auth.refresh(refresh(pair))
            assert {pepper_id} == pepper_of(pair)
            for host in (preparing, turned):
                assert pair.session_id == host.authenticate(access(pair)).session_id

    def test_hosts_converge(self, preparing: AuthService, turned: AuthService, sign_in: "SigningIn") -> None:
        """The same token at two hosts with different first peppers gives the same pair, that of the faster one."""
        for first, second in ((preparing, turned), (turned, preparing)):
            pair = sign_in(by=preparing).tokens
            assert first.refresh(refresh(pair)) == second.refresh(refresh(pair))

    def test_a_replay_is_found(
        self, preparing: AuthService, turned: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """A token that had a successor under another pepper is a replay all the same."""
        pair = sign_in(by=preparing).tokens
        turned.authenticate(access(turned.refresh(refresh(pair))))
        pgauthkit_clock.move(JUST_AFTER)
        with pytest.raises(RefreshTokenReusedError):
            preparing.refresh(refresh(pair))

    def test_a_host_that_is_behind_ends_nothing(
        self, old: AuthService, turned: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """A host that does not know the new pepper refuses, and the session lives on where it is known."""
        pair = turned.refresh(refresh(sign_in(by=old).tokens))
        pgauthkit_clock.move(JUST_AFTER)
        for text, use in ((access(pair), old.authenticate), (refresh(pair), old.refresh)):
            with pytest.raises(InvalidTokenError):
                use(text)
        assert pair.session_id == turned.refresh(refresh(pair)).session_id

    def test_without_a_pepper_to_one(
        self, unpeppered: AuthService, configured: "Configured", sign_in: "SigningIn"
    ) -> None:
        """A session from before there were peppers gets one with its next refresh."""
        first = sign_in(by=unpeppered).tokens
        second = configured(peppers=(OLD,), accept_unpeppered=True).refresh(refresh(first))
        assert ({0}, {1}) == (pepper_of(first), pepper_of(second))
        assert first.session_id == configured(peppers=(OLD,)).authenticate(access(second)).session_id


class TestOfAddresses:
    def test_events_have_a_keyed_hash(
        self, unpeppered: AuthService, old: AuthService, turned: AuthService, events: list[AuthEvent]
    ) -> None:
        """An address has the same hash in all events under one pepper, and another one under another."""
        for auth in (unpeppered, old, old, turned):
            auth.request_magic_link(ADA)
        expected = [
            hashlib.sha256(b"email\0" + ADA.encode()).hexdigest(),
            *[keyed(OLD, "email", ADA.encode()).hex()] * 2,
            keyed(NEW, "email", ADA.encode()).hex(),
        ]
        assert expected == [event.email_hash for event in events]

    def test_limits_are_keyed(self, configured: "Configured", database: "Database") -> None:
        """The key of a bucket is under the pepper, so that a dump does not tell who was there."""
        limits = RateLimits(per_ip=None, per_email_and_ip=None, per_email=RateLimit(9, per=timedelta(hours=1)))
        configured(peppers=(OLD,), rate_limits=limits).request_magic_link(ADA)
        assert [(keyed(OLD, "limit", f"email {ADA}".encode()),)] == database.ask(
            "SELECT key FROM pgauthkit.rate_limits"
        )
