"""`Replica`: a read is asked of a replica, where one has seen enough."""

import os
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from datetime import datetime, timedelta
from typing import Final, NamedTuple
from weakref import WeakSet

from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit.database.deadline import call_timeout_of, one_call, time_left
from pgauthkit.database.runner import Row, Wire
from pgauthkit.errors import PgAuthKitError
from pgauthkit.replica_reads import ReplicaReads
from pgauthkit.service.memory.marks import MARKS, elapsed
from pgauthkit.service.replicas.errand import Errand
from pgauthkit.service.replicas.one_side import OneSide
from pgauthkit.service.replicas.positions import Positions, Replayed, Written
from pgauthkit.service.replicas.uses import Use, Uses
from pgauthkit.statements.replicas import FLUSHED_SOON, REPLAYED, WRITTEN
from pgauthkit.statements.statement import Statement

__all__ = ["Replica", "Seen"]

PATIENCE: Final = 1.0  # seconds for an answer of a replica, before the primary is asked
SHARE: Final = 8  # of the bound is one interval: so much of it is lost for the delay that a replica may have
LONGEST: Final = 1.0  # seconds: as much is lost of the time that is bridged while the primary is away


class Seen(NamedTuple):
    """What a replica has answered: rows, as of a time by the clock of the process."""

    as_of: float
    rows: list[Row]


class Replica:
    """What a service knows of the replica that it may ask.

    Args:
        reads: which one, and how old its answers may be.
        primary: the engine of the service.
        wire: of the service.
        write: sends uses of sessions to the primary.
    """

    def __init__(
        self, reads: ReplicaReads, primary: Engine, wire: Wire, write: Callable[[Sequence[Use]], object]
    ) -> None:
        bound = reads.max_staleness.total_seconds()
        engine = reads.engine.sync_engine if isinstance(reads.engine, AsyncEngine) else reads.engine
        self._primary = OneSide(primary, wire)
        self._replica = OneSide(engine, wire)
        self._timeout = call_timeout_of(primary)
        self._positions = Positions(bound)
        self._uses = Uses(write, bound)
        self._is_primary_away = False
        every = min(bound / SHARE, LONGEST)
        self._look_at_primary = Errand(self._note_written, every, wire.aside)
        self._look_at_replica = Errand(self._note_replayed, every, wire.aside)
        self._send_uses = Errand(self._uses.send, 0.0, wire.aside)
        MARKS.keep_for(bound)
        _ALL.add(self)

    def clear(self) -> None:
        """Know nothing, as in a process that was forked."""
        self._positions.clear()
        self._uses.clear()
        for errand in (self._look_at_primary, self._look_at_replica, self._send_uses):
            errand.clear()

    def whole_call(self) -> AbstractContextManager[None]:
        """Let what is asked of a replica, and then of the primary, be one call."""
        return one_call(self._timeout)

    def ask(self, statement: Statement, parameters: Mapping[str, object], clock: datetime | None) -> Seen | None:
        """Ask a replica; None where none has seen enough, or answers.

        It judges by the primary's time, which its own clock need not agree with.
        """
        begun = elapsed()
        self._look_at_primary.ask(begun)
        self._look_at_replica.ask(begun)
        seen, latest = self._positions.seen(begun), self._positions.latest
        if not seen or latest is None:
            return None
        # A little late, as the primary's answer took its time: an end comes early, and then the primary is asked.
        now = clock or latest.at + timedelta(seconds=begun - latest.begun)
        try:
            with one_call(_patience()):
                rows = self._replica.fetch(statement.sql_on_a_clock, {"clock": now, **parameters})
        except PgAuthKitError:
            self._positions.forget_replicas()
            return None
        # A proxy or a pooler may have chosen a server of which nothing is known yet.
        written = seen.get(rows[0][0]) if rows else None
        return None if written is None else Seen(written.begun, rows)

    def is_due(self, use: Use, as_of: float) -> bool:
        """Tell whether a use is to be written by what an answer says; not while the primary is away."""
        return not self._is_primary_away and self._uses.is_due(use, as_of)

    def note_use(self, use: Use) -> None:
        """Have a use written by the primary, beside the calls, together with others."""
        self._uses.add(use)
        self._send_uses.ask(elapsed())

    def write_use(self, use: Use) -> None:
        """Write a use now. Where that fails it is given up, as nobody can refresh either."""
        try:
            with one_call(_patience()):
                self._uses.write([use])
        except PgAuthKitError:
            self._is_primary_away = True

    def _note_written(self) -> None:
        begun, before = elapsed(), self._positions.latest
        try:
            ((position, flushed, timeline, at),) = self._primary.fetch(WRITTEN.sql, {})
        except PgAuthKitError:
            self._is_primary_away = True
            raise
        self._is_primary_away = False
        self._positions.note_written(Written(begun, at, position, flushed, int(timeline, 16)))
        # Replicas get what is flushed. Where nobody commits, a record of a transaction that goes on is not.
        if flushed < position and (before is None or before.position == position):
            self._primary.fetch(FLUSHED_SOON.sql, {})

    def _note_replayed(self) -> None:
        try:
            ((server, position, timeline),) = self._replica.fetch(REPLAYED.sql, {})
        except PgAuthKitError:
            self._positions.forget_replicas()
            raise
        self._positions.note_replayed(server, Replayed(elapsed(), position, timeline))


def _patience() -> float:
    """Return the seconds that a call may wait beside its own statement: half of what it has, which is never nothing."""
    left = time_left()
    return PATIENCE if left is None else max(0.001, min(PATIENCE, left / 2))


_ALL: Final[WeakSet[Replica]] = WeakSet()


def _forget() -> None:
    for replica in tuple(_ALL):
        replica.clear()


os.register_at_fork(after_in_child=_forget)
