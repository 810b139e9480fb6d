"""Statements on short codes: count an attempt before it is checked."""

from functools import cache
from typing import Any, Final

from sqlalchemy import CTE, ColumnElement, and_, case, func, literal_column, not_, or_, select, update

from pgauthkit.models import MagicLink
from pgauthkit.models.owned import own_table
from pgauthkit.statements.magic_links import SIGN_IN, judged
from pgauthkit.statements.rate_limits import bucket, by_device
from pgauthkit.statements.statement import Statement, binary, constant, looked_up, number, text

__all__ = ["count_attempt"]

magic_links: Final = own_table(MagicLink)
TRUE: Final[ColumnElement[bool]] = literal_column("true")
FALSE: Final[ColumnElement[bool]] = literal_column("false")
DEVICE: Final = "code_device"


@cache
def count_attempt(limits: tuple[str, ...]) -> Statement:
    """Count an attempt at a good link, where the budget of its address and this ip, or of this device, has one left.

    A link that is used, expired, bound elsewhere or tried too often counts for nothing; one whose sign-in may be
    repeated counts as a good one. `code_hash` is checked afterwards, when no lock is held. Gives the verdict, the wait,
    the attempts so far, the hash, and the address.
    """
    link = judged(magic_links.c.id == text("link_id"), magic_links.c.purpose == SIGN_IN)
    is_good = or_(link.c.verdict == constant("ok"), link.c.verdict == constant("again"))
    has_left = and_(is_good, link.c.attempts < number("code_attempts"))
    asked = select(link.c.id, link.c.email, has_left.label("granted")).cte("asked")
    taken = _budget(asked, limits) if limits else asked
    counted = (
        update(magic_links)
        .values(attempts=magic_links.c.attempts + literal_column("1"))
        .where(looked_up(magic_links.c.id, asked.c.id), taken.c.granted)
        .returning(magic_links.c.attempts)
        .cte("counted")
    )
    verdict = case(
        (~is_good, link.c.verdict),
        (~asked.c.granted, constant("spent")),
        (counted.c.attempts.is_(None), constant("limited")),
        else_=constant("ok"),
    )
    wait: ColumnElement[Any] = taken.c.wait if limits else literal_column("NULL::interval")
    rows = select(verdict, wait, counted.c.attempts, link.c.code_hash, link.c.email).select_from(link).join(asked, TRUE)
    return Statement((rows.outerjoin(taken, TRUE) if limits else rows).outerjoin(counted, TRUE))


def _budget(asked: CTE, limits: tuple[str, ...]) -> CTE:
    """The device's own, where it is one of the user's, and else, or where that is empty, everybody's."""
    if DEVICE not in limits:
        return _strangers(asked, asked.c.granted)
    own = by_device(DEVICE, asked, asked.c.granted, asked.c.email)
    is_let = func.coalesce(select(own.c.granted).scalar_subquery(), FALSE)
    others = _strangers(asked, and_(asked.c.granted, not_(is_let)))
    granted = or_(is_let, func.coalesce(others.c.granted, FALSE)).label("granted")
    wait = func.least(select(own.c.wait).scalar_subquery(), others.c.wait).label("wait")
    return select(granted, wait).select_from(asked).outerjoin(others, TRUE).cte("taken")


def _strangers(asked: CTE, may: ColumnElement[bool]) -> CTE:
    # The address is known only to the row, so the key is made here: SHA-256 over a peppered key of the ip, and it.
    key = func.sha256(binary("code_key").op("||")(func.convert_to(asked.c.email, constant("UTF8"))))
    return bucket("code", asked, may, key)
