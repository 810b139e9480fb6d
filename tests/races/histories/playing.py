"""Play random histories: each call is kept with what came of it, and when."""

import time
from collections.abc import Callable, Mapping
from random import Random
from typing import Any, Final

import attrs
from sqlalchemy import Engine, orm
from sqlalchemy.exc import DBAPIError

from pgauthkit import AuthService
from pgauthkit.errors import AuthenticationError, RetryableError
from pgauthkit.secret import Secret
from pgauthkit.values import IssuedMagicLink, SignIn, TokenPair, UserRole

Ask = Callable[[AuthService], Any]

CONFLICTS: Final = {"40001", "40P01"}
WRONG_CODE: Final = "BBBB-BBBB"


@attrs.frozen
class Letter:
    """A link that was mailed.

    Attributes:
        link: what the service gave out.
        purpose: the move that asked for it.
        begun: when it was asked for.
        ended: when the answer came.
        user_id: whose address shall be moved, where it is for that.
    """

    link: IssuedMagicLink
    purpose: str
    begun: float
    ended: float
    user_id: str | None = None


def _briefly(what: object) -> str:
    """Say which session or link it is, as a whole history would fill pages."""
    if isinstance(what, Letter):
        return f"{what.purpose} {what.link.id[-6:]} {what.link.email}"
    if isinstance(what, SignIn):
        return f"{what.user.email} in {what.tokens.session_id[-6:]}"
    return f"{type(what).__name__} {getattr(what, 'session_id', what)}"


@attrs.frozen
class Call:
    """A call of the service.

    Attributes:
        move: what was done, by its name in `MOVES`.
        about: the letter, the pair of tokens, or the id of the user, that it is about.
        begun: when it was sent.
        ended: when the answer came.
        outcome: what it returned or raised; None where the server had it tried again later.
        kept: whether what it did was committed.
        device: that of the browser.
    """

    move: str
    about: Any = attrs.field(repr=_briefly)
    begun: float
    ended: float
    outcome: object = attrs.field(repr=_briefly)
    kept: bool = True
    device: Secret | None = None


@attrs.define
class World:
    """What the people of one history have: mails, tokens, accounts; and what they did."""

    services: tuple[AuthService, AuthService]
    engine: Engine
    emails: list[str]
    letters: list[Letter] = attrs.field(factory=list)
    pairs: list[TokenPair] = attrs.field(factory=list)
    users: list[str] = attrs.field(factory=list)
    devices: list[Secret] = attrs.field(factory=list)
    log: list[Call] = attrs.field(factory=list)

    def play(self, random: Random) -> None:
        """Do one thing, and learn from it."""
        move = random.choices(list(MOVES), [often for often, _ in MOVES.values()])[0]
        self.do(move, random)

    def do(self, move: str, random: Random, how: int | None = None) -> Call:
        """Do this, in one of the ways of a host."""
        about, device = MOVES[move][1](self, random)
        ask = CALLS[move]
        begun = time.monotonic()
        way = random.choices(range(4), (4, 3, 2, 1))[0] if how is None else how
        kept, outcome = self._asked(way, lambda auth: ask(auth, about, device))
        call = Call(move, about, begun, time.monotonic(), outcome, kept=kept, device=device)
        self.log.append(call)
        if kept:
            self._learn(call)
        return call

    def _asked(self, way: int, ask: Ask) -> tuple[bool, object]:
        try:
            return self._in_a_transaction(ask, commits=way == 2) if way >= 2 else (True, ask(self.services[way]))
        except Exception as error:  # noqa: BLE001 - the rules know what is expected
            return (False, None) if _is_conflict(error) else (way != 3, error)

    def _in_a_transaction(self, ask: Ask, *, commits: bool) -> tuple[bool, object]:
        with orm.Session(self.engine) as db:
            end = db.commit if commits else db.rollback
            try:
                outcome = ask(self.services[0].within(db))
            except AuthenticationError:
                end()
                raise
            end()
            return commits, outcome

    def _learn(self, call: Call) -> None:
        outcome = call.outcome
        if isinstance(outcome, IssuedMagicLink):
            user_id = call.about[0] if call.move == "ask_to_move" else None
            self.letters.append(Letter(outcome, call.move, call.begun, call.ended, user_id))
        elif isinstance(outcome, SignIn):
            self.devices.append(outcome.device)
            self.pairs.append(outcome.tokens)
            self.users.append(outcome.user.user_id)
        elif isinstance(outcome, TokenPair):
            self.pairs.append(outcome)


def _is_conflict(error: Exception) -> bool:
    """Tell whether the server wants all of it again: also at the host's own commit."""
    cause = error.orig if isinstance(error, DBAPIError) else None
    return isinstance(error, RetryableError) or getattr(cause, "sqlstate", None) in CONFLICTS


