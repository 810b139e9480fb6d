"""Statements on invitations: make or replace one, list, withdraw."""

from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, Select, and_, func, literal_column, select, update
from sqlalchemy.dialects.postgresql import insert

from pgauthkit.models import MagicLink, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.magic_links import INVITE, has_ended
from pgauthkit.statements.rate_limits import Buckets
from pgauthkit.statements.statement import NOW, Statement, binary, duration, text

__all__ = ["LIST_INVITATIONS", "WITHDRAW_INVITATION", "invite"]

magic_links: Final = own_table(MagicLink)
users: Final = own_table(User)

m: Final = magic_links.c
TRUE: Final[ColumnElement[bool]] = literal_column("true")
NOTHING: Final[ColumnElement[Any]] = literal_column("interval '0'")
IS_PENDING: Final = (m.purpose == INVITE, m.used_at.is_(None), m.revoked_at.is_(None))


@cache
def invite(limits: tuple[str, ...]) -> Statement:
    """Take from the limits, and write the invitation where all granted. Gives its id and end, the wait, `should_send`.

    One that is pending is replaced in its row, so that a role which was given by mistake is gone with its token.
    """
    buckets = Buckets.of(limits) if limits else None
    link = _written(buckets)
    is_active = select(users.c.is_active).where(users.c.email == text("email")).scalar_subquery()
    columns = (link.c.id, link.c.expires_at, buckets.wait if buckets else NOTHING, func.coalesce(is_active, TRUE))
    if buckets is None:
        return Statement(select(*columns).select_from(link))
    return Statement(buckets.joined(*columns).outerjoin(link, TRUE))


def _written(buckets: Buckets | None) -> CTE:
    values: dict[str, ColumnElement[Any]] = {
        "id": text("link_id"),
        "token_hash": binary("token_hash"),
        "purpose": INVITE,
        "email": text("email"),
        "role": text("role"),
        "redirect_to": text("redirect_to"),
        "expires_at": NOW + duration("ttl"),
        "created_at": NOW,
    }
    row: Select[Any] = select(*values.values())
    if buckets is not None:
        row = buckets.joined(*values.values()).where(buckets.granted)
    written = insert(magic_links).from_select(list(values), row, include_defaults=False)
    replaced = {name: written.excluded[name] for name in values if name not in {"id", "purpose", "email"}}
    return (
        written.on_conflict_do_update(index_elements=[m.email], index_where=and_(*IS_PENDING), set_=replaced)
        .returning(m.id, m.expires_at)
        .cte("link")
    )


LIST_INVITATIONS: Final = Statement(
    select(m.id, m.email, m.role, m.redirect_to, m.created_at, m.expires_at)
    .where(*IS_PENDING, ~has_ended(m))
    .order_by(m.created_at.desc(), m.id.desc())
)
WITHDRAW_INVITATION: Final = Statement(
    update(magic_links)
    .values(revoked_at=NOW)
    .where(m.id == text("link_id"), *IS_PENDING, m.expires_at > NOW)
    .returning(m.email)
)
