"""`revoke_all_sessions`: everybody is signed out, and nobody who comes later."""

from datetime import timedelta
from typing import TYPE_CHECKING, Any, cast

import pytest

from pgauthkit import AuthService
from pgauthkit.errors import ConfigError, SessionRevokedError, TokenExpiredError
from pgauthkit.testing import Clock
from pgauthkit.values import AuthEvent, SignIn

if TYPE_CHECKING:
    from tests.integration.conftest import Database, SigningIn

ADA, EVE = "ada@example.com", "eve@example.com"


def test_everybody(
    auth: AuthService, database: "Database", sign_in: "SigningIn", pgauthkit_clock: Clock, events: list[AuthEvent]
) -> None:
    """Every live session of every user ends, in batches, with every pending link; what ended before keeps its time."""
    people = [sign_in(email) for email in (ADA, EVE, ADA)]
    auth.sign_out(people[2].tokens.access_token.reveal())
    signed_out_at = pgauthkit_clock()
    link = auth.request_magic_link(ADA).token.reveal()
    now = pgauthkit_clock.move(timedelta(minutes=1))
    seen: list[int] = []
    events.clear()

    assert auth.revoke_all_sessions(batch_size=1, on_progress=seen.append) == 2

    assert (max(seen), sorted(seen)) == (2, seen)
    for one in people:
        with pytest.raises(SessionRevokedError):
            auth.authenticate(one.tokens.access_token.reveal())
    with pytest.raises(TokenExpiredError):
        auth.verify_magic_link(link)
    ends = database.ask("SELECT revoked_at FROM pgauthkit.sessions ORDER BY revoked_at")
    assert [(signed_out_at,), (now,), (now,)] == ends
    assert (events[0].kind, events[0].detail) == ("all_sessions_revoked", {"count": 2})
    assert auth.revoke_all_sessions() == 0


def test_invitations_stay(auth: AuthService, database: "Database") -> None:
    """An invitation is no sign-in of anybody yet, and is not ended; a used link stays used."""
    auth.verify_magic_link(auth.request_magic_link(EVE).token.reveal())
    for email in (ADA, EVE):
        auth.request_magic_link(email)
    database.tell("UPDATE pgauthkit.magic_links SET purpose = 'invite' WHERE email = %s", ADA)
    auth.revoke_all_sessions()
    rows = "SELECT email, used_at IS NOT NULL, revoked_at IS NOT NULL FROM pgauthkit.magic_links ORDER BY 1, 2"
    assert database.ask(rows) == [(ADA, False, False), (EVE, False, True), (EVE, True, False)]


def test_who_signs_in_meanwhile_stays(auth: AuthService, sign_in: "SigningIn", pgauthkit_clock: Clock) -> None:
    """A session that is opened while it runs is not ended by it."""
    old, new = sign_in(ADA), list[SignIn]()

    def sign_in_again(_count: int) -> None:
        pgauthkit_clock.move(timedelta(seconds=1))
        if not new:
            new.append(sign_in(EVE))

    assert auth.revoke_all_sessions(batch_size=1, on_progress=sign_in_again) == 1
    assert auth.authenticate(new[0].tokens.access_token.reveal()).email == EVE
    with pytest.raises(SessionRevokedError):
        auth.authenticate(old.tokens.access_token.reveal())


@pytest.mark.parametrize("size", [0, 1_000_001, True, 1.0])
def test_no_such_size(auth: AuthService, size: object) -> None:
    """A batch of no rows, or of too many, is refused."""
    with pytest.raises(ConfigError, match="batch_size must be 1 to 1,000,000"):
        auth.revoke_all_sessions(batch_size=cast("Any", size))
