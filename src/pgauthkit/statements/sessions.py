"""Statements on sessions: open, authenticate, touch, refresh, end, list."""

from typing import Any, Final, cast

from sqlalchemy import CTE, ColumnElement, Table, and_, case, false, func, insert, literal_column, or_, select, update

from pgauthkit.models import Session, User
from pgauthkit.statements.statement import NOW, Statement, binary, constant, duration, materialized, text

__all__ = [
    "AUTHENTICATE",
    "LIST_SESSIONS",
    "OPEN_SESSION",
    "REFRESH",
    "REVOKE_SESSION",
    "REVOKE_SESSIONS",
    "SIGN_OUT",
    "TOUCH",
    "ended",
    "opened",
    "sessions",
]

sessions: Final = cast("Table", Session.__table__)
users: Final = cast("Table", User.__table__)

s: Final = sessions.c
ENDS_AT: Final = func.least(s.idle_expires_at, s.expires_at)


def opened(who: CTE) -> CTE:
    """Insert a session for the one user in `who`."""
    values: dict[str, ColumnElement[Any]] = {
        "id": text("session_id"),
        "selector_hash": binary("selector_hash"),
        "access_token_hash": binary("access_token_hash"),
        "refresh_token_hash": binary("refresh_token_hash"),
        "authenticated_at": NOW,
        "last_used_at": NOW,
        "access_expires_at": NOW + func.least(duration("access_ttl"), duration("session_ttl")),
        "idle_expires_at": NOW + func.least(duration("session_idle_ttl"), duration("session_ttl")),
        "expires_at": NOW + duration("session_ttl"),
        "ip": text("ip"),
        "user_agent": text("user_agent"),
        "created_at": NOW,
        "user_id": who.c.id,
    }
    row = select(*values.values()).select_from(who)
    return (
        insert(sessions)
        .from_select(list(values), row, include_defaults=False)
        .returning(s.authenticated_at, s.access_expires_at, ENDS_AT.label("ends_at"))
        .cte("opened")
    )


def _open_session() -> Statement:
    known = select(users.c.id, users.c.is_active).where(users.c.id == text("user_id")).cte("known")
    who = (
        update(users)
        .values(last_login_at=NOW, updated_at=NOW)
        .where(users.c.id == text("user_id"), users.c.is_active)
        .returning(users.c.id, users.c.email, users.c.role)
        .cte("who")
    )
    session = opened(who)
    return Statement(
        select(who.c.id, who.c.email, who.c.role, *session.c, NOW)
        .select_from(known)
        .outerjoin(who, literal_column("true"))
        .outerjoin(session, literal_column("true"))
    )


def _authenticate() -> Statement:
    presented = binary("access_token_hash")
    current = s.access_token_hash == presented
    expires_at = case((current, s.access_expires_at), else_=s.previous_access_expires_at)
    # In this order: the secret first, so that only its holder learns why it is refused.
    verdict = case(
        (~or_(current, func.coalesce(s.previous_access_token_hash == presented, false())), constant("invalid")),
        (s.revoked_at.is_not(None), constant("revoked")),
        (~users.c.is_active, constant("inactive")),
        (func.least(expires_at, ENDS_AT) <= NOW, constant("expired")),
        else_=constant("ok"),
    )
    stale = s.last_used_at < NOW - duration("touch_interval")
    return Statement(
        select(verdict, s.id, s.user_id, users.c.email, users.c.role, s.authenticated_at, expires_at, NOW, stale)
        .join_from(sessions, users, users.c.id == s.user_id)
        .where(s.selector_hash == binary("selector_hash"))
    )


def _touch() -> Statement:
    return Statement(
        update(sessions)
        .values(last_used_at=NOW, idle_expires_at=func.least(NOW + duration("session_idle_ttl"), s.expires_at))
        .where(s.id == text("session_id"), s.last_used_at < NOW - duration("touch_interval"))
        .returning(s.id)
    )


def _locked() -> CTE:
    presented = binary("refresh_token_hash")
    return materialized(
        select(
            *(s.id, s.user_id, s.rotation_nonce, s.rotated_at, s.revoked_at, s.access_expires_at, s.ip),
            ENDS_AT.label("ends_at"),
            (s.refresh_token_hash == presented).label("is_current"),
            func.coalesce(s.previous_refresh_token_hash == presented, false()).label("is_previous"),
        )
        .where(s.selector_hash == binary("selector_hash"))
        .with_for_update(key_share=True),
        "locked",
    )


