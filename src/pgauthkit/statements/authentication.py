"""Statements on the way of each request: authenticate, touch."""

from typing import Any, Final

from sqlalchemy import (
    ColumnElement,
    LargeBinary,
    Select,
    and_,
    any_,
    case,
    column,
    false,
    func,
    or_,
    select,
    true,
    update,
)

from pgauthkit.statements.hashes import as_kept, found_by, is_hash
from pgauthkit.statements.replicas import on_replica
from pgauthkit.statements.sessions import ENDS_AT, sessions, users
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    binaries,
    binary,
    constant,
    duration,
    looked_up,
    materialized,
    texts,
    unsized,
)

__all__ = ["AUTHENTICATE", "AUTHENTICATE_MANY", "AUTHENTICATE_ON_REPLICA", "AUTHENTICATE_TO_KEEP", "TOUCH"]

s: Final = sessions.c


def _authenticate(*, to_keep: bool) -> Statement:
    asked = _asked(binary("access_token_hash"), to_keep=to_keep)
    return Statement(found_by(asked, s.selector_hash, binary("selector_hash")))


def _authenticate_many(*, is_on_replica: bool) -> Select[Any]:
    """Judge many tokens, each by the row of its own selector. Gives their numbers, from 1, before the rest."""
    tokens = (
        func.unnest(unsized(binaries("selector_hashes")), unsized(binaries("access_token_hashes")))
        .table_valued(column("selector_hash", LargeBinary), column("proof", LargeBinary), with_ordinality="number")
        .render_derived("asked")
    )
    asked = _asked(tokens.c.proof, to_keep=True, is_on_replica=is_on_replica)
    row = found_by(asked, s.selector_hash, tokens.c.selector_hash).lateral("row")
    return select(tokens.c.number, *row.c).select_from(tokens).join(row, true())


def _asked(presented: ColumnElement[Any], *, to_keep: bool, is_on_replica: bool = False) -> Select[Any]:
    current = is_hash(s.access_token_hash, presented)
    expires_at = case((current, s.access_expires_at), else_=s.previous_access_expires_at)
    ends_at = func.least(expires_at, ENDS_AT)
    # In this order: the secret first, so that only its holder learns why it is refused.
    verdict = case(
        (~or_(current, func.coalesce(is_hash(s.previous_access_token_hash, presented), false())), constant("invalid")),
        (s.revoked_at.is_not(None), constant("revoked")),
        (~users.c.is_active, constant("inactive")),
        (ends_at <= NOW, constant("expired")),
        else_=constant("ok"),
    )
    unconfirmed = _is_unconfirmed(current)
    touch: ColumnElement[Any] = or_(_is_stale(), unconfirmed)
    if not is_on_replica:
        # A server that takes no writes is not asked for one: a standby, or a primary whose disk is full.
        touch = and_(touch, func.current_setting(constant("transaction_read_only")) == constant("off"))
    if to_keep:
        touch = case((touch, true()), (_is_to_be_kept(current), false()))
    asked = (
        select(verdict, s.id, s.user_id, users.c.email, users.c.role, s.authenticated_at, expires_at, NOW, touch)
        .add_columns(*([unconfirmed] if is_on_replica else []))
        .join_from(sessions, users, looked_up(users.c.id, s.user_id))
    )
    return asked.where(verdict == constant("ok")) if is_on_replica else asked


def _is_to_be_kept(current: ColumnElement[bool]) -> ColumnElement[bool]:
    """Tell whether an answer may be kept until the access token expires: only of the pair that is in use.

    One may be kept for as long as `touch_interval` at most, so that the session has to end no sooner. It stands in the
    column of the touch, as FALSE where the answer may be kept and NULL where not: to read one column more, with a time
    in it, was a fourth of what a cache costs a call.
    """
    is_in_use = or_(
        s.rotated_at.is_(None), and_(s.confirmed_at.is_not(None), current)
    )  # before a rotation it is current
    return and_(is_in_use, func.least(s.access_expires_at, NOW + duration("touch_interval")) <= ENDS_AT)


def _is_stale() -> ColumnElement[bool]:
    return s.last_used_at < NOW - duration("touch_interval")


def _is_unconfirmed(current: ColumnElement[bool]) -> ColumnElement[bool]:
    """Tell whether it is the first use of a pair that follows another."""
    return and_(current, s.rotated_at.is_not(None), s.confirmed_at.is_(None))


def _touch() -> Statement:
    """Write that sessions, and their current pairs, are in use; where nobody has the row locked, and it is still live.

    Who has it locked is about to rotate, to end or to touch it; the next request writes what this one has not.
    """
    current = as_kept(s.access_token_hash) == any_(unsized(binaries("access_token_hashes")))
    live = materialized(
        select(s.id)
        .where(s.id == any_(unsized(texts("session_ids"))), s.revoked_at.is_(None), ENDS_AT > NOW)
        .where(or_(_is_stale(), _is_unconfirmed(current)))
        .with_for_update(key_share=True, skip_locked=True),
        "live",
    )
    idle_expires_at = func.least(NOW + duration("session_idle_ttl"), s.expires_at)
    return Statement(
        update(sessions)
        .values(
            confirmed_at=case((_is_unconfirmed(current), NOW), else_=s.confirmed_at),
            last_used_at=func.greatest(s.last_used_at, NOW),
            idle_expires_at=func.greatest(s.idle_expires_at, idle_expires_at),
        )
        .where(looked_up(s.id, live.c.id))
        .returning(s.id)
    )


AUTHENTICATE: Final = _authenticate(to_keep=False)
AUTHENTICATE_TO_KEEP: Final = _authenticate(to_keep=True)
AUTHENTICATE_MANY: Final = Statement(_authenticate_many(is_on_replica=False))
AUTHENTICATE_ON_REPLICA: Final = on_replica(_authenticate_many(is_on_replica=True))
TOUCH: Final = _touch()
