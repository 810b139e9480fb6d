"""Buckets of the rate limiter (GCRA), filled inside the statement that they guard."""

from typing import TYPE_CHECKING, Any, Final, cast

from sqlalchemy import CTE, ColumnElement, Table, case, func, literal_column, select
from sqlalchemy.dialects.postgresql import insert

from pgauthkit.models import RateLimit
from pgauthkit.statements.statement import BY_NOW, NOW, binary, duration

if TYPE_CHECKING:
    from sqlalchemy import Select

__all__ = ["bucket", "rate_limits"]

rate_limits: Final = cast("Table", RateLimit.__table__)


def bucket(name: str, after: CTE | None = None, key: ColumnElement[Any] | None = None) -> CTE:
    """Take one from a bucket, where the step before granted it.

    Parameters are `<name>_key`, `<name>_interval` (the time in which one more is let through) and `<name>_tolerance`
    (the interval times the burst). Gives `granted`, and `wait` until the next would be; a refusal takes nothing.

    A racer that waited for the bucket is judged at the time when it got it: by the time when its statement began, it
    could be earlier than the first that was let in, and be refused as the fifth of five.
    """
    interval, tolerance = duration(f"{name}_interval"), duration(f"{name}_tolerance")
    row: Select[bytes, object] = select(binary(f"{name}_key") if key is None else key, NOW + interval)
    if after is not None:
        row = row.where(after.c.granted)
    filled = func.greatest(rate_limits.c.full_at, NOW) + interval
    fits: ColumnElement[bool] = filled <= BY_NOW + tolerance
    taken = insert(rate_limits).from_select(["key", "full_at"], row, include_defaults=False)
    wait = func.greatest(rate_limits.c.full_at + interval - tolerance - BY_NOW, literal_column("interval '1 us'"))
    return (
        taken.on_conflict_do_update(
            index_elements=[rate_limits.c.key],
            set_={"granted": fits, "full_at": case((fits, filled), else_=rate_limits.c.full_at)},
        )
        .returning(rate_limits.c.granted, wait.label("wait"))
        .cte(f"{name}_bucket")
    )
