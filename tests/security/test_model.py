"""The service against a plain model of users, links, sessions, devices, invitations and changes, in any order."""

import itertools
import secrets
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar, cast

import attrs
import pytest
from hypothesis import settings, strategies as st
from hypothesis.stateful import (
    Bundle,
    MultipleResults,
    RuleBasedStateMachine,
    multiple,
    rule,
    run_state_machine_as_test,
)

from pgauthkit import AuthConfig, AuthService, Secret
from pgauthkit.config import Pepper, SessionCache
from pgauthkit.errors import (
    ApprovalPendingError,
    InvalidCodeError,
    InvalidTokenError,
    NotFoundError,
    PgAuthKitError,
    RefreshTokenReusedError,
    SessionRevokedError,
    TokenAlreadyUsedError,
    TokenExpiredError,
    TooManyAttemptsError,
    UniqueViolationError,
    UserInactiveError,
)
from pgauthkit.testing import Clock
from pgauthkit.tokens import Kind, SessionToken
from pgauthkit.values import EmailChange, Identity, IssuedMagicLink, PurgeReport, SignIn, TokenPair, UserRole

if TYPE_CHECKING:
    from tests.security.conftest import MakeAuth, Query

T = TypeVar("T")

LINK_TTL: Final = timedelta(minutes=10)
ACCESS_TTL: Final = timedelta(minutes=15)
IDLE_TTL: Final = timedelta(days=14)
SESSION_TTL: Final = timedelta(days=30)
WEEK: Final = timedelta(days=7)
LINKS_KEPT: Final = timedelta(minutes=5)
DEVICE_TTL: Final = timedelta(days=60)
MOST_DEVICES: Final = 20
BROWSERS: Final = 3
GRACE: Final = timedelta(seconds=30)
TOUCH: Final = timedelta(seconds=60)
STALENESS: Final = timedelta(seconds=50)
ATTEMPTS: Final = 5
MATCHES: Final = 3
APPROVED: Final = timedelta(seconds=60)
INSTANT: Final = timedelta(microseconds=1)
LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)

STEPS: Final = [
    INSTANT,
    GRACE - INSTANT,
    GRACE,
    STALENESS,
    TOUCH,
    LINK_TTL,
    WEEK,
    ACCESS_TTL,
    IDLE_TTL - INSTANT,
    IDLE_TTL,
    SESSION_TTL,
]
SPELLINGS: Final = {
    "ada@example.com": [" Ada@Example.COM ", "ada@example.com"],
    "bob@example.com": ["ｂob@example.com", "bob@example.com"],  # noqa: RUF001 - a full-width b is one of its spellings
    "eve@xn--bcher-kva.example": ["eve@bücher.example", "EVE@BÜCHER.example"],
}
PEPPERS: Final = tuple(Pepper(id=number, secret=Secret(secrets.token_hex())) for number in (1, 2))

emails = st.sampled_from(sorted(SPELLINGS))
browsers = st.integers(0, BROWSERS - 1)


@attrs.define(eq=False)
class Person:
    id: str
    email: str
    is_active: bool = True
    role: UserRole = UserRole.USER


@attrs.define(eq=False)
class Device:
    id: str
    owner: Person
    token: Secret
    made: datetime
    used: datetime
    is_gone: bool = False

    @property
    def ends(self) -> datetime:
        return self.used + DEVICE_TTL

    def is_known(self, now: datetime) -> bool:
        return not self.is_gone and now < self.ends


@attrs.define(eq=False)
class Link:
    issued: IssuedMagicLink
    attempts: int = 0
    is_used: bool = False
    is_ended: bool = False
    is_purged: bool = False
    is_approved: bool = False
    matches: int = 0
    ends: datetime = attrs.field(default=attrs.Factory(lambda self: self.issued.expires_at, takes_self=True))
    claimed: datetime = LONG_AGO
    session: "Session | None" = None
    made: datetime = LONG_AGO
    purpose: str = "sign_in"
    role: UserRole = UserRole.USER
    owner: Person | None = None

    @property
    def token(self) -> str:
        return self.issued.token.reveal()

    @property
    def is_pending(self) -> bool:
        """Tell whether it was neither used nor ended; its time may have come."""
        return not (self.is_purged or self.is_used or self.is_ended)

    def replace(self) -> None:
        """Leave the row to another link, which has its id."""
        self.is_purged = True

    def refuses(self, now: datetime) -> type[PgAuthKitError] | None:
        return first(
            (self.is_purged, InvalidTokenError),
            (self.is_used or self.is_approved, TokenAlreadyUsedError),
            (self.is_ended or self.ends <= now, TokenExpiredError),
        )

    def refuses_claim(self, now: datetime) -> type[PgAuthKitError] | None:
        return first(
            (self.is_purged, InvalidTokenError),
            (self.is_used, TokenAlreadyUsedError),
            (self.is_ended or self.ends <= now, TokenExpiredError),
            (not self.is_approved, ApprovalPendingError),
        )

    def is_claimed_again(self, now: datetime) -> bool:
        one = self.session
        return one is not None and not self.is_purged and one.is_as_opened(now) and now - self.claimed < GRACE


