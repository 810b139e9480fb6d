"""Joining a host's transaction: its connection, and the moment after its commit."""

from collections.abc import Callable
from typing import Final

from sqlalchemy import Connection, event, orm

from pgauthkit.models import User

__all__ = ["after_commit", "connection_of"]

_PENDING: Final = "pgauthkit: to be told after the commit"


def connection_of(db: orm.Session | Connection) -> Connection:
    """Return the connection of a transaction, with what the session has pending already sent."""
    if isinstance(db, Connection):
        return db
    db.flush()
    return db.connection(bind_arguments={"mapper": User})


def after_commit(db: orm.Session | Connection, tell: Callable[[], None]) -> None:
    """Call `tell` once when the outermost transaction commits, and never when it is rolled back."""
    if isinstance(db, Connection):
        event.listen(db, "commit", _ignoring_arguments(tell), once=True)
        return
    if _PENDING not in db.info:
        db.info[_PENDING] = []
        event.listen(db, "after_commit", _publish)
        event.listen(db, "after_transaction_end", _forget)
    db.info[_PENDING].append(tell)


def _ignoring_arguments(tell: Callable[[], None]) -> Callable[[Connection], None]:
    return lambda _connection: tell()


def _publish(db: orm.Session) -> None:
    if db.in_nested_transaction():  # the release of a savepoint is announced in the same way
        return
    pending, db.info[_PENDING] = db.info[_PENDING], []
    for tell in pending:
        tell()


def _forget(db: orm.Session, transaction: orm.SessionTransaction) -> None:
    if transaction.parent is None:
        db.info[_PENDING] = []
