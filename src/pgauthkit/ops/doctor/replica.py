"""Check of a replica that reads may be sent to: how far it is behind, and what share of the reads it could answer."""

import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import attrs
from sqlalchemy import Connection, text

from pgauthkit.ops.doctor.finding import Finding
from pgauthkit.service.memory.marks import elapsed
from pgauthkit.service.replicas.positions import Positions, Replayed, Written
from pgauthkit.statements.replicas import REPLAYED, WRITTEN

__all__ = ["check_replica", "judge_replica"]

_SYSTEM: Final = text("SELECT system_identifier FROM pg_catalog.pg_control_system()")
ROUNDS: Final = 40
LONGEST: Final = 4.0  # seconds to look at it
LITTLE: Final = 0.9  # of the reads: below that it is worth a warning


@attrs.frozen
class _Measured:
    share: float
    behind: timedelta | None  # None where it was behind for longer than was looked at


def check_replica(primary: Connection, replica: Connection, max_staleness: timedelta) -> Iterator[Finding]:
    """Compare a replica with its primary, for as long as an answer may be old, and that again."""
    if primary.scalar(_SYSTEM) != replica.scalar(_SYSTEM):
        message = "The replica is of another cluster than the primary."
        yield Finding(check="replica", level="wrong", message=message, advice="Give the URL of one that follows it.")
    elif replica.exec_driver_sql(REPLAYED.sql).one()[0] is None:
        message = "The replica takes writes: it is a primary itself, or was promoted, and is asked for nothing."
        advice = "Give the URL of a standby, such as one with target_session_attrs=standby."
        yield Finding(check="replica", level="wrong", message=message, advice=advice)
    else:
        measured = _measured(primary, replica, max_staleness.total_seconds())
        yield judge_replica(measured.share, measured.behind, max_staleness)


def judge_replica(share: float, behind: timedelta | None, max_staleness: timedelta) -> Finding:
    """Say what is to be said of a replica that could answer such a share of the reads, and was so far behind."""
    lag = "for longer than it was looked at" if behind is None else f"{behind / timedelta(milliseconds=1):.0f} ms"
    could = f"could answer {share:.0%} of the reads, where they may be {max_staleness.total_seconds():g} s old"
    message = f"The replica was behind {lag}, and {could}."
    if share >= LITTLE:
        return Finding(check="replica", level="ok", message=message)
    advice = "The primary answers the rest. See whether its replay is paused or delayed, or allow answers to be older."
    return Finding(check="replica", level="warning", message=message, advice=advice)


def _measured(primary: Connection, replica: Connection, bound: float) -> _Measured:
    """Do what a service does, and count when a replica would have been asked."""
    positions, pause = Positions(bound), min(2 * bound, LONGEST) / ROUNDS
    could, behind = 0, list[float]()
    for _ in range(ROUNDS):
        begun = elapsed()
        _, flushed, timeline, at = primary.exec_driver_sql(WRITTEN.sql).one()
        # A service has the rest flushed where nobody commits; here nothing is written.
        positions.note_written(Written(begun, at, flushed, flushed, int(timeline, 16)))
        server, replayed, followed = replica.exec_driver_sql(REPLAYED.sql).one()
        positions.note_replayed(server, Replayed(elapsed(), replayed, followed))
        time.sleep(pause)
        seen = [written.begun for written in positions.seen(elapsed()).values()]
        could += bool(seen)
        behind += [begun - last for last in seen]
    return _Measured(could / ROUNDS, timedelta(seconds=max(behind)) if behind else None)
