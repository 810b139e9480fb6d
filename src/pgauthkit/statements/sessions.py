"""Statements on sessions: open, refresh, end, list."""

from functools import cache
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Select,
    and_,
    case,
    cast as as_type,
    false,
    func,
    insert,
    literal_column,
    null,
    or_,
    select,
    update,
)

from pgauthkit.models import Session, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.devices import signed_in_on
from pgauthkit.statements.hashes import found_by, is_hash
from pgauthkit.statements.replicas import on_replica
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    big_number,
    binary,
    constant,
    duration,
    in_order_of,
    looked_up,
    materialized,
    text,
)

__all__ = [
    "ENDS_AT",
    "LIST_SESSIONS",
    "LIST_SESSIONS_ON_REPLICA",
    "REFRESH",
    "REVOKE_SESSION",
    "REVOKE_SESSIONS",
    "SIGN_OUT_BY_ACCESS",
    "SIGN_OUT_BY_REFRESH",
    "ended",
    "open_session",
    "opened",
    "sessions",
    "users",
]

sessions: Final = own_table(Session)
users: Final = own_table(User)

s: Final = sessions.c
ENDS_AT: Final = func.least(s.idle_expires_at, s.expires_at)


def opened(who: CTE, *, on_device: bool) -> CTE:
    """Insert a session for the one user in `who`, on a device that is kept (one is presented `on_device`) or made."""
    device_id, device_hash, written = signed_in_on(who, is_presented=on_device)
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
        "user_agent": text("browser"),
        "device_id": device_id,
        "created_at": NOW,
        "user_id": who.c.id,
    }
    row = select(*values.values()).select_from(who).add_cte(*written)
    return (
        insert(sessions)
        .from_select(list(values), row, include_defaults=False)
        .returning(s.authenticated_at, s.access_expires_at, ENDS_AT.label("ends_at"), device_hash.label("device_hash"))
        .cte("opened")
    )


@cache
def open_session(*, on_device: bool) -> Statement:
    """Open a session for a user whom the host has proved, with a device presented or without."""
    known = select(users.c.id, users.c.is_active).where(users.c.id == text("user_id")).cte("known")
    who = (
        update(users)
        .values(last_login_at=NOW, updated_at=NOW)
        .where(users.c.id == text("user_id"), users.c.is_active)
        .returning(users.c.id, users.c.email, users.c.role)
        .cte("who")
    )
    session = opened(who, on_device=on_device)
    return Statement(
        select(who.c.id, who.c.email, who.c.role, *session.c, NOW)
        .select_from(known)
        .outerjoin(who, literal_column("true"))
        .outerjoin(session, literal_column("true"))
    )


def _locked() -> CTE:
    presented = binary("refresh_token_hash")
    row = select(
        *(s.id, s.user_id, s.rotation_nonce, s.rotated_at, s.confirmed_at, s.revoked_at, s.generation),
        *(s.access_expires_at, s.ip, ENDS_AT.label("ends_at")),
        is_hash(s.refresh_token_hash, presented).label("is_current"),
        func.coalesce(is_hash(s.previous_refresh_token_hash, presented), false()).label("is_previous"),
    )
    found = found_by(row, s.selector_hash, binary("selector_hash"))
    return materialized(found.with_for_update(key_share=True), "locked")


def _judged(row: CTE) -> CTE:
    generation = big_number("generation")
    over = or_(row.c.revoked_at.is_not(None), row.c.ends_at <= NOW, ~users.c.is_active)
    unknown = ~or_(row.c.is_current, row.c.is_previous)
    # Of this generation or the one before, but with another hash: forged, or of a history that a failover has dropped.
    # Only an older one proves that it was followed.
    is_no_ancestor = generation >= row.c.generation - literal_column("1")
    is_unused = row.c.confirmed_at.is_(None)
    within_grace = or_(is_unused, row.c.confirmed_at > NOW - duration("refresh_grace"))
    verdict = case(
        (and_(unknown, generation > row.c.generation), constant("ahead")),
        (and_(unknown, or_(over, is_no_ancestor)), constant("invalid")),
        (row.c.revoked_at.is_not(None), constant("revoked")),
        (row.c.ends_at <= NOW, constant("expired")),
        (~users.c.is_active, constant("inactive")),
        (row.c.is_current, constant("rotated")),
        # Nobody has used the successor, but its access token has ended by now: it gets a new time.
        (and_(row.c.is_previous, is_unused, row.c.access_expires_at <= NOW), constant("renewed")),
        (and_(row.c.is_previous, within_grace), constant("same")),
        else_=constant("reused"),
    )
    judged = select(row, users.c.email, verdict.label("verdict")).join_from(
        row, users, looked_up(users.c.id, row.c.user_id)
    )
    return materialized(judged, "judged")


