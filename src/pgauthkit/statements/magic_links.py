"""Statements on magic links: request, peek, verify."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, cast

from sqlalchemy import CTE, ColumnElement, Select, and_, case, exists, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.sql.base import ReadOnlyColumnCollection

from pgauthkit.models import MagicLink, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.rate_limits import Buckets
from pgauthkit.statements.repetition import outcome
from pgauthkit.statements.replicas import on_replica
from pgauthkit.statements.sessions import opened
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    binary,
    constant,
    duration,
    flag,
    looked_up,
    materialized,
    single,
    text,
)

__all__ = [
    "EMAIL_CHANGE",
    "INVITE",
    "PEEK_MAGIC_LINK",
    "PEEK_MAGIC_LINK_ON_REPLICA",
    "SIGN_IN",
    "has_ended",
    "judged",
    "magic_links",
    "request_magic_link",
    "sign_in",
    "verify_code",
    "verify_magic_link",
]

magic_links: Final = own_table(MagicLink)
users: Final = own_table(User)

m: Final = magic_links.c
Columns = ReadOnlyColumnCollection[str, Any]
TRUE: Final[ColumnElement[bool]] = literal_column("true")
NOTHING: Final[ColumnElement[Any]] = literal_column("interval '0'")
SIGN_IN: Final = constant("sign_in")
INVITE: Final = constant("invite")
EMAIL_CHANGE: Final = constant("email_change")


@cache
def request_magic_link(limits: tuple[str, ...]) -> Statement:
    """Take from the limits, and write the link where all granted. Gives when it ends, the wait, and `should_send`."""
    buckets = Buckets.of(limits) if limits else None
    link = _written(buckets)
    email = text("email")
    # The row of the address, or else the next one: to fetch a row takes some microseconds, which would tell whoever
    # measures often enough that there is one.
    nearest = (
        select(users.c.email, users.c.is_active)
        .where(users.c.email >= email)
        .order_by(users.c.email)
        .limit(literal_column("1"))
    )
    found = nearest.subquery("nearest")
    is_active = select(case((found.c.email == email, found.c.is_active))).scalar_subquery()
    should_send = cast("ColumnElement[bool]", func.coalesce(is_active, flag("allow_sign_up")))
    ends = cast("ColumnElement[Any]", link.c.expires_at)
    if buckets is None:
        return Statement(select(ends, NOTHING, should_send).select_from(link))
    row = buckets.joined(ends, buckets.wait, should_send)
    return Statement(row.outerjoin(link, TRUE))


def _written(buckets: Buckets | None) -> CTE:
    # Whose it is stands in the row when it has been used. To check the foreign key takes 25 µs, and would tell whoever
    # measures often enough that the address has an account.
    values: dict[str, ColumnElement[Any]] = {
        "id": text("link_id"),
        "token_hash": binary("token_hash"),
        "code_hash": text("code_hash"),
        "binding_hash": binary("binding_hash"),
        "handoff_hash": binary("handoff_hash"),
        "match_hash": binary("match_hash"),
        "email": text("email"),
        "redirect_to": text("redirect_to"),
        "ip": text("ip"),
        "user_agent": text("user_agent"),
        "expires_at": NOW + duration("magic_link_ttl"),
        "created_at": NOW,
    }
    row: Select[Any] = select(*values.values())
    if buckets is not None:
        row = buckets.joined(*values.values()).where(buckets.granted)
    return (
        insert(magic_links).from_select(list(values), row, include_defaults=False).returning(m.expires_at).cte("link")
    )


def _peek(*, is_on_replica: bool = False) -> Select[*tuple[Any, ...]]:
    verdict = case(
        (and_(m.purpose == EMAIL_CHANGE, m.user_id.is_(None)), constant("invalid")),
        (or_(m.used_at.is_not(None), m.approved_at.is_not(None)), constant("used")),
        (has_ended(m), constant("expired")),
        else_=constant("ok"),
    )
    asked = (m.purpose, m.created_at, m.ip, m.user_agent, m.handoff_hash.is_not(None))
    looked = select(verdict, m.email, m.redirect_to, m.expires_at, *asked)
    looked = looked.where(m.token_hash == binary("token_hash"))
    return looked.where(verdict == constant("ok")) if is_on_replica else looked


def has_ended(link: Columns) -> ColumnElement[bool]:
    """Tell whether a link is no longer good.

    An invitation to an address that has an account is a link to sign in with, and lives no longer than one: seven days
    are too long for a key to an account.
    """
    is_known = exists(select(users.c.id).where(users.c.email == link.email))
    is_late = link.created_at + duration("magic_link_ttl") <= NOW
    return or_(link.revoked_at.is_not(None), link.expires_at <= NOW, and_(link.purpose == INVITE, is_late, is_known))


def judged(*which: ColumnElement[bool]) -> CTE:
    """Lock one link, and judge it; a row with the verdict, or none."""
    link = materialized(
        select(
            *(m.id, m.email, m.redirect_to, m.used_at, m.revoked_at, m.expires_at),
            *(m.binding_hash, m.code_hash, m.attempts),
            *(m.purpose, m.role, m.created_at, m.approved_at, m.session_id, m.session_nonce),
        )
        .where(*which)
        .with_for_update(),
        "locked",
    )
    unbound = link.c.binding_hash.is_(None)
    bound_here = func.coalesce(link.c.binding_hash == binary("binding_hash"), literal_column("false"))
    is_recent = and_(link.c.used_at > NOW - duration("refresh_grace"), link.c.session_id.is_not(None))
    verdict = case(
        (and_(is_recent, link.c.approved_at.is_(None), bound_here), constant("again")),
        (or_(link.c.used_at.is_not(None), link.c.approved_at.is_not(None)), constant("used")),
        (has_ended(link.c), constant("expired")),
        # An invitation is asked for by another than the one who uses it: there is no browser to bind it to.
        (and_(unbound, flag("require_binding"), link.c.purpose != INVITE), constant("binding")),
        (and_(~unbound, ~bound_here), constant("binding")),
        else_=constant("ok"),
    )
    kept = (link.c.id, link.c.email, link.c.redirect_to, link.c.code_hash, link.c.attempts, link.c.purpose, link.c.role)
    repeatable = (link.c.session_id, link.c.session_nonce, (~unbound).label("is_bound"))
    return materialized(select(*kept, *repeatable, verdict.label("verdict")), "judged")


def _signed_in(link: CTE) -> CTE:
    """The user of a good link: touched where known and active, made where unknown and allowed."""
    good = link.c.verdict == constant("ok")
    touched = (
        update(users)
        .values(last_login_at=NOW, updated_at=NOW)
        .where(users.c.email == single(link.c.email, good), users.c.is_active)
        .returning(users.c.id, users.c.email, users.c.role)
        .cte("touched")
    )
    # The role is given here and nowhere else: never to an account that exists.
    role = func.coalesce(link.c.role, constant("USER"))
    new = select(text("user_id"), link.c.email, role, NOW, NOW, NOW).where(
        good, or_(flag("allow_sign_up"), link.c.purpose == INVITE), ~exists(select(touched.c.id))
    )
    made = insert(users).from_select(
        ["id", "email", "role", "last_login_at", "created_at", "updated_at"], new, include_defaults=False
    )
    created = (
        made.on_conflict_do_update(
            index_elements=[users.c.email],
            set_={"last_login_at": made.excluded.last_login_at, "updated_at": made.excluded.updated_at},
            where=users.c.is_active,
        )
        .returning(users.c.id, users.c.email, users.c.role)
        .cte("created")
    )
    return select(touched).union_all(select(created)).cte("who")


def sign_in(link: CTE, *, on_device: bool, **kept: ColumnElement[Any]) -> tuple[CTE, CTE, Sequence[CTE]]:
    """Consume a good link, which keeps `kept`. Gives its user, their new session, and what else is written."""
    who = _signed_in(link)
    session = opened(who, on_device=on_device)
    used = {"used_at": NOW, "user_id": who.c.id, **kept}
    consumed = update(magic_links).values(used).where(m.id == single(link.c.id), who.c.id.is_not(None))
    other = magic_links.alias("other")
    # SKIP LOCKED: two links of one address, used at once, would wait for each other.
    others = (
        select(other.c.id)
        # Not joined, but looked up: a planner that believes that hardly any link is pending, as after a purge, would
        # walk through all of them.
        .where(other.c.email == single(link.c.email), exists(select(who.c.id)))
        .where(other.c.used_at.is_(None), other.c.revoked_at.is_(None), other.c.purpose != EMAIL_CHANGE)
        .where(other.c.id != single(link.c.id))
        .with_for_update(of=other, skip_locked=True)
        # In FROM, not by IN, for which the server builds a hash table each time: a fourteenth of its time.
        .subquery("others")
    )
    killed = update(magic_links).values(revoked_at=NOW).where(looked_up(m.id, others.c.id))
    return who, session, (consumed.cte("consumed"), killed.cte("killed"))


@cache
def verify_magic_link(*, is_bound: bool, on_device: bool) -> Statement:
    """Sign in by a link: see `_verify`."""
    which = (m.token_hash == binary("token_hash"), m.purpose != EMAIL_CHANGE)
    return _verify(*which, is_bound=is_bound, on_device=on_device)


@cache
def verify_code(*, is_bound: bool, on_device: bool) -> Statement:
    """Sign in by a code: see `_verify`."""
    return _verify(m.id == text("link_id"), m.purpose == SIGN_IN, is_bound=is_bound, on_device=on_device)


def _verify(*which: ColumnElement[bool], is_bound: bool, on_device: bool) -> Statement:
    """Sign in, once; or, where a binding is presented (`is_bound`), give what the tokens can be derived from again.

    What is not presented is not in the statement: that of a plain link takes an eighth less of the server's time.
    """
    link = judged(*which)
    # Of a link that is bound to no browser there is nothing to give again, and without its binding it is refused.
    bound = {"session_id": text("session_id"), "session_nonce": binary("session_nonce")} if is_bound else {}
    kept = {name: case((link.c.is_bound, value)) for name, value in bound.items()}
    who, session, written = sign_in(link, on_device=on_device, **kept)
    return outcome(link, who, session, written, link.c.email, link.c.redirect_to, is_repeatable=is_bound)


PEEK_MAGIC_LINK: Final = Statement(_peek())
PEEK_MAGIC_LINK_ON_REPLICA: Final = on_replica(_peek(is_on_replica=True))