@attrs.define(eq=False)
class Session:
    owner: Person
    opened: datetime
    used: datetime
    idle_ends: datetime
    ends: datetime
    pairs: list[TokenPair]
    device: Device
    confirmed: datetime | None = None
    previous_access_ends: datetime = LONG_AGO
    revoked: datetime | None = None
    is_purged: bool = False

    @property
    def id(self) -> str:
        return self.pairs[0].session_id

    @property
    def over(self) -> datetime:
        return min(self.idle_ends, self.ends)

    def is_open(self) -> bool:
        return not (self.is_purged or self.revoked)

    def is_live(self, now: datetime) -> bool:
        return self.is_open() and now < self.over

    def is_as_opened(self, now: datetime) -> bool:
        is_first = len(self.pairs) == 1 and self.access_ends(0) > now
        return is_first and self.is_live(now) and self.owner.is_active

    def why_over(self, now: datetime) -> type[PgAuthKitError] | None:
        return first(
            (self.revoked is not None, SessionRevokedError),
            (self.over <= now, TokenExpiredError),
            (not self.owner.is_active, UserInactiveError),
        )

    def refuses_access(self, age: int, now: datetime) -> type[PgAuthKitError] | None:
        return first(
            (self.is_purged or age > 1, InvalidTokenError),
            (self.revoked is not None, SessionRevokedError),
            (not self.owner.is_active, UserInactiveError),
            (min(self.access_ends(age), self.over) <= now, TokenExpiredError),
        )

    def refuses_refresh(self, age: int, now: datetime) -> type[PgAuthKitError] | None:
        is_known = age in {0, 1}
        is_late = age == 1 and self.confirmed is not None and now - self.confirmed >= GRACE
        unknown = first(
            (self.is_purged, InvalidTokenError), (not is_known and self.why_over(now) is not None, InvalidTokenError)
        )
        return unknown or self.why_over(now) or first((not is_known or is_late, RefreshTokenReusedError))

    def access_ends(self, age: int) -> datetime:
        return self.pairs[-1].access_expires_at if age == 0 else self.previous_access_ends

    def touch(self, age: int, now: datetime) -> bool:
        """Write what is due; tell whether something was."""
        is_first_use = age == 0 and len(self.pairs) > 1 and self.confirmed is None
        if is_first_use:
            self.confirmed = now
        is_due = is_first_use or self.used < now - TOUCH
        if is_due:
            self.use(now)
        return is_due

    def use(self, now: datetime) -> None:
        self.used, self.idle_ends = now, min(now + IDLE_TTL, self.ends)

    def is_unused_and_over(self, now: datetime) -> bool:
        return self.confirmed is None and self.access_ends(0) <= now

    def renew(self, now: datetime) -> None:
        self.use(now)
        self.pairs[-1] = attrs.evolve(self.pairs[-1], access_expires_at=min(now + ACCESS_TTL, self.ends))

    def rotate(self, pair: TokenPair, now: datetime) -> None:
        self.previous_access_ends = min(self.access_ends(0), now + GRACE)
        self.confirmed = None
        self.use(now)
        self.pairs.append(pair)


@attrs.frozen(eq=False)
class Kept:
    """What a host has in memory of an access token."""

    session: Session
    identity: Identity
    asked: datetime
    ends: datetime

    def is_good(self, now: datetime) -> bool:
        return self.asked <= now < min(self.asked + STALENESS, self.ends)


@attrs.frozen(eq=False)
class Holding:
    """A pair that somebody was given, and the how manieth of its session's it was."""

    session: Session
    generation: int

    @property
    def tokens(self) -> TokenPair:
        return self.session.pairs[self.generation]

    @property
    def access(self) -> str:
        return self.tokens.access_token.reveal()

    @property
    def refresh(self) -> str:
        return self.tokens.refresh_token.reveal()

    @property
    def age(self) -> int:
        return len(self.session.pairs) - 1 - self.generation


def first(*refusals: tuple[bool, type[PgAuthKitError]]) -> type[PgAuthKitError] | None:
    """Return the first error whose condition holds."""
    return next((error for condition, error in refusals if condition), None)


def first_of(found: Sequence[T]) -> T | None:
    """Return the first, where there is one."""
    return next(iter(found), None)


def outcome(call: Callable[[], T]) -> T | PgAuthKitError:
    """Return what a call returned or raised."""
    try:
        return call()
    except PgAuthKitError as error:
        return error


