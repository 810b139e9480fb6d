"""Joining a host's transaction: its connection, and the moment after its commit."""

import os
from collections.abc import Callable
from functools import partial
from typing import Final
from weakref import WeakKeyDictionary

from sqlalchemy import Connection, event, orm

from pgauthkit.models import User

__all__ = ["after_commit", "connection_of"]

Tell = Callable[[], None]


def connection_of(db: orm.Session | Connection) -> Connection:
    """Return the connection of a transaction, with what the session has pending already sent."""
    if isinstance(db, Connection):
        return db
    db.flush()
    return db.connection(bind_arguments={"mapper": User})


def after_commit(db: orm.Session | Connection, tell: Tell) -> None:
    """Call `tell` once when the outermost transaction commits, and never when it, or its savepoint, is rolled back."""
    pending = _PENDING.get(db)
    if pending is None:
        pending = _PENDING[db] = _Pending()
        if isinstance(db, Connection):
            _follow_connection(db, pending)
        else:
            _follow_session(db, pending)
    pending.tells.append(tell)


class _Pending:
    """The events to report, in order, and how much of it there was when each open savepoint was made."""

    def __init__(self) -> None:
        self.tells: list[Tell] = []
        self._process = os.getpid()
        self._savepoints: list[int] = []

    def savepoint(self) -> None:
        self._savepoints.append(len(self.tells))

    def release(self) -> None:
        del self._savepoints[-1:]

    def undo(self) -> None:
        # A savepoint that is not known was made before there was anything to tell.
        del self.tells[self._savepoints.pop() if self._savepoints else 0 :]

    def forget(self) -> None:
        self.tells.clear()
        self._savepoints.clear()

    def publish(self) -> None:
        # A connection announces its commit before it fails, as one of the parent's does in a process that was forked.
        tells = self.tells.copy() if self._process == os.getpid() else []
        self.forget()
        for tell in tells:
            tell()


_PENDING: Final[WeakKeyDictionary[orm.Session | Connection, _Pending]] = WeakKeyDictionary()


def _follow_connection(connection: Connection, pending: _Pending) -> None:
    def whenever(name: str, act: Tell) -> None:
        event.listen(connection, name, partial(_ignoring_arguments, act))

    whenever("savepoint", pending.savepoint)
    whenever("release_savepoint", pending.release)
    whenever("rollback_savepoint", pending.undo)
    whenever("commit", pending.publish)
    whenever("rollback", pending.forget)


def _ignoring_arguments(act: Tell, *_arguments: object) -> None:
    act()


def _follow_session(session: orm.Session, pending: _Pending) -> None:
    def made(_session: orm.Session, transaction: orm.SessionTransaction) -> None:
        if transaction.nested:
            pending.savepoint()

    def committed(session: orm.Session) -> None:
        # The release of a savepoint is announced in the same way.
        act = pending.release if session.in_nested_transaction() else pending.publish
        act()

    def rolled_back(_session: orm.Session, transaction: orm.SessionTransaction) -> None:
        if transaction.nested:
            pending.undo()

    def ended(_session: orm.Session, transaction: orm.SessionTransaction) -> None:
        if transaction.parent is None:
            pending.forget()

    event.listen(session, "after_transaction_create", made)
    event.listen(session, "after_commit", committed)
    event.listen(session, "after_soft_rollback", rolled_back)
    event.listen(session, "after_transaction_end", ended)
