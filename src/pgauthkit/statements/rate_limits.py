"""Buckets of the rate limiter (GCRA), filled inside the statement that they guard."""

from collections.abc import Sequence
from functools import cache
from typing import Any, Final, Self

import attrs
from sqlalchemy import CTE, ColumnElement, Select, and_, case, func, literal_column, not_, or_, select
from sqlalchemy.dialects.postgresql import insert

from pgauthkit.models import RateLimit
from pgauthkit.models.owned import own_table
from pgauthkit.statements.devices import is_the_owners
from pgauthkit.statements.statement import BY_NOW, NOW, Statement, binary, duration, materialized, text

__all__ = ["Buckets", "bucket", "by_device", "rate_limits", "take", "wait_for"]

rate_limits: Final = own_table(RateLimit)
TRUE: Final[ColumnElement[bool]] = literal_column("true")
FALSE: Final[ColumnElement[bool]] = literal_column("false")
NOTHING: Final[ColumnElement[Any]] = literal_column("interval '0'")
full_at: Final = rate_limits.c.full_at
DEVICE: Final = "device"


def bucket(name: str, source: CTE, may: ColumnElement[bool], key: ColumnElement[Any] | None = None) -> CTE:
    """Take one from a bucket, for the row of `source` where it may.

    Parameters are `<name>_key`, `<name>_interval` (the time in which one more is let through) and `<name>_tolerance`
    (the interval times the burst). Gives `granted`, or how long to `wait` for it; a refusal takes nothing.

    A racer that waited for the bucket is judged at the time when it got it: by the time when its statement began, it
    could be earlier than the first that was let in, and be refused as the fifth of five.

    A bucket that is fuller than full was filled by a clock that was ahead. It lets this one through, and is full.
    """
    interval, tolerance = duration(f"{name}_interval"), duration(f"{name}_tolerance")
    row = select(binary(f"{name}_key") if key is None else key, NOW + interval).select_from(source).where(may)
    filled = func.greatest(full_at, NOW) + interval
    end: ColumnElement[Any] = BY_NOW + tolerance
    granted = or_(filled <= end, full_at > end)
    taken = insert(rate_limits).from_select(["key", "full_at"], row, include_defaults=False)
    wait = func.greatest(full_at + interval - end, literal_column("interval '1 us'"))
    return (
        taken.on_conflict_do_update(
            index_elements=[rate_limits.c.key],
            set_={"granted": granted, "full_at": case((granted, func.least(filled, end)), else_=full_at)},
        )
        .returning(rate_limits.c.granted, case((not_(rate_limits.c.granted), wait)).label("wait"))
        .cte(f"{name}_bucket")
    )


@attrs.frozen
class Buckets:
    """All buckets of a request: read first, so that a refusal writes nothing, and then taken from one by one.

    Where the first is `device`, it is that of a known device, and lets its user's requests through by itself. One that
    it refuses goes on as a stranger's: so a copy of the device's token takes nothing from the user that a stranger
    could not take.

    Attributes:
        look: one row, with the longest `wait`, whether it was let through `by_device`, and that one's `device_wait`.
        steps: the buckets in their order, which is that of their locks.
    """

    look: CTE
    steps: Sequence[CTE]

    @classmethod
    def of(cls, limits: tuple[str, ...], provided: ColumnElement[bool] = TRUE) -> Self:
        """Build them from their names; nothing is taken unless it is `provided`."""
        is_let, device_wait = _by_own_device(limits)
        strangers = [name for name in limits if name != DEVICE]
        wait = func.greatest(*map(wait_for, strangers), NOTHING).label("wait")
        look = materialized(select(wait, is_let.label("by_device"), device_wait.label("device_wait")), "look")
        steps: list[CTE] = []
        for name in strangers:
            may = steps[-1].c.granted if steps else and_(look.c.wait <= NOTHING, not_(look.c.by_device), provided)
            steps.append(bucket(name, steps[-1] if steps else look, may))
        return cls(look, steps)

    @property
    def granted(self) -> ColumnElement[bool]:
        """Whether the request is let through, in a row of `joined`."""
        return or_(self.look.c.by_device, func.coalesce(self.steps[-1].c.granted, FALSE))

    @property
    def wait(self) -> ColumnElement[Any]:
        """How long to wait where it is not."""
        waits = func.greatest(self.look.c.wait, *(step.c.wait for step in self.steps))
        return func.least(waits, self.look.c.device_wait)

    def joined(self, *columns: ColumnElement[Any]) -> Select[Any]:
        """Select from the one row of all buckets."""
        rows: Select[Any] = select(*columns).select_from(self.look)
        for step in self.steps:
            rows = rows.outerjoin(step, TRUE)
        return rows


def by_device(name: str, source: CTE, may: ColumnElement[bool], email: ColumnElement[Any]) -> CTE:
    """Take one from the bucket of the device presented, where it is one of the address's user."""
    return bucket(name, source, and_(may, is_the_owners(email)))


def _by_own_device(limits: tuple[str, ...]) -> tuple[ColumnElement[bool], ColumnElement[Any]]:
    if DEVICE not in limits:
        return FALSE, literal_column("NULL::interval")
    one: CTE = select(TRUE.label("is_asking")).cte("asking")
    own = by_device(DEVICE, one, TRUE, text("email"))
    return func.coalesce(select(own.c.granted).scalar_subquery(), FALSE), select(own.c.wait).scalar_subquery()


def wait_for(name: str, key: ColumnElement[Any] | None = None) -> ColumnElement[Any]:
    """How long a bucket would make the next one wait; NULL where there is no such bucket yet. A read."""
    end: ColumnElement[Any] = BY_NOW + duration(f"{name}_tolerance")
    wait = case((full_at > end, NOTHING), else_=full_at + duration(f"{name}_interval") - end)
    return select(wait).where(rate_limits.c.key == (binary(f"{name}_key") if key is None else key)).scalar_subquery()


@cache
def take(limits: tuple[str, ...]) -> Statement:
    """Take from all limits, or from none. Gives whether they granted, and how long to wait."""
    buckets = Buckets.of(limits)
    return Statement(buckets.joined(buckets.granted, buckets.wait))