class World(RuleBasedStateMachine):
    """Does to the service and to the model the same, and compares what comes of it."""

    links: "Bundle[Link]" = Bundle("links")
    holdings: "Bundle[Holding]" = Bundle("holdings")
    invitations: "Bundle[Link]" = Bundle("invitations")
    changes: "Bundle[Link]" = Bundle("changes")

    def __init__(self, hosts: Sequence[AuthService], clock: Clock, query: "Query") -> None:
        super().__init__()
        self.hosts = itertools.cycle(hosts)
        self.clock = clock
        self.query = query
        self.people: list[Person] = []
        self.known_links: list[Link] = []
        self.sessions: list[Session] = []
        self.devices: list[Device] = []
        self.cookies: list[Secret | None] = [None] * BROWSERS
        self.kept: dict[tuple[AuthService, str], Kept] = {}

    @property
    def auth(self) -> AuthService:
        """The host whose turn it is; they make tokens with different peppers."""
        return next(self.hosts)

    @property
    def now(self) -> datetime:
        return self.clock()

    def person(self, email: str) -> Person | None:
        return next((person for person in self.people if person.email == email), None)

    def shut_out(self, email: str) -> type[PgAuthKitError] | None:
        person = self.person(email)
        return first((person is not None and not person.is_active, UserInactiveError))

    # What many rules do to the model.

    def end_links(self, *addresses: str, but: str = "") -> None:
        for link in self.known_links:
            link.is_ended |= link.issued.email in addresses and not link.is_used and link.purpose != but

    def end_change(self, owner: Person) -> None:
        for link in self.pending("email_change", owner):
            link.is_ended = True

    def pending(self, purpose: str, owner: "Person | str") -> list[Link]:
        """Return the link of an address, or of a person, of which there is one at most."""
        return [
            link
            for link in self.known_links
            if link.is_pending and link.purpose == purpose and owner in {link.owner, link.issued.email}
        ]

    def refuses(self, link: Link) -> type[PgAuthKitError] | None:
        """Tell why a link is not good; an invitation to an account is good for no longer than a link to sign in."""
        is_late = link.purpose == "invite" and link.made + LINK_TTL <= self.now
        return link.refuses(self.now) or first(
            (is_late and self.person(link.issued.email) is not None, TokenExpiredError)
        )

    def end_sessions(self, sessions: Iterable[Session]) -> list[str]:
        """End those that are open, and return their ids."""
        ended = [session for session in sessions if session.is_open()]
        for session in ended:
            session.revoked = self.now
        return sorted(session.id for session in ended)

    def forget(self, *sessions: Session) -> None:
        """Void what the hosts, which are one process, have in memory of these."""
        self.kept = {key: kept for key, kept in self.kept.items() if kept.session not in sessions}

    def sessions_of(self, person: Person, but: Session | None = None) -> list[Session]:
        return [session for session in self.sessions if session.owner is person and session is not but]

    def cookie(self, browser: int) -> str | None:
        cookie = self.cookies[browser]
        return cookie and cookie.reveal()

    def devices_of(self, owner: Person) -> list[Device]:
        mine = [device for device in self.devices if device.owner is owner and not device.is_gone]
        return sorted(mine, key=lambda device: (device.used, device.id), reverse=True)

    def lose(self, devices: Iterable[Device]) -> None:
        for device in devices:
            device.is_gone = True

    def entered(self, owner: Person, signed_in: SignIn, browser: int) -> Device:
        """Keep the device of a sign-in in that browser, or make one, and put its token into the cookie."""
        presented, session_id = self.cookies[browser], signed_in.tokens.session_id
        known = [device for device in self.devices_of(owner) if device.token == presented and device.is_known(self.now)]
        assert bool(known) == signed_in.known_device
        ((device_id,),) = self.query("SELECT device_id FROM pgauthkit.sessions WHERE id = %(id)s", id=session_id)
        device = first_of(known) or Device(device_id, owner, signed_in.device, self.now, self.now)
        assert device_id == device.id
        self.devices += [device] * (not known)
        device.token, device.used = signed_in.device, self.now
        self.cookies[browser] = device.token
        return device

    def opened(self, owner: Person, signed_in: SignIn | PgAuthKitError, browser: int) -> Holding:
        assert isinstance(signed_in, SignIn)
        ends, device = self.now + SESSION_TTL, self.entered(owner, signed_in, browser)
        session = Session(owner, self.now, self.now, self.now + IDLE_TTL, ends, [signed_in.tokens], device)
        assert self.identity(session, 0) == signed_in.user
        assert (self.now + ACCESS_TTL, session.over) == (
            signed_in.tokens.access_expires_at,
            signed_in.tokens.refresh_expires_at,
        )
        self.sessions.append(session)
        return Holding(session, 0)

    def identity(self, session: Session, age: int) -> Identity:
        return Identity(
            user_id=session.owner.id,
            email=session.owner.email,
            role=session.owner.role,
            session_id=session.id,
            authenticated_at=session.opened,
            expires_at=session.access_ends(age),
        )

    def used(
        self, link: Link, signed_in: SignIn | PgAuthKitError, refusal: type[PgAuthKitError] | None, browser: int
    ) -> "Holding | MultipleResults[Holding]":
        if refusal:
            assert refusal is type(signed_in)
            return multiple()
        assert isinstance(signed_in, SignIn)
        known = self.person(link.issued.email)
        owner = known or Person(signed_in.user.user_id, link.issued.email, role=link.role)
        assert (known is None, "/inbox") == (signed_in.created, signed_in.redirect_to)
        self.people += [owner] * signed_in.created
        link.is_used = True
        self.end_links(link.issued.email, but="email_change")
        return self.opened(owner, signed_in, browser)

    def replacing(self, link: Link, owner: "Person | str") -> Link:
        """Keep a link of which there is one at most: it has the place and the id of the one before."""
        for before in self.pending(link.purpose, owner):
            assert before.issued.id == link.issued.id
            before.replace()
        self.known_links.append(link)
        return link

    def moved(self, owner: Person, email: str, kept: Session | None) -> list[str]:
        """Move somebody, end what ends with that, and return the ids of the sessions."""
        self.end_links(owner.email, email)
        self.end_change(owner)
        owner.email = email
        mine = [kept.device] * (kept in self.sessions_of(owner)) if kept and not kept.is_purged else []
        self.lose(device for device in self.devices_of(owner) if device not in mine)
        return self.end_sessions(self.sessions_of(owner, but=kept))

    # Links

    @rule(target=links, email=emails, spelling=st.integers(0, 1), browser=browsers)
    def request(self, email: str, spelling: int, browser: int = 0) -> Link:
        issued = self.auth.request_magic_link(
            SPELLINGS[email][spelling], redirect_to="/inbox", handoff=True, device=self.cookie(browser)
        )
        assert (email, self.now + LINK_TTL) == (issued.email, issued.expires_at)
        assert (self.shut_out(email) is None) == issued.should_send
        self.known_links.append(Link(issued))
        return self.known_links[-1]

    @rule(link=links | invitations | changes)
    def peek(self, link: Link) -> None:
        preview = outcome(lambda: self.auth.peek_magic_link(link.token))
        refusal = self.refuses(link)
        expected = refusal or (link.issued.email, link.issued.redirect_to, link.issued.expires_at, link.purpose)
        assert expected == (type(preview) if isinstance(preview, PgAuthKitError) else attrs.astuple(preview)[:4])

    @rule(target=holdings, link=links | invitations, browser=browsers)
    def verify(self, link: Link, browser: int = 0) -> "Holding | MultipleResults[Holding]":
        device = self.cookie(browser)
        signed_in = outcome(lambda: self.auth.verify_magic_link(link.token, device=device))
        return self.used(link, signed_in, self.refuses(link) or self.shut_out(link.issued.email), browser)

    @rule(link=links, is_right=st.booleans())
    def approve(self, *, link: Link, is_right: bool) -> None:
        match = (is_right and link.issued.match) or "no number"
        approved = outcome(lambda: self.auth.approve_magic_link(link.issued.token.reveal(), match))
        refusal = link.refuses(self.now) or first(
            (link.matches >= MATCHES, TooManyAttemptsError), (not is_right, InvalidCodeError)
        )
        link.matches += refusal is InvalidCodeError
        refusal = refusal or self.shut_out(link.issued.email)
        assert (refusal or type(None)) is type(approved)
        link.is_approved |= refusal is None
        link.ends = max(link.ends, self.now + APPROVED) if refusal is None else link.ends

    @rule(target=holdings, link=links, browser=browsers)
    def claim(self, link: Link, browser: int = 0) -> "Holding | MultipleResults[Holding]":
        assert link.issued.handoff
        cookie, session, device = link.issued.handoff.reveal(), link.session, self.cookie(browser)
        signed_in = outcome(lambda: self.auth.claim_sign_in(cookie, device=device))
        if session and link.is_claimed_again(self.now):
            assert isinstance(signed_in, SignIn)
            tokens = attrs.evolve(session.pairs[0], refresh_expires_at=session.over)
            assert (tokens, self.identity(session, 0), False) == (signed_in.tokens, signed_in.user, signed_in.created)
            same = not session.device.is_gone and self.cookies[browser] == session.device.token
            assert (same, session.device.token if same else signed_in.device) == (
                signed_in.known_device,
                signed_in.device,
            )
            return multiple()
        closed = first((self.shut_out(link.issued.email) is not None, ApprovalPendingError))
        holding = self.used(link, signed_in, link.refuses_claim(self.now) or closed, browser)
        if isinstance(holding, Holding):
            link.claimed, link.session = self.now, holding.session
        return holding

    @rule(target=holdings, link=links, is_right=st.booleans(), browser=browsers)
    def verify_code(self, *, link: Link, is_right: bool, browser: int) -> "Holding | MultipleResults[Holding]":
        assert link.issued.code
        code = link.issued.code.reveal() if is_right else "bbbb-bbbb"
        device = self.cookie(browser)
        signed_in = outcome(lambda: self.auth.verify_code(link.issued.id, code, device=device))
        refusal = link.refuses(self.now) or first((link.attempts >= ATTEMPTS, TooManyAttemptsError))
        link.attempts += refusal is None
        refusal = refusal or first((not is_right, InvalidCodeError)) or self.shut_out(link.issued.email)
        left = ATTEMPTS - link.attempts if refusal is InvalidCodeError else None
        assert left == getattr(signed_in, "attempts_left", None)
        return self.used(link, signed_in, refusal, browser)

    # Invitations, and changes of address

    @rule(target=invitations, email=emails, role=st.sampled_from(UserRole), ttl=st.sampled_from([LINK_TTL, WEEK]))
    def invite(self, email: str, role: UserRole = UserRole.USER, ttl: timedelta = WEEK) -> Link:
        issued = self.auth.invite(SPELLINGS[email][0], role=role, redirect_to="/inbox", ttl=ttl)
        assert (email, self.now + ttl) == (issued.email, issued.expires_at)
        assert (self.shut_out(email) is None) == issued.should_send
        return self.replacing(Link(issued, made=self.now, purpose="invite", role=role), email)

    @rule()
    def list_invitations(self) -> None:
        mine = [link for link in self.known_links if link.purpose == "invite" and self.refuses(link) is None]
        mine.sort(key=lambda link: (link.made, link.issued.id), reverse=True)
        assert [(link.issued.id, link.issued.email, link.role, "/inbox", link.made, link.ends) for link in mine] == [
            attrs.astuple(info) for info in self.auth.list_invitations()
        ]

    @rule(link=links | invitations | changes)
    def withdraw(self, link: Link) -> None:
        """By the id of one that was replaced, the one in its place."""
        rows = [one for one in self.known_links if one.issued.id == link.issued.id and one.purpose == "invite"]
        live = [one for one in rows if one.is_pending and self.now < one.ends]
        assert bool(live) == self.auth.withdraw_invitation(link.issued.id)
        for one in live:
            one.is_ended = True

    @rule(target=changes, holding=holdings, email=emails)
    def request_email_change(self, holding: Holding, email: str) -> "Link | MultipleResults[Link]":
        owner = holding.session.owner
        issued = outcome(lambda: self.auth.request_email_change(owner.id, SPELLINGS[email][1]))
        if not owner.is_active:
            assert UserInactiveError is type(issued)
            return multiple()
        assert isinstance(issued, IssuedMagicLink)
        assert (email, self.now + LINK_TTL) == (issued.email, issued.expires_at)
        return self.replacing(Link(issued, made=self.now, purpose="email_change", owner=owner), owner)

    @rule(link=changes, who=st.sampled_from(["owner", "anybody", "another"]), keep=st.none() | holdings)
    def confirm_email_change(self, link: Link, who: str, keep: Holding | None = None) -> None:
        owner, kept = link.owner, keep.session if keep else None
        assert owner
        given = {"owner": owner.id, "anybody": None, "another": "nobody"}[who]
        change = outcome(
            lambda: self.auth.confirm_email_change(link.token, user_id=given, keep_session=kept.id if kept else None)
        )
        self.forget(*(self.sessions if who == "anybody" else self.sessions_of(owner) * (who == "owner")))
        refusal = first((who == "another", InvalidTokenError)) or link.refuses(self.now)
        refusal = refusal or first((self.person(link.issued.email) not in {owner, None}, UniqueViolationError))
        if refusal:
            assert refusal is type(change)
            return
        assert isinstance(change, EmailChange)
        link.is_used = True
        assert (owner.id, owner.email, link.issued.email) == (change.user_id, change.old_email, change.email)
        assert self.moved(owner, link.issued.email, kept) == sorted(change.ended)

    @rule(link=links | invitations | changes)
    def use_for_another_purpose(self, link: Link) -> None:
        """Nothing is learned of a link by a method that it is not for, and nothing is counted."""
        calls: list[Callable[[], object]] = [
            *[partial(self.auth.verify_magic_link, link.token)] * (link.purpose == "email_change"),
            *[partial(self.auth.confirm_email_change, link.token)] * (link.purpose != "email_change"),
            *[partial(self.auth.approve_magic_link, link.token, "47")] * (link.purpose != "sign_in"),
            *[partial(self.auth.verify_code, link.issued.id, "bbbb-bbbb")] * (link.purpose != "sign_in"),
            partial(self.auth.claim_sign_in, link.token),
        ]
        assert {InvalidTokenError} == {type(outcome(call)) for call in calls}
        self.kept.clear()  # as a change that anybody confirms voids everybody's

    # Sessions

    @rule(holding=holdings)
    def authenticate(self, holding: Holding) -> None:
        session, age, host = holding.session, holding.age, self.auth
        identity = outcome(lambda: host.authenticate(holding.access))
        kept = self.kept.get((host, holding.access))
        if kept and kept.is_good(self.now):
            assert kept.identity == identity
            return
        refusal = session.refuses_access(age, self.now)
        assert (refusal or self.identity(session, age)) == ((refusal and type(identity)) or identity)
        if refusal:
            return
        ends = min(session.access_ends(age), session.over)
        if not session.touch(age, self.now) and age == 0:
            self.kept[host, holding.access] = Kept(session, self.identity(session, age), self.now, ends)

    @rule(holding=holdings)
    def revoke_by_sql(self, holding: Holding) -> None:
        """As another process may, which tells the hosts nothing."""
        self.end_sessions([holding.session])
        command = "UPDATE pgauthkit.sessions SET revoked_at = coalesce(revoked_at, %(now)s) WHERE id = %(id)s"
        self.query(command, now=self.now, id=holding.session.id)

    @rule(target=holdings, holding=holdings)
    def refresh(self, holding: Holding) -> "Holding | MultipleResults[Holding]":
        session, age = holding.session, holding.age
        pair = outcome(lambda: self.auth.refresh(holding.refresh))
        self.forget(session)
        refusal = session.refuses_refresh(age, self.now)
        if refusal:
            assert refusal is type(pair)
            self.end_sessions([session] * (refusal is RefreshTokenReusedError))
            return multiple()
        assert isinstance(pair, TokenPair)
        if age:
            if session.is_unused_and_over(self.now):
                session.renew(self.now)
            assert attrs.evolve(session.pairs[-1], refresh_expires_at=session.over) == pair
            return multiple()
        session.rotate(pair, self.now)
        assert (min(self.now + ACCESS_TTL, session.ends), session.over) == (
            pair.access_expires_at,
            pair.refresh_expires_at,
        )
        return Holding(session, holding.generation + 1)

    @rule(holding=holdings)
    def forge_with_the_access_selector(self, holding: Holding) -> None:
        known = SessionToken.parse(Kind.ACCESS, holding.access)
        forged = attrs.evolve(known, secret=secrets.token_bytes(32))
        assert InvalidTokenError is type(outcome(lambda: self.auth.refresh(forged.text(Kind.REFRESH).reveal())))
        text = forged.text(Kind.ACCESS).reveal()
        assert InvalidTokenError is type(outcome(lambda: self.auth.authenticate(text)))
        refusal = first((holding.session.is_live(self.now), InvalidTokenError)) or type(None)
        assert refusal is type(outcome(lambda: self.auth.sign_out(text)))
        self.forget(holding.session)

    @rule(holding=holdings)
    def forge_with_the_refresh_selector(self, holding: Holding) -> None:
        known = SessionToken.parse(Kind.REFRESH, holding.refresh)
        forged = attrs.evolve(known, secret=secrets.token_bytes(32))
        refused = outcome(lambda: self.auth.refresh(forged.text(Kind.REFRESH).reveal()))
        self.forget(holding.session)
        # Of the generation of the row or the one before, nobody was followed.
        age = holding.age
        refusal = holding.session.refuses_refresh(2, self.now) if age > 1 else InvalidTokenError
        assert refusal is type(refused)
        self.end_sessions([holding.session] * (refusal is RefreshTokenReusedError))

    @rule(target=holdings, holding=holdings, browser=browsers)
    def open_session(self, holding: Holding, browser: int = 0) -> "Holding | MultipleResults[Holding]":
        owner, device = holding.session.owner, self.cookie(browser)
        signed_in = outcome(lambda: self.auth.open_session(owner.id, device=device))
        if not owner.is_active:
            assert UserInactiveError is type(signed_in)
            return multiple()
        return self.opened(owner, signed_in, browser)

    @rule(holding=holdings)
    def present_a_token_of_later(self, holding: Holding) -> None:
        known = SessionToken.parse(Kind.REFRESH, holding.refresh)
        later = attrs.evolve(known, generation=len(holding.session.pairs))
        assert InvalidTokenError is type(outcome(lambda: self.auth.refresh(later.text(Kind.REFRESH).reveal())))
        self.forget(holding.session)

    @rule(holding=holdings, kind=st.sampled_from([Kind.ACCESS, Kind.REFRESH]))
    def sign_out(self, holding: Holding, kind: Kind) -> None:
        session, is_known = holding.session, holding.age <= 1
        text = holding.access if kind is Kind.ACCESS else holding.refresh
        refusal = first((not is_known and session.is_live(self.now), InvalidTokenError)) or type(None)
        assert refusal is type(outcome(lambda: self.auth.sign_out(text)))
        self.forget(session)
        self.end_sessions([session] * is_known)

    @rule(holding=holdings)
    def list_sessions(self, holding: Holding) -> None:
        owner = holding.session.owner
        live = [one for one in self.sessions_of(owner) if one.is_open() and one.over > self.now]
        live.sort(key=lambda one: (one.opened, one.id), reverse=True)
        assert [(one.id, one.opened, one.used, one.over, None, None, one.device.id) for one in live] == [
            attrs.astuple(info) for info in self.auth.list_sessions(owner.id)
        ]

    @rule(one=holdings, other=holdings)
    def revoke_session(self, one: Holding, other: Holding) -> None:
        was_ended = self.auth.revoke_session(one.session.owner.id, other.session.id)
        self.forget(*self.sessions_of(one.session.owner))
        mine = [other.session] * (one.session.owner is other.session.owner)
        assert bool(self.end_sessions(mine)) == was_ended

    @rule(one=holdings, keep=st.none() | holdings)
    def revoke_sessions(self, one: Holding, keep: Holding | None) -> None:
        owner, kept = one.session.owner, keep.session if keep else None
        ended = self.auth.revoke_sessions(owner.id, keep=kept.id if kept else None)
        self.forget(*self.sessions_of(owner))
        assert self.end_sessions(self.sessions_of(owner, but=kept)) == sorted(ended)

    # Devices

    @rule(of=browsers, to=browsers)
    def copy_a_cookie(self, of: int, to: int) -> None:
        self.cookies[to] = self.cookies[of]

    @rule(browser=browsers)
    def clear_a_cookie(self, browser: int) -> None:
        self.cookies[browser] = None

    @rule(holding=holdings)
    def list_devices(self, holding: Holding) -> None:
        owner = holding.session.owner
        known = [device for device in self.devices_of(owner) if device.is_known(self.now)]
        assert [(device.id, device.made, device.used, device.ends, None, None) for device in known] == [
            attrs.astuple(info) for info in self.auth.list_devices(owner.id)
        ]

    @rule(one=holdings, other=holdings)
    def forget_device(self, one: Holding, other: Holding) -> None:
        owner, device = one.session.owner, other.session.device
        mine = [device] * (device in self.devices_of(owner))
        assert bool(mine) == self.auth.forget_device(owner.id, device.id)
        self.lose(mine)

    # Users

    @rule(holding=holdings, is_active=st.booleans())
    def switch(self, *, holding: Holding, is_active: bool) -> None:
        owner, auth = holding.session.owner, self.auth
        is_nothing = is_active and owner.is_active
        ended = (auth.activate_user if is_active else auth.deactivate_user)(owner.id)
        self.forget(*self.sessions_of(owner))
        if is_nothing:
            assert ended == []
            return
        owner.is_active = is_active
        self.lose(self.devices_of(owner))
        self.end_links(owner.email)
        self.end_change(owner)
        assert self.end_sessions(self.sessions_of(owner)) == sorted(ended)

    @rule(holding=holdings, email=emails, keep=st.none() | holdings)
    def change_email(self, holding: Holding, email: str, keep: Holding | None) -> None:
        owner, kept = holding.session.owner, keep.session if keep else None
        ended = outcome(
            lambda: self.auth.change_email(owner.id, SPELLINGS[email][0], keep_session=kept.id if kept else None)
        )
        self.forget(*self.sessions_of(owner))
        if self.person(email) not in {owner, None}:
            assert UniqueViolationError is type(ended)
            return
        assert isinstance(ended, list)
        assert self.moved(owner, email, kept) == sorted(ended)

    @rule()
    def revoke_all_sessions(self) -> None:
        """Those of everybody, and pending links, but invitations."""
        for link in self.known_links:
            link.is_ended |= link.is_pending and link.purpose != "invite"
        self.kept.clear()
        ended = len(self.end_sessions(self.sessions))
        assert ended == self.auth.revoke_all_sessions(batch_size=3)

    @rule()
    def nobody(self) -> None:
        for call in (self.auth.deactivate_user, self.auth.activate_user, self.auth.open_session):
            assert NotFoundError is type(outcome(partial(call, "nobody")))
        nothing = (self.auth.list_sessions("nobody"), self.auth.list_devices("nobody"))
        assert (*nothing, self.auth.revoke_sessions("nobody")) == ([], [], [])

    # Time

    @rule(step=st.sampled_from(STEPS))
    def wait(self, step: timedelta) -> None:
        self.clock.move(step)

    @rule(keep=st.sampled_from([timedelta(), timedelta(days=1)]))
    def purge(self, keep: timedelta) -> None:
        report = self.auth.purge(keep=keep, batch_size=3)
        before = self.now - keep
        kept = max(keep, LINKS_KEPT)
        links = [link for link in self.known_links if not link.is_purged and link.ends < self.now - kept]
        sessions = [
            one for one in self.sessions if not one.is_purged and min(one.over, one.revoked or one.ends) < before
        ]
        for link in links:
            link.is_purged = True
        for session in sessions:
            session.is_purged = True
        ended = [device for device in self.devices if not device.is_gone and device.ends < before]
        self.lose(ended)
        beyond = [device for person in self.people for device in self.devices_of(person)[MOST_DEVICES:]]
        self.lose(beyond)
        counts = {"magic_links": len(links), "sessions": len(sessions), "devices": len(ended) + len(beyond)}
        assert PurgeReport(**counts, rate_limits=0) == report

    def teardown(self) -> None:
        users = self.query("SELECT id, email, is_active, role FROM pgauthkit.users ORDER BY id")
        assert sorted(attrs.astuple(person) for person in self.people) == users
        sessions = sum(not one.is_purged for one in self.sessions)
        links = sum(not link.is_purged for link in self.known_links)
        devices = sum(not device.is_gone for device in self.devices)
        counts = "SELECT (SELECT count(*) FROM pgauthkit.sessions), (SELECT count(*) FROM pgauthkit.magic_links)"
        assert [(sessions, links)] == self.query(counts)
        assert [(devices,)] == self.query("SELECT count(*) FROM pgauthkit.devices")


