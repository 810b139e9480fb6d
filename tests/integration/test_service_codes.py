"""Short codes: typed where a link cannot be clicked, and not to be guessed."""

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, LiteralString

import pytest

from pgauthkit import AuthService
from pgauthkit.aio import wire
from pgauthkit.codes import ALPHABET
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.errors import (
    AuthenticationError,
    InvalidCodeError,
    InvalidTokenError,
    RateLimitedError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import IssuedMagicLink

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database

ADA, EVE = "ada@example.com", "eve@example.com"
HERE, THERE = "203.0.113.7", "198.51.100.7"
INSTANT = timedelta(microseconds=1)
WRONG = "BBBBBBBB"
ATTEMPTS = "SELECT attempts FROM pgauthkit.magic_links WHERE id = %s"


@pytest.fixture
def auth(configured: "Configured") -> AuthService:
    """The service with codes; by chance the wrong code is right once in 20**8 links."""
    return configured(codes=True)


@pytest.fixture
def link(auth: AuthService) -> IssuedMagicLink:
    return auth.request_magic_link(ADA, redirect_to="/in")


def code_of(link: IssuedMagicLink) -> str:
    assert link.code is not None
    return link.code.reveal()


def use_up(auth: AuthService, link: IssuedMagicLink, attempts: int = 5, ip: str | None = None) -> None:
    for _ in range(attempts):
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, WRONG, ip=ip)


class TestRequest:
    def test_a_code_beside_each_link(self, link: IssuedMagicLink, database: "Database") -> None:
        """A code is eight consonants; what is stored is argon2id, behind the id of its pepper."""
        assert (8, set()) == (len(code_of(link)), set(code_of(link)) - set(ALPHABET))
        ((stored,),) = database.ask("SELECT code_hash FROM pgauthkit.magic_links")
        assert stored.startswith("0$argon2id$v=19$m=8,t=1,p=1$")
        assert code_of(link) not in str(database.contents())
        assert code_of(link) not in repr(link)

    def test_length(self, configured: "Configured") -> None:
        """A code is as long as configured."""
        assert len(code_of(configured(codes=True, code_length=12).request_magic_link(ADA))) == 12

    def test_only_where_wanted(self, configured: "Configured", database: "Database") -> None:
        """There is no code unless codes are on."""
        assert configured().request_magic_link(ADA).code is None
        assert database.ask("SELECT code_hash FROM pgauthkit.magic_links") == [(None,)]


