"""Each rule finds what it is for, in histories that were made up."""

from collections.abc import Callable, Iterable
from datetime import UTC, datetime

import attrs
import pytest
from tests.races.histories.checking import RULES, History
from tests.races.histories.playing import Call, Letter

from pgauthkit.errors import (
    ApprovalPendingError,
    InvalidCodeError,
    RefreshTokenReusedError,
    SessionRevokedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
)
from pgauthkit.secret import Secret
from pgauthkit.values import EmailChange, Identity, IssuedMagicLink, SignIn, TokenPair, UserRole

NOW = datetime(2026, 1, 1, tzinfo=UTC)
SECRET = Secret("pgak_…")


def pair(session: str, refresh: str = "first") -> TokenPair:
    token = Secret(f"{session} {refresh}")
    return TokenPair(
        session_id=session, access_token=token, refresh_token=token, access_expires_at=NOW, refresh_expires_at=NOW
    )


def identity(user: str = "ada", session: str = "s1") -> Identity:
    return Identity(
        user_id=user,
        email=f"{user}@example.com",
        role=UserRole.USER,
        session_id=session,
        authenticated_at=NOW,
        expires_at=NOW,
    )


def signed_in(session: str = "s1", *, user: str = "ada", known_device: bool = False) -> SignIn:
    tokens = pair(session)
    return SignIn(user=identity(user, session), tokens=tokens, device=Secret("dv"), known_device=known_device)


def letter(purpose: str = "request", asked: float = 0.0, name: str = "l1") -> Letter:
    link = IssuedMagicLink(
        id=name, email="ada@example.com", token=SECRET, code=SECRET, expires_at=NOW, redirect_to=None, should_send=True
    )
    return Letter(link, purpose, asked, asked + 0.5, "ada")


def history(*calls: tuple[str, object, object]) -> History:
    """Calls one after another, from the first second on; the database has what came of them."""
    found = History(
        [Call(move, about, number, number + 0.5, outcome) for number, (move, about, outcome) in enumerate(calls, 1)]
    )
    found.sessions = set(found.owners())
    found.used = {call.about.link.id for call in found.done("verify", "code", "claim", "confirm")}
    return found


L, H = letter(), letter("request_handoff")
MOVED = EmailChange(user_id="ada", old_email="ada@old.example", email="ada@example.com", ended=[])
WRONG = InvalidCodeError(4)
PENDING = ApprovalPendingError(NOW - NOW, NOW)
P, Q = pair("s1"), pair("s1", "second")
IN = ("verify", L, signed_in())
INVITED = ("verify", letter("invite"), signed_in())
NEW = ("invite", "ada@example.com", letter("invite", 1, "l2").link)
ALIVE = ("authenticate", P, identity())
REFUSED = {
    "only_errors_of_the_contract": history(("verify", L, KeyError("x"))),
    "a_letter_is_one_session": history(IN, ("code", L, signed_in("s2"))),
    "a_change_happens_once": history(("confirm", L, MOVED), ("confirm", L, MOVED)),
    "used_is_used": history(IN, ("verify", L, TokenExpiredError())),
    "used_by_somebody": history(("verify", L, TokenAlreadyUsedError())),
    "each_try_counts_once": history(("wrong_code", L, WRONG), ("wrong_code", L, InvalidCodeError(4))),
    "the_ended_stay_ended": history(IN, ("revoke", "ada", ["s1"]), ALIVE),
    "signed_out_is_out": history(IN, ("sign_out", P, "done"), ALIVE),
    "theft_ends_a_session": history(IN, ("refresh", P, RefreshTokenReusedError()), ALIVE),
    "one_successor": history(IN, ("refresh", P, Q), ("refresh", P, pair("s1", "third"))),
    "ended_by_somebody": history(IN, ("authenticate", P, SessionRevokedError())),
    "nobody_inactive_is_let_in": history(("deactivate", "ada", []), ("open", "ada", signed_in())),
    "a_moved_address_has_no_old_links": history(("change", ("ada", "ada@example.com"), []), IN),
    "a_claim_was_approved": history(("claim", H, signed_in())),
    "a_claim_that_waits_was_not_approved": history(("approve", H, None), ("claim", H, PENDING)),
    "withdrawn_is_withdrawn": history(("withdraw", L, True), IN),
    "a_new_invitation_replaces_the_old": history(
        ("invite", "ada@example.com", letter("invite", 1, "l2").link), INVITED
    ),
    "only_the_invited_are_admins": attrs.evolve(history(IN), admins={"ada@example.com"}),
    "the_database_has_what_was_told": attrs.evolve(history(IN), used=set()),
    "a_known_device_is_of_its_user": history(("verify", L, signed_in(known_device=True))),
}


@pytest.mark.parametrize("rule", RULES)
def test_it_finds(rule: Callable[[History], Iterable[object]]) -> None:
    """A rule refuses the history that was made for it."""
    assert list(rule(REFUSED[rule.__name__]))


def test_a_good_one() -> None:
    """What may happen is refused by none."""
    good = history(
        IN, ALIVE, ("refresh", P, Q), ("sign_out", Q, None), ("authenticate", Q, SessionRevokedError()), INVITED
    )
    assert [rule.__name__ for rule in RULES if list(rule(good))] == []


@pytest.mark.parametrize(
    ("call", "said"),
    [
        (IN, "about=request l1 ada@example.com, begun=1, ended=1.5, outcome=ada@example.com in s1,"),
        (ALIVE, "about=TokenPair s1, begun=1, ended=1.5, outcome=Identity s1,"),
        (("revoke", "ada", PENDING), "about=str ada, begun=1, ended=1.5, outcome=ApprovalPendingError "),
    ],
)
def test_a_call_is_shown_in_a_line(call: tuple[str, object, object], said: str) -> None:
    """What a rule finds can be read: which letter and session, and no more of them."""
    (shown,) = map(repr, history(call).log)
    assert said in shown
