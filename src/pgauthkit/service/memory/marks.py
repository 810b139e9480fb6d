"""Marks: what this process has ended, so that no answer that was asked for before is given any more."""

import os
import time
from collections import OrderedDict
from collections.abc import Hashable, Iterable
from functools import partial
from threading import Lock
from typing import Final

from sqlalchemy import Connection, Transaction, orm

from pgauthkit.service.joining import after_commit

__all__ = ["EVERYBODY", "MARKS", "WRITES", "Marks", "elapsed", "mark_after_commit"]

MOST: Final = 100_000
EVERYBODY: Final = object()
"""The name of all users at once."""
WRITES: Final = object()
"""The name of whatever this process writes."""

# It counts the time that the machine sleeps as well, which CLOCK_MONOTONIC of Linux does not.
elapsed: Final = partial(time.clock_gettime, getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


class Marks:
    """When this process last ended something, by name: the id of a user, or the hash of a session's selector.

    An answer is void when a mark of it is not older than its statement. So a statement that is under way while a
    session ends brings nothing back, whichever of the two comes first. One for all services of the process: it does not
    matter by which of them a session was ended.
    """

    def __init__(self) -> None:
        self._longest: float | None = None
        self.clear()

    def clear(self) -> None:
        """Forget all, and believe nothing that was asked before."""
        self._lock = Lock()
        self._at: OrderedDict[Hashable, float] = OrderedDict()
        self._committing: list[tuple[Transaction | None, tuple[Hashable, ...]]] = []
        self._floor = elapsed()

    def keep_for(self, seconds: float) -> None:
        """Keep marks from now on, each for so long at the least; before, nobody has an answer that could be void."""
        self._longest = max(seconds, self._longest or 0.0)

    def put(self, *names: Hashable) -> None:
        """Void what was asked about these until now. To be called after the statement, however it came out."""
        if self._longest is not None:
            with self._lock:
                self._put(names)
                self._drop(elapsed() - self._longest)

    def expect(self, transaction: Transaction | None, names: tuple[Hashable, ...]) -> None:
        """Void what is asked about these until a transaction, whose commit is being sent, has ended."""
        with self._lock:
            self._settle()
            self._committing.append((transaction, names))

    @property
    def are_kept(self) -> bool:
        """Whether there may be an answer that a mark could void."""
        return self._longest is not None

    def void(self, begun: float, selector: Hashable, user_id: Hashable) -> bool:
        """Tell whether something of a session, or of other two names, was ended since its answer was begun."""
        if self._committing and self._is_committing({selector, user_id, EVERYBODY}):
            return True
        when = self._at.get
        if self._at and (begun <= when(selector, 0.0) or begun <= when(user_id, 0.0) or begun <= when(EVERYBODY, 0.0)):
            return True
        return begun <= self._floor  # at last: a mark that was dropped meanwhile has raised it before

    def _put(self, names: Iterable[Hashable]) -> None:
        now = elapsed()
        for name in names:
            self._at[name] = now
            self._at.move_to_end(name)

    def _drop(self, before: float) -> None:
        """Drop the oldest ones; what they void is void by the floor."""
        while self._at and (len(self._at) > MOST or next(iter(self._at.values())) < before):
            self._floor = max(self._floor, next(iter(self._at.values())))
            self._at.popitem(last=False)

    def _is_committing(self, names: set[Hashable]) -> bool:
        with self._lock:
            self._settle()
            return any(names.intersection(named) for _, named in self._committing)

    def _settle(self) -> None:
        """Put the marks of transactions that have ended."""
        committing, self._committing = self._committing, []
        for transaction, names in committing:
            if transaction is not None and transaction.is_active:
                self._committing.append((transaction, names))
            else:
                self._put(names)


MARKS: Final = Marks()


def mark_after_commit(db: orm.Session | Connection, *names: Hashable) -> None:
    """Put marks when a transaction of the host has committed.

    A connection of SQLAlchemy's announces its commit, and says nothing when it is done.
    """
    if isinstance(db, Connection):
        after_commit(db, partial(MARKS.expect, db.get_transaction(), names))
    else:
        after_commit(db, partial(MARKS.put, *names))


os.register_at_fork(after_in_child=MARKS.clear)
