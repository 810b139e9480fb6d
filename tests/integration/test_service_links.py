"""Magic links: request, peek, verify."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, LiteralString

import pytest

from pgauthkit import AuthService
from pgauthkit.errors import (
    AuthenticationError,
    InvalidEmailError,
    InvalidRedirectError,
    InvalidTokenError,
    SignUpClosedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SecretToken
from pgauthkit.user_agents import packed
from pgauthkit.values import Identity, IssuedMagicLink, MagicLinkPreview, UserRole

if TYPE_CHECKING:
    from tests.integration.conftest import Configured, Database, SigningIn

ADA = "ada@example.com"
INSTANT = timedelta(microseconds=1)
TTL = timedelta(minutes=10)
UNKNOWN = SecretToken.new(0).text(Kind.MAGIC_LINK).reveal()
AGENT = "Mozilla/5.0 (X11; Linux x86_64)"

SWITCH_OFF: Final = "UPDATE pgauthkit.users SET is_active = false"
SWITCH_ON: Final = "UPDATE pgauthkit.users SET is_active = true"
EXPIRE: Final = "UPDATE pgauthkit.magic_links SET expires_at = expires_at - interval '1 h'"
PROLONG: Final = "UPDATE pgauthkit.magic_links SET expires_at = expires_at + interval '1 h'"
RENAME: Final = "UPDATE pgauthkit.users SET email = 'x' || email"
RENAME_BACK: Final = "UPDATE pgauthkit.users SET email = substr(email, 2)"

USES = {
    "peek": lambda auth, token: auth.peek_magic_link(token),
    "verify": lambda auth, token: auth.verify_magic_link(token),
}


@pytest.fixture(params=USES)
def use(request: pytest.FixtureRequest) -> Callable[[AuthService, str], object]:
    """Peeks, then verifies."""
    return USES[request.param]


def token_of(link: IssuedMagicLink) -> str:
    return link.token.reveal()


class TestRequest:
    def test_what_the_host_gets(self, auth: AuthService, pgauthkit_clock: Clock) -> None:
        """A request gives the canonical address, a token, and an end ten minutes away; no code, and no binding."""
        link = auth.request_magic_link("  Ada@Example.COM ")

        expected = IssuedMagicLink(
            id=link.id,
            email=ADA,
            token=link.token,
            code=None,
            binding=None,
            redirect_to=None,
            expires_at=pgauthkit_clock() + TTL,
            should_send=True,
        )
        assert expected == link
        assert re.fullmatch(r"pgak_ml_[0-9A-Za-z]{51}", token_of(link))
        assert f"https://app.example.com/in?next=1&token={token_of(link)}" == link.url(
            "https://app.example.com/in?next=1"
        )

    def test_what_is_written(self, auth: AuthService, database: "Database", pgauthkit_clock: Clock) -> None:
        """The row has who asked, in canonical form, and no secret."""
        link = auth.request_magic_link("Ada@Example.com", redirect_to="/in", ip="::ffff:203.0.113.7", user_agent=AGENT)

        expected = (
            link.id,
            ADA,
            "/in",
            "203.0.113.7",
            AGENT,
            pgauthkit_clock(),
            link.expires_at,
            None,
            None,
            None,
            None,
            None,
            0,
        )
        rows = database.ask(
            "SELECT id, email, redirect_to, ip, user_agent, created_at, expires_at, used_at, revoked_at, user_id, "
            "code_hash, binding_hash, attempts FROM pgauthkit.magic_links"
        )
        assert [expected] == rows
        assert token_of(link) not in str(database.contents())
        assert SecretToken.parse(Kind.MAGIC_LINK, token_of(link)).secret not in database.contents()[1][0]

    def test_a_link_hangs_on_its_user_when_it_is_used(
        self, auth: AuthService, database: "Database", sign_in: "SigningIn"
    ) -> None:
        """A link for an address with an account refers to its user from its use on; before, it would take longer."""
        user_id = sign_in().user.user_id
        link = auth.request_magic_link(ADA)
        whose = "SELECT user_id FROM pgauthkit.magic_links WHERE id = %s"
        assert database.ask(whose, link.id) == [(None,)]
        auth.verify_magic_link(link.token.reveal())
        assert [(user_id,)] == database.ask(whose, link.id)

    @pytest.mark.parametrize(
        ("known", "active", "open_", "should_send"),
        [
            (False, True, True, True),
            (False, True, False, False),
            (True, True, True, True),
            (True, True, False, True),
            (True, False, True, False),
            (True, False, False, False),
        ],
    )
    def test_whom_to_send(
        self,
        *,
        configured: "Configured",
        database: "Database",
        sign_in: "SigningIn",
        known: bool,
        active: bool,
        open_: bool,
        should_send: bool,
    ) -> None:
        """Mail goes to an active user, and to a new one where sign-up is open; nothing else tells them apart."""
        if known:
            sign_in()
        database.tell("UPDATE pgauthkit.users SET is_active = %s", active)
        links = "SELECT count(*) FROM pgauthkit.magic_links WHERE used_at IS NULL"

        link = configured(allow_sign_up=open_).request_magic_link(ADA, redirect_to="/in", bind=True)

        assert should_send is link.should_send
        expected = (ADA, "/in", True, True, None)
        assert expected == (link.email, link.redirect_to, bool(link.token), bool(link.binding), link.code)
        assert database.ask(links) == [(1,)]

    @pytest.mark.parametrize("email", ["", "ada", "ada@", "ada@example.com, eve@example.com", "ada@exa\r\nmple.com"])
    def test_no_address(self, auth: AuthService, database: "Database", email: str) -> None:
        """What is no address is refused, writes nothing, and takes from no limit."""
        with pytest.raises(InvalidEmailError):
            auth.request_magic_link(email, ip="203.0.113.7")
        assert database.contents() == [[], [], [], [], []]

    @pytest.mark.parametrize(
        "target", ["//evil.example", "https://evil.example/in", "in", "/\\evil.example", "/a\nb", ""]
    )
    def test_a_redirect_that_leads_elsewhere(self, auth: AuthService, database: "Database", target: str) -> None:
        """A redirect to anywhere but a path is refused, writes nothing, and takes from no limit."""
        with pytest.raises(InvalidRedirectError):
            auth.request_magic_link(ADA, redirect_to=target, ip="203.0.113.7")
        assert database.contents() == [[], [], [], [], []]

    @pytest.mark.parametrize("target", [None, "/inbox?unread=1#top", "https://app.example.com/docs/a"])
    def test_a_redirect_comes_back(self, configured: "Configured", target: str | None) -> None:
        """A path, or an allowed address, is in the link, in its preview, and in the sign-in."""
        auth = configured(allowed_redirects=("https://app.example.com/docs",))
        link = auth.request_magic_link(ADA, redirect_to=target)
        seen = auth.peek_magic_link(token_of(link)).redirect_to
        assert (target, target, target) == (link.redirect_to, seen, auth.verify_magic_link(token_of(link)).redirect_to)

    def test_older_links_stay_good(self, auth: AuthService) -> None:
        """A stranger who asks for links does not end the owner's."""
        first = auth.request_magic_link(ADA)
        for _ in range(5):
            auth.request_magic_link(ADA)
        assert auth.verify_magic_link(token_of(first)).user.email == ADA

    def test_links_differ(self, auth: AuthService) -> None:
        """No two requests give the same id or token."""
        links = [auth.request_magic_link(ADA) for _ in range(3)]
        assert len({link.id for link in links}) == 3
        assert len({link.token for link in links}) == 3

    @pytest.mark.parametrize(
        ("given", "kept"), [("x" * 600, "x" * 512), ("a\0b", "ab"), ("a\ud800b", "a?b"), ("", None), (None, None)]
    )
    def test_browsers_are_made_fit(
        self, auth: AuthService, database: "Database", given: str | None, kept: str | None
    ) -> None:
        """A browser's name is cut and cleaned, never refused, for links and sessions alike."""
        auth.verify_magic_link(token_of(auth.request_magic_link(ADA, user_agent=given)), user_agent=given)
        both = "SELECT l.user_agent, s.user_agent FROM pgauthkit.magic_links l, pgauthkit.sessions s"
        assert [(kept, kept)] == database.ask(both)

    @pytest.mark.parametrize(
        ("given", "kept"),
        [("::ffff:203.0.113.7", "203.0.113.7"), ("2001:DB8::0:1", "2001:db8::1"), ("proxy\0", "proxy"), ("", None)],
    )
    def test_ips_are_made_fit(self, auth: AuthService, database: "Database", given: str, kept: str | None) -> None:
        """An ip is kept in its canonical spelling, and what is none as text, for links and sessions alike."""
        auth.verify_magic_link(token_of(auth.request_magic_link(ADA, ip=given)), ip=given)
        both = "SELECT l.ip, s.ip FROM pgauthkit.magic_links l, pgauthkit.sessions s"
        assert [(kept, kept)] == database.ask(both)