def _judged(row: CTE) -> CTE:
    over = or_(row.c.revoked_at.is_not(None), row.c.ends_at <= NOW, ~users.c.is_active)
    known = or_(row.c.is_current, row.c.is_previous)
    within_grace = row.c.rotated_at > NOW - duration("refresh_grace")
    verdict = case(
        (and_(over, ~known), constant("invalid")),
        (row.c.revoked_at.is_not(None), constant("revoked")),
        (row.c.ends_at <= NOW, constant("expired")),
        (~users.c.is_active, constant("inactive")),
        (row.c.is_current, constant("rotated")),
        (and_(row.c.is_previous, within_grace), constant("same")),
        else_=constant("reused"),
    )
    judged = select(row, users.c.email, verdict.label("verdict")).join_from(row, users, users.c.id == row.c.user_id)
    return materialized(judged, "judged")


def _moved(row: CTE) -> CTE:
    rotated = row.c.verdict == constant("rotated")
    new = {
        s.access_token_hash: binary("next_access_token_hash"),
        s.refresh_token_hash: binary("next_refresh_token_hash"),
        s.previous_access_token_hash: s.access_token_hash,
        s.previous_refresh_token_hash: s.refresh_token_hash,
        s.previous_access_expires_at: func.least(s.access_expires_at, NOW + duration("refresh_grace")),
        s.rotation_nonce: binary("rotation_nonce"),
        s.rotated_at: NOW,
        s.last_used_at: NOW,
        s.access_expires_at: func.least(NOW + duration("access_ttl"), s.expires_at),
        s.idle_expires_at: func.least(NOW + duration("session_idle_ttl"), s.expires_at),
        s.ip: func.coalesce(text("ip"), s.ip),
        s.user_agent: func.coalesce(text("user_agent"), s.user_agent),
    }
    return (
        update(sessions)
        .values({column: case((rotated, value), else_=column) for column, value in new.items()})
        .values(revoked_at=case((~rotated, NOW)))
        .where(s.id == row.c.id, row.c.verdict.in_([constant("rotated"), constant("reused")]))
        .returning(s.access_expires_at, ENDS_AT.label("ends_at"))
        .cte("moved")
    )


def _refresh() -> Statement:
    row = _judged(_locked())
    moved = _moved(row)
    return Statement(
        select(
            *(row.c.verdict, row.c.id, row.c.user_id, row.c.email, row.c.rotation_nonce, row.c.ip),
            func.coalesce(moved.c.access_expires_at, row.c.access_expires_at),
            func.coalesce(moved.c.ends_at, row.c.ends_at),
        )
        .select_from(row)
        .outerjoin(moved, literal_column("true"))
    )


def _sign_out() -> Statement:
    presented = binary("access_token_hash")
    return Statement(
        update(sessions)
        .values(revoked_at=NOW)
        .where(
            s.selector_hash == binary("selector_hash"),
            or_(s.access_token_hash == presented, s.previous_access_token_hash == presented),
            s.revoked_at.is_(None),
        )
        .returning(s.id, s.user_id)
    )


def _list_sessions() -> Statement:
    return Statement(
        select(s.id, s.created_at, s.last_used_at, ENDS_AT, s.ip, s.user_agent)
        .where(s.user_id == text("user_id"), s.revoked_at.is_(None), ENDS_AT > NOW)
        .order_by(s.created_at.desc(), s.id.desc())
    )


def ended(whose: ColumnElement[bool], *which: ColumnElement[bool]) -> CTE:
    """End live sessions. They are locked in the order of their ids: two of these would else wait for each other."""
    live = materialized(
        select(s.id)
        .where(whose, s.revoked_at.is_(None), *which)
        .order_by(s.id)
        .with_for_update(of=sessions, key_share=True),
        "live",
    )
    return update(sessions).values(revoked_at=NOW).where(s.id == live.c.id).returning(s.id).cte("ended")


def _revoke(*which: ColumnElement[bool]) -> Statement:
    return Statement(select(ended(s.user_id == text("user_id"), *which).c.id))


OPEN_SESSION: Final = _open_session()
AUTHENTICATE: Final = _authenticate()
TOUCH: Final = _touch()
REFRESH: Final = _refresh()
SIGN_OUT: Final = _sign_out()
LIST_SESSIONS: Final = _list_sessions()
REVOKE_SESSION: Final = _revoke(s.id == text("session_id"))
REVOKE_SESSIONS: Final = _revoke(s.id.is_distinct_from(text("keep")))