class TestVerify:
    def test_signs_in_as_the_link_does(
        self, auth: AuthService, link: IssuedMagicLink, database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """The right code makes the account, consumes the link, ends the others and opens a session."""
        other = auth.request_magic_link(ADA)
        now = pgauthkit_clock.move(timedelta(minutes=1))

        signed_in = auth.verify_code(link.id, code_of(link), ip=HERE, user_agent="curl/8")

        assert (signed_in.user.email, signed_in.created, signed_in.redirect_to) == (ADA, True, "/in")
        assert signed_in.user == auth.authenticate(signed_in.tokens.access_token.reveal())
        row = "SELECT used_at, user_id, attempts FROM pgauthkit.magic_links WHERE id = %s"
        assert [(now, signed_in.user.user_id, 1)] == database.ask(row, link.id)
        assert [(now,)] == database.ask("SELECT last_login_at FROM pgauthkit.users")
        assert database.ask("SELECT ip, user_agent FROM pgauthkit.sessions") == [(HERE, "curl/8")]
        with pytest.raises(TokenExpiredError):
            auth.verify_code(other.id, code_of(other))

    @pytest.mark.parametrize(
        "typed",
        [
            lambda code: code.lower(),
            lambda code: f"{code[:4]}-{code[4:]}",
            lambda code: f" {code[:3]} {code[3:]} ",
            lambda code: "-".join(code.lower()),
            lambda code: f"\t{code[:4]}\u00a0\u2013\u2011{code[4:]}\u200b.\r\n",
            lambda code: f"\u200e{code[:4]}\u00ad{code[4:]}\u2069",
            lambda code: "".join(chr(ord(letter) + 0xFEE0) for letter in code),
        ],
        ids=["lower", "dash", "blanks", "dashes", "pasted", "invisible", "full width"],
    )
    def test_what_does_not_count(self, auth: AuthService, link: IssuedMagicLink, typed: Callable[[str], str]) -> None:
        """Case, width, blanks, dashes, and what comes along with a copy do not count."""
        assert auth.verify_code(link.id, typed(code_of(link))).user.email == ADA

    @pytest.mark.parametrize(
        "code",
        ["", WRONG, WRONG[:-1], f"{WRONG}B", WRONG * 100_000, "\0", "\ud800", "ÄÖÜ"],
        ids=["empty", "wrong", "short", "one more", "long", "nul", "surrogate", "umlauts"],
    )
    def test_a_wrong_code(self, auth: AuthService, link: IssuedMagicLink, database: "Database", code: str) -> None:
        """Whatever is typed, a wrong code is a wrong code, and costs one attempt."""
        with pytest.raises(InvalidCodeError) as caught:
            auth.verify_code(link.id, code)
        assert caught.value.attempts_left == 4
        assert database.ask(ATTEMPTS, link.id) == [(1,)]

    def test_of_another_link(self, auth: AuthService, link: IssuedMagicLink) -> None:
        """A code is good for its own link only."""
        other = auth.request_magic_link(ADA)
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, code_of(other))
        auth.verify_code(other.id, code_of(other))

    @pytest.mark.parametrize(
        "link_id",
        ["", "unknown", "a\0b", "a\ud800b", "x" * 1_000_000],
        ids=["empty", "unknown", "nul", "surrogate", "long"],
    )
    def test_no_such_link(self, auth: AuthService, link: IssuedMagicLink, link_id: str) -> None:
        """What is no link's id is invalid, whatever the code."""
        with pytest.raises(InvalidTokenError):
            auth.verify_code(link_id, code_of(link))

    def test_a_link_without_a_code(self, configured: "Configured", auth: AuthService) -> None:
        """For a link that was made without a code every code is wrong; the link itself is good."""
        link = configured().request_magic_link(ADA)
        with pytest.raises(InvalidCodeError):
            auth.verify_code(link.id, WRONG)
        auth.verify_magic_link(link.token.reveal())


