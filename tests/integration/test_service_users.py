"""Users: switched off and on, moved to another address."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from pgauthkit import AuthService
from pgauthkit.errors import (
    InvalidEmailError,
    NotFoundError,
    SessionRevokedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    UniqueViolationError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, SignIn, UserInfo, UserRole

if TYPE_CHECKING:
    from tests.integration.conftest import Database, SigningIn

ADA, EVE, NEW = "ada@example.com", "eve@example.com", "countess@example.com"

SWITCHES = {
    "deactivate": lambda auth, user_id: auth.deactivate_user(user_id),
    "activate": lambda auth, user_id: auth.activate_user(user_id),
}
Switch = Callable[[AuthService, str], list[str]]


@pytest.fixture(params=SWITCHES)
def switch(request: pytest.FixtureRequest) -> Switch:
    """Deactivates, then activates."""
    return SWITCHES[request.param]


@pytest.fixture
def ada(sign_in: "SigningIn") -> SignIn:
    return sign_in(ADA)


class TestFindUser:
    def test_found(self, auth: AuthService, ada: SignIn, pgauthkit_clock: Clock) -> None:
        """A user is found by the address however it is written, with what the row says."""
        found = auth.find_user(" Ada@Example.COM")
        assert found == UserInfo(
            id=ada.user.user_id,
            email=ADA,
            role=UserRole.USER,
            is_active=True,
            last_login_at=pgauthkit_clock(),
            created_at=pgauthkit_clock(),
        )

    def test_inactive(self, auth: AuthService, ada: SignIn) -> None:
        """A user who was deactivated is found, and said to be inactive."""
        auth.deactivate_user(ada.user.user_id)
        found = auth.find_user(ADA)
        assert found
        assert not found.is_active

    def test_nobody(self, auth: AuthService) -> None:
        """An address without an account gives None."""
        assert auth.find_user(EVE) is None

    def test_no_address(self, auth: AuthService) -> None:
        """What is no address is refused."""
        with pytest.raises(InvalidEmailError):
            auth.find_user("nobody")


def access(signed_in: SignIn) -> str:
    return signed_in.tokens.access_token.reveal()


def refresh(signed_in: SignIn) -> str:
    return signed_in.tokens.refresh_token.reveal()


class TestSwitch:
    def test_sessions_and_links_end(
        self, auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock, switch: Switch
    ) -> None:
        """Either way every session is ended and every pending link is; what is used, and others', is left alone.

        To be switched on the user is off, by another hand than ours.
        """
        mine = [sign_in(ADA) for _ in range(3)]
        auth.sign_out(access(mine[0]))
        other = sign_in(EVE)
        others_link = auth.request_magic_link(EVE).token.reveal()
        links = [auth.request_magic_link(ADA).token.reveal() for _ in range(2)]
        pgauthkit_clock.move(timedelta(minutes=1))
        database.tell(
            "UPDATE pgauthkit.users SET is_active = %s WHERE email = %s", switch is SWITCHES["deactivate"], ADA
        )

        ended = switch(auth, mine[0].user.user_id)
        database.tell("UPDATE pgauthkit.users SET is_active = true")

        assert {one.tokens.session_id for one in mine[1:]} == set(ended)
        for link in links:
            with pytest.raises(TokenExpiredError):
                auth.verify_magic_link(link)
        for one in mine:
            with pytest.raises(SessionRevokedError):
                auth.authenticate(access(one))
            with pytest.raises(SessionRevokedError):
                auth.refresh(refresh(one))
        auth.authenticate(access(other))
        assert auth.peek_magic_link(others_link).email == EVE
        now = pgauthkit_clock()
        assert [(now,)] == database.ask("SELECT updated_at FROM pgauthkit.users WHERE email = %s", ADA)
        assert database.ask("SELECT count(*) FROM pgauthkit.magic_links WHERE revoked_at = %s", now) == [(2,)]
        assert database.ask("SELECT count(*) FROM pgauthkit.sessions WHERE revoked_at = %s", now) == [(2,)]

    def test_used_links_stay_used(self, auth: AuthService, database: "Database", switch: Switch) -> None:
        """A link that was used is still known as used."""
        link = auth.request_magic_link(ADA).token.reveal()
        switch(auth, auth.verify_magic_link(link).user.user_id)
        with pytest.raises(TokenAlreadyUsedError):
            auth.verify_magic_link(link)
        assert database.ask("SELECT revoked_at FROM pgauthkit.magic_links") == [(None,)]

    def test_again(self, auth: AuthService, ada: SignIn, switch: Switch) -> None:
        """The second time there is nothing left to end."""
        switch(auth, ada.user.user_id)
        assert switch(auth, ada.user.user_id) == []

    def test_on_already(self, auth: AuthService, database: "Database", ada: SignIn, events: list[AuthEvent]) -> None:
        """To activate who is active ends nothing, kills no link, and tells the audit log nothing."""
        auth.request_magic_link(ADA)
        before, told = database.contents(), list(events)
        assert auth.activate_user(ada.user.user_id) == []
        assert (before, told) == (database.contents(), events)

    def test_nobody(self, auth: AuthService, database: "Database", switch: Switch) -> None:
        """There must be such a user."""
        auth.request_magic_link(ADA)
        before = database.contents()
        with pytest.raises(NotFoundError, match="no such user") as caught:
            switch(auth, "nobody")
        assert caught.value.table == "users"
        assert before == database.contents()


def test_inactive_means_out(auth: AuthService, database: "Database", ada: SignIn) -> None:
    """Whoever was deactivated gets no mail, no session, and nothing for a link that was asked for since."""
    auth.deactivate_user(ada.user.user_id)
    assert database.ask("SELECT is_active FROM pgauthkit.users") == [(False,)]
    link = auth.request_magic_link(ADA)
    assert link.should_send is False
    with pytest.raises(UserInactiveError):
        auth.verify_magic_link(link.token.reveal())
    with pytest.raises(UserInactiveError):
        auth.open_session(ada.user.user_id)
    assert auth.list_sessions(ada.user.user_id) == []


def test_active_again_means_to_sign_in_anew(
    auth: AuthService, database: "Database", ada: SignIn, sign_in: "SigningIn"
) -> None:
    """What was ended by the deactivation stays ended; a new link signs in to the same account."""
    auth.deactivate_user(ada.user.user_id)
    asked_while_inactive = auth.request_magic_link(ADA).token.reveal()
    assert auth.activate_user(ada.user.user_id) == []
    assert database.ask("SELECT is_active FROM pgauthkit.users") == [(True,)]
    with pytest.raises(SessionRevokedError):
        auth.authenticate(access(ada))
    with pytest.raises(TokenExpiredError):
        auth.verify_magic_link(asked_while_inactive)
    again = sign_in(ADA)
    assert (ada.user.user_id, False) == (again.user.user_id, again.created)


def test_a_sign_in_that_was_under_way(auth: AuthService, database: "Database", ada: SignIn) -> None:
    """A session that only the inactive user kept out is ended by the activation."""
    database.tell("UPDATE pgauthkit.users SET is_active = false")
    with pytest.raises(UserInactiveError):
        auth.authenticate(access(ada))
    assert [ada.tokens.session_id] == auth.activate_user(ada.user.user_id)
    with pytest.raises(SessionRevokedError):
        auth.authenticate(access(ada))


class TestChangeOfAddress:
    def test_the_user_moves(
        self, auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock
    ) -> None:
        """The account goes by the new address, in canonical form; whoever has the old one gets a new account."""
        ada = sign_in(ADA)
        now = pgauthkit_clock.move(timedelta(minutes=1))
        assert [ada.tokens.session_id] == auth.change_email(ada.user.user_id, " Countess@Example.COM")
        assert [(NEW, now)] == database.ask("SELECT email, updated_at FROM pgauthkit.users")
        assert ada.user.user_id == sign_in(NEW).user.user_id
        assert sign_in(ADA).created is True

    def test_sessions_end_but_one(self, auth: AuthService, sign_in: "SigningIn") -> None:
        """Every session but the one to keep is ended; the kept one goes by the new address."""
        gone, kept, other = sign_in(ADA), sign_in(ADA), sign_in(EVE)
        ended = auth.change_email(kept.user.user_id, NEW, keep_session=kept.tokens.session_id)
        assert [gone.tokens.session_id] == ended
        assert auth.authenticate(access(kept)).email == NEW
        with pytest.raises(SessionRevokedError):
            auth.authenticate(access(gone))
        assert auth.authenticate(access(other)).email == EVE

    @pytest.mark.parametrize("keep", [None, "", "unknown", "a\0b", "a\ud800b"])
    def test_nothing_to_keep(self, auth: AuthService, ada: SignIn, keep: str | None) -> None:
        """Where nothing is kept, every session is ended; what cannot be an id keeps nothing."""
        assert [ada.tokens.session_id] == auth.change_email(ada.user.user_id, NEW, keep_session=keep)

    def test_links_of_both_addresses_end(self, auth: AuthService, database: "Database", ada: SignIn) -> None:
        """Pending links of the old address and of the new one are ended, and those of others are not."""
        links = [auth.request_magic_link(email).token.reveal() for email in (ADA, NEW, EVE)]
        auth.change_email(ada.user.user_id, NEW)
        for link in links[:2]:
            with pytest.raises(TokenExpiredError):
                auth.peek_magic_link(link)
        assert auth.peek_magic_link(links[2]).email == EVE
        assert database.ask("SELECT count(*) FROM pgauthkit.magic_links WHERE revoked_at IS NOT NULL") == [(2,)]

    def test_to_the_same_address(self, auth: AuthService, database: "Database", ada: SignIn) -> None:
        """A change to the same address is one: sessions are ended."""
        assert [ada.tokens.session_id] == auth.change_email(ada.user.user_id, ADA.upper())
        assert database.ask("SELECT email FROM pgauthkit.users") == [(ADA,)]

    def test_of_an_inactive_user(self, auth: AuthService, database: "Database", ada: SignIn) -> None:
        """An inactive user is moved, and stays inactive."""
        auth.deactivate_user(ada.user.user_id)
        assert auth.change_email(ada.user.user_id, NEW) == []
        assert database.ask("SELECT email, is_active FROM pgauthkit.users") == [(NEW, False)]

    def test_taken(self, auth: AuthService, database: "Database", sign_in: "SigningIn") -> None:
        """An address of another user is refused, with what is in the way and no value in it, and changes nothing."""
        ada = sign_in(ADA)
        sign_in(EVE)
        auth.request_magic_link(ADA)
        before = database.contents()
        with pytest.raises(UniqueViolationError) as caught:
            auth.change_email(ada.user.user_id, EVE)
        error = caught.value
        assert (error.constraint, error.columns, error.table) == ("uq_users_email", ("email",), "users")
        assert EVE not in str(error)
        assert (error.__cause__, error.__context__) == (None, None)
        assert before == database.contents()
        auth.authenticate(access(ada))

    @pytest.mark.parametrize("email", ["", "ada", "ada@", "a\0b@example.com"])
    def test_no_address(self, auth: AuthService, database: "Database", ada: SignIn, email: str) -> None:
        """What is no address is refused, and changes nothing."""
        before = database.contents()
        with pytest.raises(InvalidEmailError):
            auth.change_email(ada.user.user_id, email)
        assert before == database.contents()

    def test_nobody(self, auth: AuthService, database: "Database") -> None:
        """There must be such a user; links of the address that nobody moved to stay good."""
        auth.request_magic_link(NEW)
        before = database.contents()
        with pytest.raises(NotFoundError, match="no such user") as caught:
            auth.change_email("nobody", NEW)
        assert caught.value.table == "users"
        assert before == database.contents()
