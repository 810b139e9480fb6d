"""Check a history: what may never come of calls, in whatever order the server took them.

Of two calls at once nobody can say which was first. So a rule speaks only of calls that began after another had ended.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final, cast

import attrs
from tests.races.histories.playing import Call, Letter

from pgauthkit.errors import (
    ApprovalPendingError,
    AuthenticationError,
    InvalidCodeError,
    NotFoundError,
    RefreshTokenReusedError,
    SessionRevokedError,
    TokenAlreadyUsedError,
    TooManyAttemptsError,
    UniqueViolationError,
)
from pgauthkit.values import EmailChange, SignIn, TokenPair

__all__ = ["RULES", "History"]

SIGN_INS: Final = ("verify", "code", "claim")
ATTEMPTS: Final = 5
ON_TOKENS: Final = ("authenticate", "refresh")


@attrs.define
class History:
    """The calls of a history, and how its database was left.

    Attributes:
        log: the calls.
        used: the ids of the links that the database says are used.
        sessions: the ids of all sessions.
        admins: the addresses of the users with that role.
    """

    log: list[Call]
    used: set[str] = attrs.field(factory=set)
    sessions: set[str] = attrs.field(factory=set)
    admins: set[str] = attrs.field(factory=set)

    def of(self, *moves: str) -> list[Call]:
        """Return the calls of these kinds."""
        return [call for call in self.log if call.move in moves]

    def done(self, *moves: str) -> list[Call]:
        """Return those that did something which was committed."""
        return [call for call in self.of(*moves) if call.kept and not isinstance(call.outcome, Exception)]

    def opened(self) -> list[tuple[SignIn, Call]]:
        """Return what opened a session, or gave one again."""
        return [(call.outcome, call) for call in self.done(*SIGN_INS, "open") if isinstance(call.outcome, SignIn)]

    def sign_ins(self) -> list[tuple[Letter, SignIn, Call]]:
        """Return the sign-ins by a letter."""
        return [(call.about, found, call) for found, call in self.opened() if call.move in SIGN_INS]

    def owners(self) -> Mapping[str, str]:
        """Return the user of each session."""
        return {found.tokens.session_id: found.user.user_id for found, _ in self.opened()}

    def alive(self, session_id: str, *since: Call) -> list[tuple[Call, Call]]:
        """Return the calls which found a session alive that began after one of these had ended."""
        uses = [call for call in self.of(*ON_TOKENS) if call.about.session_id == session_id and is_good(call)]
        return [(end, use) for end in since for use in uses if use.begun > end.ended]


def is_good(call: Call) -> bool:
    """Tell whether somebody was let in, committed or not."""
    return call.outcome is not None and not isinstance(call.outcome, Exception)


def of_user(call: Call) -> str | None:
    """Return whose account a call is about."""
    if isinstance(call.about, Letter):
        return call.about.user_id
    about = call.about[0] if isinstance(call.about, tuple) else call.about
    return about if isinstance(about, str) else None


def session_of(call: Call) -> str | None:
    return call.about.session_id if isinstance(call.about, TokenPair) else None


def only_errors_of_the_contract(history: History) -> Iterable[Any]:
    known = (AuthenticationError, NotFoundError, UniqueViolationError)
    return [call for call in history.log if isinstance(call.outcome, Exception) and not isinstance(call.outcome, known)]


def a_letter_is_one_session(history: History) -> Iterable[Any]:
    opened: dict[str, set[str]] = {}
    for letter, found, _ in history.sign_ins():
        opened.setdefault(letter.link.id, set()).add(found.tokens.session_id)
    return [(link, sessions) for link, sessions in opened.items() if len(sessions) > 1]


def a_change_happens_once(history: History) -> Iterable[Any]:
    confirmed = [call.about.link.id for call in history.done("confirm")]
    return {link for link in confirmed if confirmed.count(link) > 1}


def used_is_used(history: History) -> Iterable[Any]:
    """Anyone who comes later learns so, but for the browser that used it."""
    return [
        (use, late)
        for letter, _, use in history.sign_ins()
        for late in history.of(*SIGN_INS)
        if late.about is letter and late.begun > use.ended and late.outcome is not None
        if not isinstance(late.outcome, (SignIn, TokenAlreadyUsedError, TooManyAttemptsError))
    ]


def used_by_somebody(history: History) -> Iterable[Any]:
    """A use that was rolled back is seen by nobody."""
    uses = history.done(*SIGN_INS, "approve", "confirm")
    return [
        call
        for call in history.of(*SIGN_INS, "wrong_code", "approve", "approve_wrong", "confirm")
        if isinstance(call.outcome, TokenAlreadyUsedError)
        and not any(use.about is call.about and use.begun < call.ended for use in uses)
    ]


def each_try_counts_once(history: History) -> Iterable[Any]:
    tries: dict[tuple[str, bool], list[int]] = {}
    for call in history.log:
        if call.kept and isinstance(call.outcome, InvalidCodeError):
            of_number = call.move == "approve_wrong"
            tries.setdefault((call.about.link.id, of_number), []).append(call.outcome.attempts_left)
    return [left for left in tries.values() if len(left) != len(set(left)) or len(left) > ATTEMPTS]


def the_ended_stay_ended(history: History) -> Iterable[Any]:
    ends = history.done("revoke", "deactivate", "change", "confirm")
    return [
        found
        for signed_in, opened in history.opened()
        for end in ends
        if of_user(end) == signed_in.user.user_id and opened.ended < end.begun
        for found in history.alive(signed_in.tokens.session_id, end)
    ]


def signed_out_is_out(history: History) -> Iterable[Any]:
    return [found for out in history.done("sign_out") for found in history.alive(out.about.session_id, out)]


def theft_ends_a_session(history: History) -> Iterable[Any]:
    thefts = [call for call in history.of("refresh") if call.kept and isinstance(call.outcome, RefreshTokenReusedError)]
    return [found for theft in thefts for found in history.alive(theft.about.session_id, theft)]


def one_successor(history: History) -> Iterable[Any]:
    after: dict[str, set[str]] = {}
    for call in history.done("refresh"):
        next_pair = cast("TokenPair", call.outcome)
        after.setdefault(call.about.refresh_token.reveal(), set()).add(next_pair.refresh_token.reveal())
    return [pairs for pairs in after.values() if len(pairs) > 1]


def ended_by_somebody(history: History) -> Iterable[Any]:
    owners = history.owners()
    ends = history.of("revoke", "deactivate", "activate", "change", "confirm", "sign_out", "refresh")
    return [
        call
        for call in history.of(*ON_TOKENS, "sign_out")
        if isinstance(call.outcome, SessionRevokedError)
        and not any(
            end.begun < call.ended
            and (session_of(end) == call.about.session_id or of_user(end) == owners.get(call.about.session_id))
            for end in ends
            if end is not call
        )
    ]


def nobody_inactive_is_let_in(history: History) -> Iterable[Any]:
    owners = history.owners()
    return [
        (off, call)
        for off in history.done("deactivate")
        for call in history.of(*ON_TOKENS, *SIGN_INS, "open")
        if is_good(call) and call.begun > off.ended and off.about in {owners.get(session_of(call) or ""), who(call)}
        if not any(
            on.about == off.about and off.begun < on.ended and on.begun < call.ended for on in history.of("activate")
        )
    ]


def who(call: Call) -> str | None:
    return call.outcome.user.user_id if isinstance(call.outcome, SignIn) else None


def a_moved_address_has_no_old_links(history: History) -> Iterable[Any]:
    moves = [(call.about[1], call) for call in history.done("change")]
    for call in history.done("confirm"):
        change = cast("EmailChange", call.outcome)
        moves += [(change.old_email, call), (change.email, call)]
    return [
        (move, use)
        for email, move in moves
        for letter, _, use in history.sign_ins()
        if letter.link.email == email and letter.ended < move.begun and use.begun > move.ended
        if not is_repetition(history, letter, use)
    ]


def is_repetition(history: History, letter: Letter, use: Call) -> bool:
    return any(
        first is not use and first.about is letter and first.begun < use.begun for *_, first in history.sign_ins()
    )


def a_claim_was_approved(history: History) -> Iterable[Any]:
    return [
        call
        for letter, _, call in history.sign_ins()
        if call.move == "claim"
        and not any(one.about is letter and one.begun < call.ended for one in history.done("approve"))
    ]


def a_claim_that_waits_was_not_approved(history: History) -> Iterable[Any]:
    return [
        (approval, call)
        for approval in history.done("approve")
        for call in history.of("claim")
        if call.about is approval.about and call.begun > approval.ended
        if isinstance(call.outcome, ApprovalPendingError) and not history.of("deactivate")
    ]


def only_the_invited_are_admins(history: History) -> Iterable[Any]:
    invited = {letter.link.email for letter, *_ in history.sign_ins() if letter.purpose == "invite"}
    moved = {call.about[1] for call in history.of("change", "ask_to_move")}
    return history.admins - invited - moved


def withdrawn_is_withdrawn(history: History) -> Iterable[Any]:
    withdrawn = [call for call in history.done("withdraw") if call.outcome]
    return [
        (end, use)
        for end in withdrawn
        for letter, _, use in history.sign_ins()
        if letter is end.about and use.begun > end.ended
    ]


def a_new_invitation_replaces_the_old(history: History) -> Iterable[Any]:
    return [
        (new, use)
        for new in history.done("invite")
        for letter, _, use in history.sign_ins()
        if letter.purpose == "invite" and letter.link.email == new.about
        if letter.ended < new.begun and use.begun > new.ended
    ]


def a_known_device_is_of_its_user(history: History) -> Iterable[Any]:
    given = [(found.device.reveal(), found.user.user_id, call) for found, call in history.opened()]
    return [
        call
        for found, call in history.opened()
        if found.known_device
        and not any(
            call.device
            and device == call.device.reveal()
            and user_id == found.user.user_id
            and first.begun < call.ended
            for device, user_id, first in given
        )
    ]


def the_database_has_what_was_told(history: History) -> Iterable[Any]:
    used = {call.about.link.id for call in history.done("confirm")}
    used |= {letter.link.id for letter, *_ in history.sign_ins()}
    return (used ^ history.used) | (set(history.owners()) ^ history.sessions)


RULES: Final[list[Callable[[History], Iterable[Any]]]] = [
    only_errors_of_the_contract,
    a_letter_is_one_session,
    a_change_happens_once,
    used_is_used,
    used_by_somebody,
    each_try_counts_once,
    the_ended_stay_ended,
    signed_out_is_out,
    theft_ends_a_session,
    one_successor,
    ended_by_somebody,
    nobody_inactive_is_let_in,
    a_moved_address_has_no_old_links,
    a_claim_was_approved,
    a_claim_that_waits_was_not_approved,
    only_the_invited_are_admins,
    withdrawn_is_withdrawn,
    a_new_invitation_replaces_the_old,
    a_known_device_is_of_its_user,
    the_database_has_what_was_told,
]
