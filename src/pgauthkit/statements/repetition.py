"""A sign-in that is asked for again: the session that came of it, as long as nothing happened to that."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    and_,
    case,
    cast as as_type,
    exists,
    func,
    literal_column,
    null,
    select,
)

from pgauthkit.models import Session, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.devices import hash_of_device
from pgauthkit.statements.sessions import ENDS_AT
from pgauthkit.statements.statement import NOW, Statement, constant, looked_up, single, text

__all__ = ["outcome"]

sessions: Final = own_table(Session)
users: Final = own_table(User)

Columns = Mapping[str, ColumnElement[Any]]
TRUE: Final[ColumnElement[bool]] = literal_column("true")
FALSE: Final[ColumnElement[bool]] = literal_column("false")
OPENED: Final = ("authenticated_at", "access_expires_at", "ends_at", "device_hash")


def outcome(
    link: CTE, who: CTE, session: CTE, written: Sequence[CTE], *about: ColumnElement[Any], is_repeatable: bool
) -> Statement:
    """What comes of a sign-in: the verdict, whether the address is known, `about` the link, and what is given out.

    Of the session that was opened now, or, where the sign-in `is_repeatable`, of the one of before. Whether the address
    is known is looked up where nobody was signed in.
    """
    earlier = _earlier(link) if is_repeatable else None
    was = _nothing_earlier() if earlier is None else dict(earlier.c)
    is_known = exists(select(users.c.id).where(users.c.email == link.c.email))
    asked = case((who.c.id.is_(None), is_known))
    row = (
        select(_verdict_with(link, was), asked, *about, *_signed_in_as(link, who, session, was, text("user_id")))
        .select_from(link)
        .outerjoin(who, TRUE)
        .outerjoin(session, TRUE)
        .add_cte(*written)
    )
    return Statement(row if earlier is None else row.outerjoin(earlier, TRUE))


def _earlier(link: CTE) -> CTE:
    """The session of a link whose verdict is `again`, and whether its tokens may be given again."""
    s = sessions.c
    is_live = and_(
        *(s.revoked_at.is_(None), s.generation == literal_column("0"), users.c.is_active),
        func.least(s.access_expires_at, ENDS_AT) > NOW,
    )
    state = case((is_live, constant("again")), else_=constant("used"))
    return (
        select(
            *(s.id, s.user_id, users.c.email, users.c.role, s.authenticated_at, s.access_expires_at),
            *(ENDS_AT.label("ends_at"), s.access_token_hash, state.label("state")),
            hash_of_device(s.device_id).label("device_hash"),
        )
        .join_from(sessions, users, looked_up(users.c.id, s.user_id))
        .where(s.id == single(link.c.session_id, link.c.verdict == constant("again")))
        .cte("earlier")
    )


def _nothing_earlier() -> Columns:
    """NULL in the same columns: what is not asked for shall have no table made ready for it."""
    s, u = sessions.c, users.c
    kinds = {column.name: column.type for column in (s.id, s.user_id, u.email, u.role, s.authenticated_at)}
    kinds |= {"access_expires_at": s.access_expires_at.type, "ends_at": s.expires_at.type, "state": u.email.type}
    kinds |= dict.fromkeys(("access_token_hash", "device_hash"), s.access_token_hash.type)
    return {name: as_type(null(), kind) for name, kind in kinds.items()}


def _verdict_with(link: CTE, was: Columns) -> ColumnElement[Any]:
    """The verdict on a link, with that on its session.

    `retry`: the session is too new for the snapshot of this statement, which waited for the link; or it is gone.
    """
    again = func.coalesce(was["state"], constant("retry"))
    return case((link.c.verdict == constant("again"), again), else_=link.c.verdict)


def _signed_in_as(link: CTE, who: CTE, session: CTE, was: Columns, new_user: ColumnElement[Any]) -> Iterator[Any]:
    """What the service gives out: of the session that was opened now, or of the one of before."""
    yield from (link.c.session_nonce, was["access_token_hash"], was["id"], func.coalesce(who.c.id == new_user, FALSE))
    yield from (func.coalesce(who.c.id, was["user_id"]), func.coalesce(who.c.email, was["email"]))
    yield func.coalesce(who.c.role, was["role"])
    yield from (func.coalesce(session.c[name], was[name]) for name in OPENED)
    yield NOW
