"""Statements that end everybody's sessions and pending links, a batch at a time."""

from typing import Final

from sqlalchemy import ColumnElement, Select, Table, func, literal_column, select, update

from pgauthkit.models import MagicLink, Session
from pgauthkit.models.owned import own_table
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    looked_up,
    materialized,
    moment,
    number,
    text,
)

__all__ = ["REVOKE_ALL_LINKS", "REVOKE_ALL_SESSIONS", "WHAT_TIME"]

magic_links: Final = own_table(MagicLink)
sessions: Final = own_table(Session)


def _end(table: Table, is_live: ColumnElement[bool], *which: ColumnElement[bool]) -> Statement:
    """End what was made by a moment, along the primary key. Gives the last key passed (None at the end), and how many.

    Rows are waited for, and not skipped: none may stay. They are locked in the order of their ids, as elsewhere.
    """
    key = table.c.id
    page = select(key).where(key > text("after")).order_by(key).limit(number("batch_size")).cte("page")
    last = select(page.c.id).order_by(page.c.id.desc()).limit(literal_column("1")).scalar_subquery()
    # Read as a part of the index, and not joined with the page: for the reason, see `single`.
    live: Select[str] = (
        select(key)
        .where(key > text("after"), key <= last, is_live, table.c.created_at <= moment("before"), *which)
        .order_by(key)
        .with_for_update(key_share=True)
    )
    locked = materialized(live, "live")
    ended = update(table).values(revoked_at=NOW).where(looked_up(key, locked.c.id)).returning(key).cte("ended")
    return Statement(select(last, select(func.count()).select_from(ended).scalar_subquery()))


# An invitation is no sign-in of its own yet: nobody has shown that the address is theirs.
REVOKE_ALL_LINKS: Final = _end(
    # Not each by itself, which the index of all pending links would serve for.
    magic_links,
    func.coalesce(magic_links.c.revoked_at, magic_links.c.used_at).is_(None),
    magic_links.c.purpose != literal_column("'invite'"),
)
REVOKE_ALL_SESSIONS: Final = _end(sessions, sessions.c.revoked_at.is_(None))
WHAT_TIME: Final = Statement(select(NOW))
