"""Statements on changes of address: ask for one, and confirm it."""

from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, and_, case, exists, func, literal_column, or_, select, update
from sqlalchemy.dialects.postgresql import insert

from pgauthkit.models import MagicLink, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.devices import forgotten
from pgauthkit.statements.magic_links import EMAIL_CHANGE
from pgauthkit.statements.rate_limits import Buckets
from pgauthkit.statements.sessions import ended, sessions
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    binary,
    constant,
    duration,
    in_order_of,
    looked_up,
    materialized,
    text,
)

__all__ = ["CONFIRM_EMAIL_CHANGE", "request_email_change"]

magic_links: Final = own_table(MagicLink)
users: Final = own_table(User)

m: Final = magic_links.c
TRUE: Final[ColumnElement[bool]] = literal_column("true")
NOTHING: Final[ColumnElement[Any]] = literal_column("interval '0'")
IS_PENDING: Final = (m.used_at.is_(None), m.revoked_at.is_(None))


@cache
def request_email_change(limits: tuple[str, ...]) -> Statement:
    """Take from the limits, and write the link where the user is active. Gives the state, the link, and the wait.

    A user has one pending change: a new one replaces it in its row. Nothing is looked up of the new address.
    """
    user = materialized(select(users.c.id, users.c.is_active).where(users.c.id == text("user_id")), "asking")
    buckets = Buckets.of(limits, exists(select(user.c.id).where(user.c.is_active))) if limits else None
    link = _written(user, buckets)
    wait = buckets.wait if buckets else NOTHING
    rows = select(user.c.is_active, link.c.id, link.c.expires_at, wait).select_from(user)
    for step in (buckets.look, *buckets.steps) if buckets else ():
        rows = rows.outerjoin(step, TRUE)
    return Statement(rows.outerjoin(link, TRUE))


def _written(user: CTE, buckets: Buckets | None) -> CTE:
    values: dict[str, ColumnElement[Any]] = {
        "id": text("link_id"),
        "token_hash": binary("token_hash"),
        "purpose": EMAIL_CHANGE,
        "email": text("email"),
        "ip": text("ip"),
        "user_agent": text("user_agent"),
        "expires_at": NOW + duration("magic_link_ttl"),
        "created_at": NOW,
        "user_id": user.c.id,
    }
    row: Select[Any] = select(*values.values()).where(user.c.is_active)
    if buckets is not None:
        row = buckets.joined(*values.values()).join(user, TRUE).where(user.c.is_active, buckets.granted)
    written = insert(magic_links).from_select(list(values), row, include_defaults=False)
    replaced = {name: written.excluded[name] for name in values if name not in {"id", "purpose", "user_id"}}
    where = and_(m.purpose == EMAIL_CHANGE, *IS_PENDING)
    return (
        written.on_conflict_do_update(index_elements=[m.user_id], index_where=where, set_=replaced)
        .returning(m.id, m.expires_at)
        .cte("link")
    )


def _judged() -> CTE:
    """Lock the presented link and every pending one of both addresses in one step, in the order of their ids.

    The presented one first and the others after it would deadlock with another user who moves to the same address.
    """
    own = materialized(
        select(m.id, m.email, m.user_id, users.c.email.label("old"))
        .join_from(magic_links, users, looked_up(users.c.id, m.user_id), isouter=True)
        .where(m.token_hash == binary("token_hash"), m.purpose == EMAIL_CHANGE),
        "own",
    )
    # Each looked up by itself: with IN and a query on one side of OR, no index serves, and all links would be read.
    is_own = m.id == select(own.c.id).scalar_subquery()
    at_either = (and_(m.email == select(one).scalar_subquery(), *IS_PENDING) for one in (own.c.email, own.c.old))
    links = materialized(
        select(m.id, m.token_hash, m.email, m.user_id, m.used_at, m.revoked_at, m.expires_at)
        .where(or_(is_own, *at_either))
        .order_by(in_order_of(m.id))
        .with_for_update(),
        "links",
    )
    is_anothers = func.coalesce(links.c.user_id != text("owner"), literal_column("false"))
    verdict = case(
        # Replaced meanwhile, its user deleted, or presented by another signed-in user.
        (or_(links.c.token_hash != binary("token_hash"), links.c.user_id.is_(None), is_anothers), constant("invalid")),
        (links.c.used_at.is_not(None), constant("used")),
        (or_(links.c.revoked_at.is_not(None), links.c.expires_at <= NOW), constant("expired")),
        else_=constant("ok"),
    )
    presented = (links.c.id == own.c.id).label("is_own")
    row = (links.c.id, links.c.email, links.c.user_id, presented, case((presented, verdict)).label("verdict"))
    return materialized(select(*row).join_from(links, own, TRUE), "judged")


def _confirm() -> Statement:
    links = _judged()
    own = select(links).where(links.c.is_own).cte("presented")
    good = own.c.verdict == constant("ok")
    # Its address is read after the user is locked: a change that was under way is over by then.
    before = materialized(
        select(users.c.id, users.c.email.label("old"), users.c.is_active)
        .join_from(own, users, looked_up(users.c.id, own.c.user_id))
        .where(good)
        .with_for_update(of=users, key_share=True),
        "before",
    )
    moved = (
        update(users)
        .values(email=own.c.email, updated_at=NOW)
        .where(looked_up(users.c.id, before.c.id), before.c.is_active, good)
        .returning(users.c.id)
        .cte("moved")
    )
    consumed = update(magic_links).values(used_at=NOW).where(looked_up(m.id, own.c.id), moved.c.id.is_not(None))
    others = and_(looked_up(m.id, links.c.id), ~links.c.is_own)
    killed = update(magic_links).values(revoked_at=NOW).where(others, moved.c.id.is_not(None))
    dead = ended(looked_up(sessions.c.user_id, moved.c.id), sessions.c.id.is_distinct_from(text("keep")))
    ids = func.array(select(dead.c.id).scalar_subquery())
    return Statement(
        select(own.c.verdict, before.c.id, before.c.old, own.c.email, before.c.is_active, ids)
        .select_from(own)
        .outerjoin(before, TRUE)
        .add_cte(consumed.cte("consumed"), killed.cte("killed"), forgotten(moved, text("keep")))
    )


CONFIRM_EMAIL_CHANGE: Final = _confirm()
