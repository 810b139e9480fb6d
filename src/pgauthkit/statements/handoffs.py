"""Statements on handoffs: approve a link for the browser that waits, wait, and sign that browser in."""

from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, and_, case, func, literal_column, or_, select, update

from pgauthkit.models import MagicLink, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.magic_links import SIGN_IN, sign_in
from pgauthkit.statements.rate_limits import bucket, wait_for
from pgauthkit.statements.repetition import outcome
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    binary,
    constant,
    duration,
    flag,
    in_order_of,
    materialized,
    number,
    single,
    text,
)

__all__ = ["WAIT_FOR_APPROVAL", "approve_magic_link", "claim_sign_in"]

magic_links: Final = own_table(MagicLink)
users: Final = own_table(User)

m: Final = magic_links.c
TRUE: Final[ColumnElement[bool]] = literal_column("true")
NOTHING: Final[ColumnElement[Any]] = literal_column("interval '0'")
ONE: Final[ColumnElement[int]] = literal_column("1")
APPROVED_FOR: Final[ColumnElement[Any]] = literal_column("interval '60 s'")


@cache
def approve_magic_link(*, limited: bool) -> Statement:
    """Judge the number under the link's lock, and count a wrong one. Gives the verdict, the wait, and the tries so far.

    The budget of the address is read before the number is judged, and filled by wrong numbers only.
    """
    link = materialized(
        select(m.id, m.email, m.match_hash, m.match_attempts, m.approved_at, m.used_at, m.revoked_at, m.expires_at)
        .add_columns(m.handoff_hash)
        .where(m.token_hash == binary("token_hash"), m.purpose == SIGN_IN)
        .with_for_update(),
        "locked",
    )
    key = func.sha256(binary("match_key").op("||")(func.convert_to(link.c.email, constant("UTF8"))))
    wait: ColumnElement[Any] = func.coalesce(wait_for("match", key), NOTHING) if limited else NOTHING
    is_active = select(users.c.is_active).where(users.c.email == link.c.email).scalar_subquery()
    verdict = case(
        (or_(link.c.used_at.is_not(None), link.c.approved_at.is_not(None)), constant("used")),
        (or_(link.c.revoked_at.is_not(None), link.c.expires_at <= NOW), constant("expired")),
        (link.c.match_attempts >= number("match_attempts"), constant("spent")),
        (wait > NOTHING, constant("limited")),
        (link.c.match_hash != binary("match_hash"), constant("wrong")),
        (~func.coalesce(is_active, TRUE), constant("inactive")),
        (and_(is_active.is_(None), ~flag("allow_sign_up")), constant("closed")),
        else_=constant("ok"),
    )
    judged = select(link.c.id, link.c.email, wait.label("wait"), verdict.label("verdict"))
    # Asked here and not where the row is found: it would be found by the index of all handoffs that have a link.
    row = materialized(judged.where(link.c.handoff_hash.is_not(None)), "judged")
    moved = _approved(row)
    rows = select(row.c.verdict, row.c.wait, moved.c.match_attempts, row.c.id, row.c.email).select_from(row)
    rows = rows.outerjoin(moved, TRUE)
    key = func.sha256(binary("match_key").op("||")(func.convert_to(row.c.email, constant("UTF8"))))
    return Statement(rows.add_cte(bucket("match", row, row.c.verdict == constant("wrong"), key)) if limited else rows)


def _approved(row: CTE) -> CTE:
    is_good, is_wrong = row.c.verdict == constant("ok"), row.c.verdict == constant("wrong")
    return (
        update(magic_links)
        .values(
            match_attempts=m.match_attempts + case((is_wrong, ONE), else_=_rank(0)),
            approved_at=case((is_good, NOW)),
            expires_at=case((is_good, func.greatest(m.expires_at, NOW + APPROVED_FOR)), else_=m.expires_at),
        )
        .where(m.id == single(row.c.id), or_(is_good, is_wrong))
        .returning(m.match_attempts)
        .cte("moved")
    )


def _wait_for_approval() -> Statement:
    """One read, without a lock: a browser asks it every few seconds. Gives what to do, and when the last link ends."""
    is_over = or_(m.revoked_at.is_not(None), m.expires_at <= NOW)
    what = case(
        (func.bool_or(or_(m.used_at.is_not(None), m.approved_at.is_not(None))), constant("claim")),
        (func.bool_and(is_over), constant("expired")),
        else_=constant("pending"),
    )
    ends = func.max(m.expires_at).filter(~is_over)
    return Statement(select(what, ends).where(_is_of_handoff()).having(func.count() > literal_column("0")))


def _is_of_handoff() -> ColumnElement[bool]:
    return and_(m.handoff_hash == binary("handoff_hash"), m.purpose == SIGN_IN)


def _judged() -> CTE:
    """Lock all links of the handoff in the order of their ids, and judge the one that counts.

    That is one that this browser was signed in by, or else one that is approved, used by its opener, or pending.
    """
    columns = (m.id, m.email, m.redirect_to, m.purpose, m.role, m.expires_at, m.used_at, m.revoked_at, m.approved_at)
    links = materialized(
        select(*columns, m.session_id, m.session_nonce)
        .where(_is_of_handoff())
        .order_by(in_order_of(m.id))
        .with_for_update(),
        "links",
    )
    is_used, is_approved = links.c.used_at.is_not(None), links.c.approved_at.is_not(None)
    is_over = or_(links.c.revoked_at.is_not(None), links.c.expires_at <= NOW)
    rank = case(
        (and_(is_used, is_approved), _rank(1)),
        (and_(~is_used, ~is_over, is_approved), _rank(2)),
        (is_used, _rank(3)),
        (~is_over, _rank(4)),
        else_=_rank(5),
    )
    verdict = case(
        (and_(is_approved, links.c.used_at > NOW - duration("refresh_grace")), constant("again")),
        (is_used, constant("used")),
        (is_over, constant("expired")),
        (~is_approved, constant("pending")),
        else_=constant("ok"),
    )
    return materialized(select(links, verdict.label("verdict")).order_by(rank, links.c.id).limit(ONE), "judged")


def _rank(place: int) -> ColumnElement[int]:
    return literal_column(str(place))


@cache
def claim_sign_in(*, on_device: bool) -> Statement:
    """Sign the waiting browser in, once; or give what its tokens can be derived from again."""
    link = _judged()
    kept = {"session_id": text("session_id"), "session_nonce": binary("session_nonce")}
    who, session, written = sign_in(link, on_device=on_device, **kept)
    about = (link.c.id, link.c.email, link.c.expires_at, link.c.redirect_to)
    return outcome(link, who, session, written, *about, is_repeatable=True)


WAIT_FOR_APPROVAL: Final = _wait_for_approval()