def walk(world: World) -> None:
    """Go where chance may not lead: a session in use, two tabs that refresh, a replay, and an address that is taken."""
    email = min(SPELLINGS)
    holding = world.verify(link=world.request(email=email, spelling=0))
    assert isinstance(holding, Holding)
    for _ in range(4):
        world.authenticate(holding=holding)
    world.wait(step=TOUCH + INSTANT)
    world.authenticate(holding=holding)
    successor = world.refresh(holding=holding)
    assert isinstance(successor, Holding)
    world.authenticate(holding=holding)
    world.wait(step=ACCESS_TTL)
    world.refresh(holding=holding)
    world.authenticate(holding=successor)
    world.refresh(holding=holding)
    world.wait(step=GRACE)
    world.refresh(holding=holding)
    other = world.verify(link=world.request(email=max(SPELLINGS), spelling=0))
    assert isinstance(other, Holding)
    world.switch(holding=other, is_active=False)
    world.open_session(holding=other)
    world.change_email(holding=other, email=email, keep=None)
    hand_over(world)
    invite_and_move(world, holding)
    sign_in_on_devices(world, holding)
    world.wait(step=SESSION_TTL + INSTANT)
    world.purge(keep=timedelta())
    world.teardown()


def hand_over(world: World) -> None:
    """Wait on one device, and approve on another: too early, wrong, right; then ask for the tokens once more."""
    link = world.request(email=min(SPELLINGS), spelling=0)
    world.claim(link=link)
    world.approve(link=link, is_right=False)
    world.approve(link=link, is_right=True)
    world.claim(link=link)
    world.claim(link=link)
    world.wait(step=GRACE)
    world.claim(link=link)