def _letter(*purposes: str) -> Callable[[World, Random], tuple[Any, Secret | None]]:
    def choose(world: World, random: Random) -> tuple[Any, Secret | None]:
        letters = [letter for letter in list(world.letters) if letter.purpose in purposes]
        return random.choice(letters[-4:]), random.choice([None, *world.devices[-3:]])

    return choose


def _pair(world: World, random: Random) -> tuple[Any, None]:
    return random.choice(world.pairs[-4:]), None


def _user(world: World, random: Random) -> tuple[Any, Secret | None]:
    return random.choice(world.users), random.choice([None, *world.devices[-3:]])


def _email(world: World, random: Random) -> tuple[Any, Secret | None]:
    return random.choice(world.emails), random.choice([None, *world.devices[-3:]])


def _user_and_email(world: World, random: Random) -> tuple[Any, None]:
    return (random.choice(world.users), random.choice(world.emails)), None


_any_letter: Final = _letter("request", "request_bound", "request_handoff", "invite", "ask_to_move")
_to_sign_in: Final = _letter("request", "request_bound", "request_handoff")

# How often each is done, and about what.
MOVES: Final[Mapping[str, tuple[int, Callable[[World, Random], tuple[Any, Secret | None]]]]] = {
    "verify": (12, _any_letter),
    "code": (8, _to_sign_in),
    "wrong_code": (6, _to_sign_in),
    "approve": (7, _letter("request_handoff")),
    "approve_wrong": (3, _letter("request_handoff")),
    "claim": (9, _letter("request_handoff")),
    "confirm": (5, _letter("ask_to_move")),
    "withdraw": (2, _letter("invite")),
    "refresh": (16, _pair),
    "authenticate": (12, _pair),
    "sign_out": (3, _pair),
    "revoke": (4, _user),
    "deactivate": (3, _user),
    "activate": (4, _user),
    "open": (4, _user),
    "list": (2, _user),
    "forget_all": (2, _user),
    "change": (3, _user_and_email),
    "ask_to_move": (3, _user_and_email),
    "request": (3, _email),
    "request_bound": (3, _email),
    "request_handoff": (3, _email),
    "invite": (3, _email),
}


def _text(device: Secret | None) -> str | None:
    return device.reveal() if device else None


def _binding(letter: Letter) -> str | None:
    return _text(letter.link.binding)


def _forget_all(auth: AuthService, user_id: str) -> list[bool]:
    return [auth.forget_device(user_id, device.id) for device in auth.list_devices(user_id)]


CALLS: Final[Mapping[str, Callable[[AuthService, Any, Secret | None], Any]]] = {
    "verify": lambda auth, letter, device: auth.verify_magic_link(
        letter.link.token.reveal(), binding=_binding(letter), device=_text(device)
    ),
    "code": lambda auth, letter, device: auth.verify_code(
        letter.link.id, letter.link.code.reveal(), binding=_binding(letter), device=_text(device)
    ),
    "wrong_code": lambda auth, letter, device: auth.verify_code(
        letter.link.id, WRONG_CODE, binding=_binding(letter), device=_text(device)
    ),
    "approve": lambda auth, letter, _: auth.approve_magic_link(letter.link.token.reveal(), letter.link.match),
    "approve_wrong": lambda auth, letter, _: auth.approve_magic_link(
        letter.link.token.reveal(), str(10 + (int(letter.link.match) - 9) % 90)
    ),
    "claim": lambda auth, letter, device: auth.claim_sign_in(letter.link.handoff.reveal(), device=_text(device)),
    "confirm": lambda auth, letter, _: auth.confirm_email_change(letter.link.token.reveal()),
    "withdraw": lambda auth, letter, _: auth.withdraw_invitation(letter.link.id),
    "refresh": lambda auth, pair, _: auth.refresh(pair.refresh_token.reveal()),
    "authenticate": lambda auth, pair, _: auth.authenticate(pair.access_token.reveal()),
    "sign_out": lambda auth, pair, _: auth.sign_out(pair.access_token.reveal()),
    "revoke": lambda auth, user_id, _: auth.revoke_sessions(user_id),
    "deactivate": lambda auth, user_id, _: auth.deactivate_user(user_id),
    "activate": lambda auth, user_id, _: auth.activate_user(user_id),
    "open": lambda auth, user_id, device: auth.open_session(user_id, device=_text(device)),
    "list": lambda auth, user_id, _: auth.list_sessions(user_id),
    "forget_all": lambda auth, user_id, _: _forget_all(auth, user_id),
    "change": lambda auth, about, _: auth.change_email(*about),
    "ask_to_move": lambda auth, about, _: auth.request_email_change(*about),
    "request": lambda auth, email, device: auth.request_magic_link(email, device=_text(device)),
    "request_bound": lambda auth, email, device: auth.request_magic_link(email, bind=True, device=_text(device)),
    "request_handoff": lambda auth, email, device: auth.request_magic_link(email, handoff=True, device=_text(device)),
    "invite": lambda auth, email, _: auth.invite(email, role=UserRole.ADMIN),
}
