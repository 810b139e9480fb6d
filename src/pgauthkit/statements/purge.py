"""Statements that delete expired rows, a batch at a time, past locked rows."""

from typing import Any, Final

from sqlalchemy import ColumnElement, Table, delete, func, literal_column, not_, or_, select

from pgauthkit.models import MagicLink, RateLimit, Session
from pgauthkit.models.owned import own_table
from pgauthkit.statements.devices import devices, is_newest_of
from pgauthkit.statements.statement import NOW, Statement, binary, duration, looked_up, materialized, number, text

__all__ = [
    "PURGE_DEVICES",
    "PURGE_MAGIC_LINKS",
    "PURGE_RATE_LIMITS",
    "WALK_DEVICES",
    "WALK_SESSIONS",
]

magic_links: Final = own_table(MagicLink)
sessions: Final = own_table(Session)
rate_limits: Final = own_table(RateLimit)

s: Final = sessions.c


def _by_expiry(table: Table, keep: ColumnElement[Any]) -> Statement:
    """Delete by the index on `expires_at`. Gives a row for each row deleted."""
    dead = materialized(
        select(table.c.id)
        .where(table.c.expires_at < NOW - keep)
        .order_by(table.c.expires_at)
        .limit(number("batch_size"))
        .with_for_update(skip_locked=True),
        "dead",
    )
    return Statement(delete(table).where(looked_up(table.c.id, dead.c.id)).returning(table.c.id))


def _by_walk(table: Table, after: ColumnElement[object], is_dead: ColumnElement[bool]) -> Statement:
    """Delete along the primary key what no index finds. Gives the last key passed (None at the end), and a count."""
    key = table.primary_key.columns[0]
    page = select(key).where(key > after).order_by(key).limit(number("batch_size")).cte("page")
    last = select(page.c[key.name]).order_by(page.c[key.name].desc()).limit(literal_column("1")).scalar_subquery()
    # Read as a part of the index, and not joined with the page: for the reason, see `single`.
    found = select(key).where(key > after, key <= last, is_dead)
    dead = materialized(found.with_for_update(skip_locked=True), "dead")
    gone = delete(table).where(looked_up(key, dead.c[key.name])).returning(key).cte("gone")
    return Statement(select(last, select(func.count()).select_from(gone).scalar_subquery()))


# A sign-in whose answer was lost is given again by its link, for longer than that lives.
PURGE_MAGIC_LINKS: Final = _by_expiry(magic_links, func.greatest(duration("keep"), literal_column("interval '5 min'")))
WALK_SESSIONS: Final = _by_walk(
    sessions,
    text("after"),
    or_(*(column < NOW - duration("keep") for column in (s.idle_expires_at, s.expires_at, s.revoked_at))),
)
PURGE_DEVICES: Final = _by_expiry(devices, duration("keep"))
# More than anybody signs in on, and few enough for what is listed and looked through.
WALK_DEVICES: Final = _by_walk(devices, text("after"), not_(is_newest_of(20)))
# What is fuller than any bucket can be was filled by a clock that was ahead.
PURGE_RATE_LIMITS: Final = _by_walk(
    rate_limits,
    binary("after"),
    or_(rate_limits.c.full_at < NOW, rate_limits.c.full_at > NOW + duration("longest")),
)