def invite_and_move(world: World, holding: Holding) -> None:
    """Invite twice, list, come late, withdraw twice; ask for changes, of one's own, replaced, taken, and of others."""
    email, free, new = sorted(SPELLINGS)
    first_one = world.invite(email=free, role=UserRole.USER)
    second = world.invite(email=free, role=UserRole.ADMIN)
    world.list_invitations()
    world.withdraw(link=first_one)
    world.withdraw(link=second)
    late = world.invite(email=free, role=UserRole.ADMIN)
    known = world.invite(email=email)
    world.wait(step=LINK_TTL)
    world.list_invitations()
    for link in (known, first_one, late, late):
        world.peek(link=link)
        world.verify(link=link)
    world.open_session(holding=holding)
    world.request_email_change(holding=holding, email=free)
    taken = world.request_email_change(holding=holding, email=free)
    assert isinstance(taken, Link)
    for who in ("another", "owner"):
        world.confirm_email_change(link=taken, who=who)
    for who, place in (("owner", new), ("anybody", email)):
        change = world.request_email_change(holding=holding, email=place)
        assert isinstance(change, Link)
        world.peek(link=change)
        world.use_for_another_purpose(link=change)
        for keep in (holding, None):
            world.confirm_email_change(link=change, who=who, keep=keep)
    world.request_email_change(holding=holding, email=new)
    world.switch(holding=holding, is_active=False)
    world.request_email_change(holding=holding, email=new)
    world.switch(holding=holding, is_active=True)
    world.invite(email=new)
    world.revoke_all_sessions()
    world.list_invitations()