class TestAttempts:
    def test_five_and_no_more(self, auth: AuthService, link: IssuedMagicLink, database: "Database") -> None:
        """Each wrong code leaves one less; the sixth code is not looked at, not even the right one."""
        left = []
        for _ in range(5):
            with pytest.raises(InvalidCodeError) as caught:
                auth.verify_code(link.id, WRONG)
            left.append(caught.value.attempts_left)
        assert left == [4, 3, 2, 1, 0]
        before = database.contents()
        for code in (WRONG, code_of(link)):
            with pytest.raises(TooManyAttemptsError):
                auth.verify_code(link.id, code)
        assert before == database.contents()
        assert database.ask(ATTEMPTS, link.id) == [(5,)]

    def test_the_link_stays_good(self, auth: AuthService, link: IssuedMagicLink) -> None:
        """Whoever guesses codes does not end the link that went out by mail."""
        use_up(auth, link)
        assert auth.verify_magic_link(link.token.reveal()).user.email == ADA

    def test_the_last_attempt_may_be_right(self, auth: AuthService, link: IssuedMagicLink) -> None:
        """The fifth code signs in where it is right."""
        use_up(auth, link, 4)
        assert auth.verify_code(link.id, code_of(link)).user.email == ADA

    def test_as_many_as_configured(self, configured: "Configured") -> None:
        """One attempt is one attempt."""
        auth = configured(codes=True, code_attempts=1)
        link = auth.request_magic_link(ADA)
        use_up(auth, link, 1)
        with pytest.raises(TooManyAttemptsError):
            auth.verify_code(link.id, code_of(link))

    def test_of_each_link(self, auth: AuthService, link: IssuedMagicLink) -> None:
        """Attempts at one link take nothing from another."""
        use_up(auth, link)
        other = auth.request_magic_link(ADA)
        auth.verify_code(other.id, code_of(other))

    @pytest.mark.parametrize("code", [WRONG, None])
    @pytest.mark.parametrize(
        ("hinder", "error"),
        [
            ("UPDATE pgauthkit.magic_links SET used_at = now()", TokenAlreadyUsedError),
            ("UPDATE pgauthkit.magic_links SET revoked_at = now()", TokenExpiredError),
            ("UPDATE pgauthkit.magic_links SET expires_at = '2000-01-01Z'", TokenExpiredError),
        ],
        ids=["used", "revoked", "expired"],
    )
    def test_a_link_that_is_over_counts_nothing(
        self,
        *,
        auth: AuthService,
        link: IssuedMagicLink,
        database: "Database",
        hinder: LiteralString,
        error: type[AuthenticationError],
        code: str | None,
    ) -> None:
        """For a link that is over no code is looked at, and nothing is counted."""
        database.tell(hinder)
        before = database.contents()
        with pytest.raises(error):
            auth.verify_code(link.id, code or code_of(link), ip=HERE)
        assert before == database.contents()

    def test_good_until_the_last_microsecond(
        self, auth: AuthService, link: IssuedMagicLink, pgauthkit_clock: Clock
    ) -> None:
        """A code is good as long as its link."""
        pgauthkit_clock.move(timedelta(minutes=10))
        with pytest.raises(TokenExpiredError):
            auth.verify_code(link.id, code_of(link))
        pgauthkit_clock.move(-INSTANT)
        auth.verify_code(link.id, code_of(link))

    def test_the_inactive_and_the_closed(
        self, auth: AuthService, configured: "Configured", link: IssuedMagicLink, database: "Database"
    ) -> None:
        """Who is not let in learns it with the right code only, and keeps the link; the attempt is counted."""
        closed = configured(codes=True, allow_sign_up=False)
        with pytest.raises(InvalidCodeError):
            closed.verify_code(link.id, WRONG)
        with pytest.raises(SignUpClosedError):
            closed.verify_code(link.id, code_of(link))
        database.tell("INSERT INTO pgauthkit.users (id, email, is_active) VALUES ('ada', %s, false)", ADA)
        with pytest.raises(UserInactiveError):
            auth.verify_code(link.id, code_of(link))
        assert database.ask(ATTEMPTS, link.id) == [(3,)]
        database.tell("UPDATE pgauthkit.users SET is_active = true")
        assert auth.verify_code(link.id, code_of(link)).user.user_id == "ada"