class TestPeek:
    def test_what_a_page_may_show(self, auth: AuthService, database: "Database") -> None:
        """A preview has the address, the redirect and the end; it changes nothing, however often."""
        link = auth.request_magic_link(ADA, redirect_to="/in")
        before = database.contents()

        previews = [auth.peek_magic_link(token_of(link)) for _ in range(2)]

        assert [MagicLinkPreview(email=ADA, redirect_to="/in", expires_at=link.expires_at)] * 2 == previews
        assert before == database.contents()

    def test_no_binding_is_asked(self, configured: "Configured") -> None:
        """A mail scanner, and another browser, may look at a bound link."""
        auth = configured(require_binding=True)
        assert auth.peek_magic_link(token_of(auth.request_magic_link(ADA, bind=True))).email == ADA


class TestVerify:
    @pytest.mark.pg18
    def test_the_first_sign_in_makes_the_account(
        self, auth: AuthService, database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """An unknown address gets an account, as a user, and a session with the default times."""
        link = auth.request_magic_link(ADA)
        now = pgauthkit_clock.move(timedelta(minutes=1))

        signed_in = auth.verify_magic_link(token_of(link), ip="203.0.113.7", user_agent=AGENT)

        user, tokens = signed_in.user, signed_in.tokens
        expected = Identity(
            user_id=user.user_id,
            email=ADA,
            role=UserRole.USER,
            session_id=tokens.session_id,
            authenticated_at=now,
            expires_at=now + timedelta(minutes=15),
        )
        assert expected == user
        assert now == user.asked_at
        assert user.is_fresh(timedelta())
        assert signed_in.created is True
        assert re.fullmatch(r"pgak_at_[0-9A-Za-z]{80}", tokens.access_token.reveal())
        assert re.fullmatch(r"pgak_rt_[0-9A-Za-z]{80}", tokens.refresh_token.reveal())
        assert (now + timedelta(minutes=15), now + timedelta(days=14)) == (
            tokens.access_expires_at,
            tokens.refresh_expires_at,
        )
        row = (user.user_id, ADA, "USER", True, now, now, now)
        assert [row] == database.ask(
            "SELECT id, email, role, is_active, last_login_at, created_at, updated_at FROM pgauthkit.users"
        )

    def test_the_row_of_a_session(self, auth: AuthService, database: "Database", pgauthkit_clock: Clock) -> None:
        """A session begins with its times, who asked, nothing of an earlier pair, and no secret."""
        signed_in = auth.verify_magic_link(token_of(auth.request_magic_link(ADA)), ip="203.0.113.7", user_agent=AGENT)

        now = pgauthkit_clock()
        times = (now, now, now, now + timedelta(minutes=15), now + timedelta(days=14), now + timedelta(days=30))
        expected = (
            signed_in.tokens.session_id,
            signed_in.user.user_id,
            *times,
            "203.0.113.7",
            packed(AGENT),
            *[None] * 6,
        )
        assert [expected] == database.ask(
            "SELECT id, user_id, created_at, authenticated_at, last_used_at, access_expires_at, idle_expires_at, "
            "expires_at, ip, user_agent, previous_access_token_hash, previous_access_expires_at, "
            "previous_refresh_token_hash, rotation_nonce, rotated_at, revoked_at FROM pgauthkit.sessions"
        )

    def test_a_later_sign_in_finds_the_account(
        self, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """A known address signs in as the same user, and last_login_at moves."""
        first, made_at = sign_in(), pgauthkit_clock()
        now = pgauthkit_clock.move(timedelta(days=1))

        second = sign_in("ADA@example.com")

        assert (first.created, second.created) == (True, False)
        assert first.user.user_id == second.user.user_id
        assert first.tokens.session_id != second.tokens.session_id
        assert [(made_at, now, now)] == database.ask(
            "SELECT created_at, last_login_at, updated_at FROM pgauthkit.users"
        )

    def test_the_role_is_the_users(self, database: "Database", sign_in: "SigningIn") -> None:
        """Whoever was made an administrator signs in as one."""
        sign_in()
        database.tell("UPDATE pgauthkit.users SET role = 'ADMIN'")
        assert sign_in().user.role is UserRole.ADMIN

    def test_an_account_made_in_between_is_taken(
        self, auth: AuthService, database: "Database", pgauthkit_clock: Clock
    ) -> None:
        """A link that was asked for before the account was made signs in to it."""
        link = auth.request_magic_link(ADA)
        database.tell("INSERT INTO pgauthkit.users (id, email) VALUES ('made elsewhere', %s)", ADA)

        signed_in = auth.verify_magic_link(token_of(link))

        assert (signed_in.user.user_id, signed_in.created) == ("made elsewhere", False)
        assert [("made elsewhere", pgauthkit_clock())] == database.ask(
            "SELECT user_id, used_at FROM pgauthkit.magic_links"
        )

    def test_a_link_signs_in_once(self, auth: AuthService, database: "Database", use: Callable[..., object]) -> None:
        """A link that was used is known as used, even when its time is over, and nothing more comes of it."""
        token = token_of(auth.request_magic_link(ADA))
        auth.verify_magic_link(token)
        before = database.contents()
        with pytest.raises(TokenAlreadyUsedError):
            use(auth, token)
        assert before == database.contents()

    def test_used_is_said_before_expired(
        self, auth: AuthService, use: Callable[..., object], pgauthkit_clock: Clock
    ) -> None:
        """A link that was used and whose time is over is known as used."""
        token = token_of(auth.request_magic_link(ADA))
        auth.verify_magic_link(token)
        pgauthkit_clock.move(timedelta(days=1))
        with pytest.raises(TokenAlreadyUsedError):
            use(auth, token)

    def test_the_other_links_of_the_address_end(self, auth: AuthService, use: Callable[..., object]) -> None:
        """With one link used, older and newer ones of the address have expired."""
        older, used, newer = [token_of(auth.request_magic_link(ADA)) for _ in range(3)]
        auth.verify_magic_link(used)
        for token in (older, newer):
            with pytest.raises(TokenExpiredError):
                use(auth, token)

    def test_links_of_others_stay_good(self, auth: AuthService, database: "Database") -> None:
        """With one link used, those of other addresses are as good as before, and used ones are not marked again."""
        before, other = auth.request_magic_link(ADA), auth.request_magic_link("eve@example.com")
        auth.verify_magic_link(token_of(before))
        auth.verify_magic_link(token_of(auth.request_magic_link(ADA)))
        assert auth.peek_magic_link(token_of(other)).email == "eve@example.com"
        assert database.ask("SELECT 1 FROM pgauthkit.magic_links WHERE revoked_at IS NOT NULL") == []

    def test_good_until_the_last_microsecond(
        self, configured: "Configured", use: Callable[..., object], pgauthkit_clock: Clock
    ) -> None:
        """A link is good for its time less a microsecond, and expired when its time has passed."""
        auth = configured(magic_link_ttl=timedelta(hours=1))
        token = token_of(auth.request_magic_link(ADA))
        pgauthkit_clock.move(timedelta(hours=1))
        with pytest.raises(TokenExpiredError):
            use(auth, token)
        pgauthkit_clock.move(-INSTANT)
        use(auth, token)

    def test_unknown(self, auth: AuthService, use: Callable[..., object]) -> None:
        """A well-formed token that nobody was given is invalid."""
        auth.request_magic_link(ADA)
        with pytest.raises(InvalidTokenError):
            use(auth, UNKNOWN)

    @pytest.mark.parametrize(
        ("hinder", "mend", "open_", "error"),
        [
            (SWITCH_OFF, SWITCH_ON, True, UserInactiveError),
            (SWITCH_OFF, SWITCH_ON, False, UserInactiveError),
            (EXPIRE, PROLONG, True, TokenExpiredError),
            (RENAME, RENAME_BACK, False, SignUpClosedError),
        ],
        ids=["inactive", "inactive, sign-up closed", "expired", "unknown, sign-up closed"],
    )
    def test_a_refusal_changes_nothing(
        self,
        *,
        configured: "Configured",
        database: "Database",
        sign_in: "SigningIn",
        hinder: LiteralString,
        mend: LiteralString,
        open_: bool,
        error: type[AuthenticationError],
    ) -> None:
        """Whoever is refused for now may use the very same link when the reason is gone."""
        sign_in()
        auth = configured(allow_sign_up=open_)
        token = token_of(auth.request_magic_link(ADA))
        database.tell(hinder)
        before = database.contents()

        with pytest.raises(error):
            auth.verify_magic_link(token)

        assert before == database.contents()
        database.tell(mend)
        assert auth.verify_magic_link(token).user.email == ADA

    def test_closed_sign_up_lets_the_known_in(self, configured: "Configured", sign_in: "SigningIn") -> None:
        """With sign-up closed, who has an account signs in."""
        known = sign_in().user.user_id
        assert known == sign_in(by=configured(allow_sign_up=False)).user.user_id