def sign_in_on_devices(world: World, holding: Holding) -> None:
    """Sign in on more browsers than are kept, on one of them again, and forget one twice."""
    for _ in range(MOST_DEVICES + 1):
        world.clear_a_cookie(browser=1)
        latest = world.open_session(holding=holding, browser=1)
        world.wait(step=INSTANT)
    assert isinstance(latest, Holding)
    world.purge(keep=timedelta())
    world.open_session(holding=holding, browser=1)
    for _ in range(2):
        world.forget_device(one=latest, other=latest)
    world.list_devices(holding=holding)
    world.copy_a_cookie(of=1, to=2)


@pytest.fixture
def world(
    make_auth: "MakeAuth", config: AuthConfig, pgauthkit_clock: Clock, query: "Query", empty: Callable[[], None]
) -> Callable[..., Callable[[], World]]:
    """Makes worlds, each empty in the beginning, of two hosts with some options of an engine."""

    def make(**options: object) -> Callable[[], World]:
        keeping = attrs.evolve(config, session_cache=SessionCache(STALENESS), device_ttl=DEVICE_TTL)
        keys = (PEPPERS, PEPPERS[::-1])
        hosts = [make_auth(attrs.evolve(keeping, peppers=peppers), **options) for peppers in keys]

        class EmptyWorld(World):
            def __init__(self) -> None:
                empty()
                super().__init__(hosts, pgauthkit_clock, query)

        return EmptyWorld

    return make


def test_the_service_does_as_the_model(world: Callable[..., Callable[[], World]]) -> None:
    """Whatever is done in whatever order, at two hosts that keep sessions, comes out as the plain model says."""
    new_world = world()
    walk(new_world())
    examples = max(50, settings().max_examples // 10)
    machine = cast("type[RuleBasedStateMachine]", new_world)
    run_state_machine_as_test(machine, settings=settings(max_examples=examples, stateful_step_count=40))


@pytest.mark.parametrize("level", ["repeatable read", "serializable"])
def test_at_every_level(world: Callable[..., Callable[[], World]], level: str) -> None:
    """It is the same where the transactions of a host are stricter."""
    new_world = world(connect_args={"options": f"-c default_transaction_isolation={level}".replace(" r", "\\ r")})
    walk(new_world())