class TestBudget:
    @pytest.fixture
    def auth(self, configured: "Configured") -> AuthService:
        """The service with two codes an hour for an address and an ip, and no other limit."""
        two = RateLimit(2, per=timedelta(hours=1))
        limits = RateLimits(per_ip=None, per_email=None, per_email_and_ip=None, code_attempts=two)
        return configured(codes=True, rate_limits=limits)

    def test_over_all_links(self, auth: AuthService, link: IssuedMagicLink, database: "Database") -> None:
        """A new link gives no new budget, and a refused code is not counted for the link."""
        use_up(auth, link, 2, ip=HERE)
        other = auth.request_magic_link(ADA)
        with pytest.raises(RateLimitedError) as caught:
            auth.verify_code(other.id, code_of(other), ip=HERE)
        assert timedelta(minutes=30) == caught.value.retry_after
        assert database.ask(ATTEMPTS, other.id) == [(0,)]

    def test_it_fills_up_again(self, auth: AuthService, link: IssuedMagicLink, pgauthkit_clock: Clock) -> None:
        """After the time that the refusal told, one more code is looked at, and not a microsecond before."""
        use_up(auth, link, 2, ip=HERE)
        pgauthkit_clock.move(timedelta(minutes=30) - INSTANT)
        new = auth.request_magic_link(ADA)
        with pytest.raises(RateLimitedError) as caught:
            auth.verify_code(new.id, code_of(new), ip=HERE)
        assert caught.value.retry_after == INSTANT
        pgauthkit_clock.move(INSTANT)
        auth.verify_code(new.id, code_of(new), ip=HERE)

    def test_right_codes_count_as_well(self, auth: AuthService) -> None:
        """The budget is of codes looked at, so that nobody refills it by signing in."""
        for _ in range(2):
            link = auth.request_magic_link(ADA)
            auth.verify_code(link.id, code_of(link), ip=HERE)
        link = auth.request_magic_link(ADA)
        with pytest.raises(RateLimitedError):
            auth.verify_code(link.id, code_of(link), ip=HERE)

    def test_another_ip_and_another_address(self, auth: AuthService, link: IssuedMagicLink) -> None:
        """A stranger's guesses take nothing from the owner elsewhere, nor from other addresses here."""
        use_up(auth, link, 2, ip=HERE)
        other = auth.request_magic_link(EVE)
        auth.verify_code(other.id, code_of(other), ip=HERE)
        auth.verify_code(link.id, code_of(link), ip=THERE)

    @pytest.mark.parametrize(
        ("first", "second"), [("::ffff:203.0.113.7", HERE), ("2001:db8::1", "2001:db8::2"), ("proxy", "proxy")]
    )
    def test_ips_that_count_as_one(self, auth: AuthService, link: IssuedMagicLink, first: str, second: str) -> None:
        """One subscriber has one budget, however the ip is spelled."""
        use_up(auth, link, 2, ip=first)
        with pytest.raises(RateLimitedError):
            auth.verify_code(link.id, code_of(link), ip=second)

    def test_without_an_ip(self, auth: AuthService, link: IssuedMagicLink, database: "Database") -> None:
        """Without an ip only the link's own attempts are counted."""
        use_up(auth, link, 4)
        auth.verify_code(link.id, code_of(link))
        assert database.ask("SELECT key FROM pgauthkit.rate_limits") == []

    def test_what_is_not_looked_at_costs_nothing(
        self, auth: AuthService, link: IssuedMagicLink, database: "Database"
    ) -> None:
        """A code for a link that was tried too often, or that is bound elsewhere, takes nothing from the budget."""
        use_up(auth, link, 5)
        with pytest.raises(TooManyAttemptsError):
            auth.verify_code(link.id, code_of(link), ip=HERE)
        with pytest.raises(InvalidTokenError):
            auth.verify_code("unknown", code_of(link), ip=HERE)
        assert database.ask("SELECT key FROM pgauthkit.rate_limits") == []

    @pytest.mark.parametrize(
        "limits", [None, RateLimits(code_attempts=None, per_ip=None, per_email=None, per_email_and_ip=None)]
    )
    def test_switched_off(self, configured: "Configured", database: "Database", limits: RateLimits | None) -> None:
        """Without the limit only the link's own attempts are counted."""
        auth = configured(codes=True, code_attempts=100, rate_limits=limits)
        link = auth.request_magic_link(ADA)
        use_up(auth, link, 20, ip=HERE)
        auth.verify_code(link.id, code_of(link), ip=HERE)
        assert database.ask("SELECT key FROM pgauthkit.rate_limits") == []


@pytest.mark.parametrize("host", ["async"], indirect=True)
def test_the_event_loop_is_not_held_up(auth: AuthService) -> None:
    """The async twin hashes codes in threads, which all services of the process share."""
    wire._threads.cache_clear()
    before = set(threading.enumerate())
    fresh = auth.request_magic_link(EVE)
    auth.verify_code(fresh.id, code_of(fresh))
    assert any(thread.name.startswith("pgauthkit-argon2") for thread in set(threading.enumerate()) - before)
