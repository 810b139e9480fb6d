"""Statements on known devices: keep or make one in a sign-in, look whose it is, list, forget."""

from collections.abc import Sequence
from typing import Any, Final

from sqlalchemy import (
    CTE,
    ColumnElement,
    Insert,
    ScalarSelect,
    Select,
    case,
    delete,
    exists,
    func,
    insert,
    literal_column,
    select,
    update,
)

from pgauthkit.models import Device, Session, User
from pgauthkit.models.owned import own_table
from pgauthkit.statements.statement import (
    NOW,
    Statement,
    binary,
    duration,
    in_order_of,
    looked_up,
    materialized,
    single,
    text,
)

__all__ = [
    "FORGET_DEVICE",
    "LIST_DEVICES",
    "devices",
    "forgotten",
    "hash_of_device",
    "is_newest_of",
    "is_the_owners",
    "signed_in_on",
]

devices: Final = own_table(Device)
sessions: Final = own_table(Session)
users: Final = own_table(User)

d: Final = devices.c
FALSE: Final[ColumnElement[bool]] = literal_column("false")


def is_the_owners(email: ColumnElement[Any]) -> ColumnElement[bool]:
    """Tell whether the device presented is that of the active user with an address.

    Looked up by the token, and compared with the address afterwards: what it costs tells nobody whether the address has
    an account.
    """
    owner = select(d.user_id).where(d.token_hash == binary("device_hash"), d.expires_at > NOW).scalar_subquery()
    is_owners = select(users.c.is_active & (users.c.email == email)).where(users.c.id == owner).scalar_subquery()
    return func.coalesce(is_owners, FALSE)


def signed_in_on(who: CTE, *, is_presented: bool) -> tuple[ColumnElement[Any], ColumnElement[Any], Sequence[CTE]]:
    """Keep the device presented where it is that of the one user in `who`, or else make one.

    Gives its id, its hash, and what is written besides. Another's device is left as it is: a copy of its token could
    else be used to have the owner forgotten. Where none is presented, none is looked for: each table that a statement
    writes to is made ready for that, whether or not a row comes.
    """
    new_id, new_hash = text("new_device_id"), binary("new_device_hash")
    if not is_presented:
        return new_id, new_hash, (_made(who).cte("made_device"),)
    kept = _kept(who)
    made = _made(who, ~exists(select(kept.c.id))).returning(d.id).cte("made_device")
    device_id = func.coalesce(*(select(step.c.id).scalar_subquery() for step in (kept, made)))
    is_new = sessions.c.device_id == new_id
    return device_id, case((is_new, new_hash), else_=binary("kept_device_hash")), ()


def _kept(who: CTE) -> CTE:
    return (
        update(devices)
        # Under the first pepper from now on, so that an older one can be dropped some day.
        .values(token_hash=binary("kept_device_hash"), last_used_at=NOW, expires_at=NOW + duration("device_ttl"))
        .values(ip=func.coalesce(text("ip"), d.ip), user_agent=func.coalesce(text("user_agent"), d.user_agent))
        .where(d.token_hash == binary("device_hash"), d.user_id == single(who.c.id), d.expires_at > NOW)
        .returning(d.id)
        .cte("kept_device")
    )


def _made(who: CTE, *unless: ColumnElement[bool]) -> Insert:
    values: dict[str, ColumnElement[Any]] = {
        "id": text("new_device_id"),
        "token_hash": binary("new_device_hash"),
        "ip": text("ip"),
        "user_agent": text("user_agent"),
        "created_at": NOW,
        "last_used_at": NOW,
        "expires_at": NOW + duration("device_ttl"),
        "user_id": who.c.id,
    }
    row = select(*values.values()).select_from(who).where(*unless)
    return insert(devices).from_select(list(values), row, include_defaults=False)


def hash_of_device(device_id: ColumnElement[Any]) -> ColumnElement[Any]:
    """Look up the hash of the device that a session was opened on; NULL where it was forgotten since."""
    return select(d.token_hash).where(d.id == device_id).scalar_subquery()


def forgotten(user: CTE, keep_session: ColumnElement[Any] | None = None) -> CTE:
    """Delete the devices of a user, but that of one session. They are locked in the order of their ids."""
    gone = select(d.id).where(looked_up(d.user_id, user.c.id))
    if keep_session is not None:
        kept = select(sessions.c.device_id).where(sessions.c.id == keep_session, sessions.c.user_id == d.user_id)
        gone = gone.where(d.id.is_distinct_from(kept.scalar_subquery()))
    locked = materialized(gone.order_by(in_order_of(d.id)).with_for_update(of=devices), "gone")
    return delete(devices).where(looked_up(d.id, locked.c.id)).cte("forgotten")


def is_newest_of(most: int) -> ColumnElement[bool]:
    """Tell whether a device is one of so many that its user signed in on last."""
    newer = devices.alias("newer")
    later = func.row(newer.c.last_used_at, newer.c.id) > func.row(d.last_used_at, d.id)
    found: Select[str] = select(newer.c.id).where(newer.c.user_id == d.user_id, later).limit(_number(most))
    many: ScalarSelect[int] = select(func.count()).select_from(found.correlate(devices).subquery()).scalar_subquery()
    return many < _number(most)


def _number(value: int) -> ColumnElement[int]:
    return literal_column(str(value))


def _list_devices() -> Statement:
    return Statement(
        select(d.id, d.created_at, d.last_used_at, d.expires_at, d.ip, d.user_agent)
        .where(d.user_id == text("user_id"), d.expires_at > NOW)
        .order_by(d.last_used_at.desc(), d.id.desc())
    )


def _forget_device() -> Statement:
    return Statement(delete(devices).where(d.id == text("device_id"), d.user_id == text("user_id")).returning(d.id))


LIST_DEVICES: Final = _list_devices()
FORGET_DEVICE: Final = _forget_device()