def _moved(row: CTE) -> CTE:
    rotated, reused = row.c.verdict == constant("rotated"), row.c.verdict == constant("reused")
    rotation = {
        s.generation: s.generation + literal_column("1"),
        s.access_token_hash: binary("next_access_token_hash"),
        s.refresh_token_hash: binary("next_refresh_token_hash"),
        s.previous_access_token_hash: s.access_token_hash,
        s.previous_refresh_token_hash: s.refresh_token_hash,
        s.previous_access_expires_at: func.least(s.access_expires_at, NOW + duration("refresh_grace")),
        s.rotation_nonce: binary("rotation_nonce"),
        s.rotated_at: NOW,
        s.confirmed_at: as_type(null(), s.confirmed_at.type),
        s.ip: func.coalesce(text("ip"), s.ip),
        s.user_agent: func.coalesce(text("browser"), s.user_agent),
    }
    times = {
        s.last_used_at: NOW,
        s.access_expires_at: func.least(NOW + duration("access_ttl"), s.expires_at),
        s.idle_expires_at: func.least(NOW + duration("session_idle_ttl"), s.expires_at),
    }
    return (
        update(sessions)
        .values({column: case((rotated, value), else_=column) for column, value in rotation.items()})
        .values({column: case((reused, column), else_=value) for column, value in times.items()})
        .values(revoked_at=case((reused, NOW)))
        .where(
            looked_up(s.id, row.c.id), row.c.verdict.in_([constant(word) for word in ("rotated", "renewed", "reused")])
        )
        .returning(s.access_expires_at, ENDS_AT.label("ends_at"))
        .cte("moved")
    )


def _refresh() -> Statement:
    row = _judged(_locked())
    moved = _moved(row)
    late = func.floor(func.extract("epoch", NOW - row.c.rotated_at))
    return Statement(
        select(
            *(row.c.verdict, row.c.id, row.c.user_id, row.c.email, row.c.rotation_nonce, row.c.ip),
            func.coalesce(moved.c.access_expires_at, row.c.access_expires_at),
            func.coalesce(moved.c.ends_at, row.c.ends_at),
            late,
        )
        .select_from(row)
        .outerjoin(moved, literal_column("true"))
    )


def _sign_out(*hashes: ColumnElement[Any], presented: str) -> Statement:
    """End the session that one of these hashes is of. Gives what is live by its selector, and whether it was ended."""
    held = select(
        *(s.id, s.user_id, ENDS_AT.label("ends_at")),
        func.coalesce(or_(*(is_hash(column, binary(presented)) for column in hashes)), false()).label("is_held"),
    )
    found = found_by(held, s.selector_hash, binary("selector_hash")).where(s.revoked_at.is_(None))
    row = materialized(found.with_for_update(key_share=True), "locked")
    ended = update(sessions).values(revoked_at=NOW).where(looked_up(s.id, row.c.id), row.c.is_held).cte("ended")
    live = or_(row.c.is_held, row.c.ends_at > NOW)
    return Statement(select(row.c.is_held, row.c.id, row.c.user_id).where(live).add_cte(ended))


def _list_sessions() -> Select[*tuple[Any, ...]]:
    return (
        select(s.id, s.created_at, s.last_used_at, ENDS_AT, s.ip, s.user_agent, s.device_id)
        .where(s.user_id == text("user_id"), s.revoked_at.is_(None), ENDS_AT > NOW)
        .order_by(s.created_at.desc(), s.id.desc())
    )


def ended(whose: ColumnElement[bool], *which: ColumnElement[bool]) -> CTE:
    """End live sessions. They are locked in the order of their ids: two of these would else wait for each other."""
    live = materialized(
        select(s.id)
        .where(whose, s.revoked_at.is_(None), *which)
        .order_by(in_order_of(s.id))
        .with_for_update(of=sessions, key_share=True),
        "live",
    )
    return update(sessions).values(revoked_at=NOW).where(looked_up(s.id, live.c.id)).returning(s.id).cte("ended")


def _revoke(*which: ColumnElement[bool]) -> Statement:
    return Statement(select(ended(s.user_id == text("user_id"), *which).c.id))


REFRESH: Final = _refresh()
SIGN_OUT_BY_ACCESS: Final = _sign_out(s.access_token_hash, s.previous_access_token_hash, presented="access_token_hash")
SIGN_OUT_BY_REFRESH: Final = _sign_out(
    s.refresh_token_hash, s.previous_refresh_token_hash, presented="refresh_token_hash"
)
LIST_SESSIONS: Final = Statement(_list_sessions())
LIST_SESSIONS_ON_REPLICA: Final = on_replica(_list_sessions())
REVOKE_SESSION: Final = _revoke(s.id == text("session_id"))
REVOKE_SESSIONS: Final = _revoke(s.id.is_distinct_from(text("keep")))
