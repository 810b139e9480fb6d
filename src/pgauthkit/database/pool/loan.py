"""`Loan`: a connection of a pool for one call of ours."""

from typing import Any, cast

from sqlalchemy import Engine, Pool, QueuePool
from sqlalchemy.pool import PoolProxiedConnection

__all__ = ["Loan", "borrow", "is_heard", "is_plain"]


def borrow(engine: Engine) -> PoolProxiedConnection:
    """Take a connection from the pool of an engine, which waits for one, or makes one, as it does for everybody.

    Example:
        >>> connection = borrow(engine)  # doctest: +SKIP
        >>> connection.close()  # doctest: +SKIP
    """
    pool = engine.pool
    if is_plain(pool):
        return cast("PoolProxiedConnection", Loan(pool))
    return engine.raw_connection()


def is_plain(pool: Pool) -> bool:
    """Tell whether nobody has a say as a connection is taken and given back: a listener of the host's, a ping, a log.

    Example:
        >>> is_plain(engine.pool)  # doctest: +SKIP
        True
    """
    if not isinstance(pool, QueuePool):
        return False
    own: Any = pool  # names of SQLAlchemy's own
    if own._pre_ping or own.echo:  # noqa: SLF001 - the same
        return False
    return not is_heard(pool)


def is_heard(pool: Pool) -> bool:
    """Tell whether a listener of the host's is called as a connection is taken, or given back.

    Example:
        >>> is_heard(engine.pool)  # doctest: +SKIP
        False
    """
    dispatch: Any = pool.dispatch
    # Not by their truth, which is worked out anew each time.
    given, back, reset = dispatch.checkout, dispatch.checkin, dispatch.reset
    is_own = given.listeners or back.listeners or reset.listeners
    return bool(is_own or given.parent_listeners or back.parent_listeners or reset.parent_listeners)


class Loan:
    """What SQLAlchemy's proxy of a connection is to a call of ours, which gives it back itself, and in no transaction.

    The proxy looks after connections that a host forgets, and after what listens. Without it `authenticate` takes a
    fifth less processor time. The names of SQLAlchemy's own are those that its pools are written in.

    Args:
        pool: one that `is_plain`.
    """

    __slots__ = ("_pool", "_record", "info")

    def __init__(self, pool: Pool) -> None:
        self._pool: Any = pool
        record: Any = self._pool._do_get()  # noqa: SLF001 - the same
        try:
            record.get_connection()
        except BaseException as error:
            record._checkin_failed(error, _fairy_was_created=False)  # noqa: SLF001 - the same
            raise
        self._record: Any = record
        self.info: dict[str, Any] = record.info

    @property
    def driver_connection(self) -> Any:  # noqa: ANN401 - psycopg's, of either kind
        """The driver's connection."""
        return self._record.driver_connection

    def commit(self) -> None:
        """Commit what the host has begun on it."""
        self._record.dbapi_connection.commit()

    def invalidate(self) -> None:
        """End the connection; the pool makes another when it is asked for."""
        try:
            self._record.invalidate()
        finally:
            self.close()

    def close(self) -> None:
        """Give it back, once."""
        record, self._record = self._record, None
        if record is not None:
            self._pool._do_return_conn(record)  # noqa: SLF001 - the same

    def _checkin(self, *, transaction_was_reset: bool) -> None:  # noqa: ARG002 - as the proxy has it
        self.close()
