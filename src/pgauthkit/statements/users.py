"""Statements on users: find one, switch one off or on, change an address."""

from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, and_, exists, func, literal_column, not_, or_, select, update

from pgauthkit.models import User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.devices import forgotten
from pgauthkit.statements.magic_links import EMAIL_CHANGE, magic_links
from pgauthkit.statements.sessions import ended, sessions
from pgauthkit.statements.statement import NOW, Statement, in_order_of, looked_up, materialized, text

__all__ = ["ACTIVATE_USER", "CHANGE_EMAIL", "DEACTIVATE_USER", "END_OTHERS", "FIND_USER"]

users: Final = own_table(User)
m: Final = magic_links.c


def _find_user() -> Statement:
    u = users.c
    found = select(u.id, u.email, u.role, u.is_active, u.last_login_at, u.created_at)
    return Statement(found.where(u.email == text("email")))


def _switch(is_active: ColumnElement[bool]) -> Statement:
    """Switch a user, end every session and pending link, and forget every device.

    Also when switching on: a sign-in that was in flight during the deactivation may have opened a session since, which
    only the inactive user kept out, and made a device. To switch on who is on already changes nothing. Links are locked
    before the user, as a sign-in locks them. Gives the address, whether there was something to do, and the ids of the
    sessions.
    """
    wanted = users.c.id == text("user_id"), not_(and_(users.c.is_active, is_active))
    mine = select(users.c.email).where(*wanted).scalar_subquery()
    links = materialized(
        select(m.id)
        .where(or_(m.email == mine, _is_change_of(select(users.c.id).where(*wanted).scalar_subquery())))
        .where(m.used_at.is_(None), m.revoked_at.is_(None))
        .order_by(in_order_of(m.id))
        .with_for_update(),
        "links",
    )
    locked_first = select(func.count()).select_from(links).scalar_subquery() >= literal_column("0")
    switched = (
        update(users)
        .values(is_active=is_active, updated_at=NOW)
        .where(*wanted, locked_first)
        .returning(users.c.id)
        .cte("switched")
    )
    killed = update(magic_links).values(revoked_at=NOW).where(looked_up(m.id, links.c.id), switched.c.id.is_not(None))
    switched_one = exists(select(switched.c.id))
    row = select(users.c.email, switched_one, _ids(ended(looked_up(sessions.c.user_id, switched.c.id))))
    return Statement(row.where(users.c.id == text("user_id")).add_cte(killed.cte("killed"), forgotten(switched)))


def _change_email() -> Statement:
    """Move a user to another address; links of both, all sessions but one, and all devices but its own are ended."""
    old = select(users.c.email).where(users.c.id == text("user_id")).scalar_subquery()
    links = materialized(
        select(m.id)
        .where(or_(m.email == text("email"), m.email == old, _is_change_of(text("user_id"))))
        .where(m.used_at.is_(None), m.revoked_at.is_(None))
        .order_by(in_order_of(m.id))
        .with_for_update(),
        "links",
    )
    locked_first = select(func.count()).select_from(links).scalar_subquery() >= literal_column("0")
    moved = (
        update(users)
        .values(email=text("email"), updated_at=NOW)
        .where(users.c.id == text("user_id"), locked_first)
        .returning(users.c.id)
        .cte("moved")
    )
    killed = update(magic_links).values(revoked_at=NOW).where(looked_up(m.id, links.c.id), moved.c.id.is_not(None))
    others = ended(looked_up(sessions.c.user_id, moved.c.id), sessions.c.id.is_distinct_from(text("keep")))
    gone = forgotten(moved, text("keep"))
    return Statement(select(_ids(others)).select_from(moved).add_cte(killed.cte("killed"), gone))


def _end_others() -> Statement:
    """End what the statement of a change of address could not see yet: sessions and devices of other sign-ins."""
    user = select(users.c.id).where(users.c.id == text("user_id")).cte("moved")
    others = ended(looked_up(sessions.c.user_id, user.c.id), sessions.c.id.is_distinct_from(text("keep")))
    return Statement(select(others.c.id).add_cte(forgotten(user, text("keep"))))


def _is_change_of(user_id: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether a link would move the user: it is mailed to another address than theirs."""
    return and_(m.user_id == user_id, m.purpose == EMAIL_CHANGE)


def _ids(rows: CTE) -> ColumnElement[Any]:
    return func.array(select(rows.c.id).scalar_subquery())


FIND_USER: Final = _find_user()
CHANGE_EMAIL: Final = _change_email()
END_OTHERS: Final = _end_others()
DEACTIVATE_USER: Final = _switch(literal_column("false"))
ACTIVATE_USER: Final = _switch(literal_column("true"))
