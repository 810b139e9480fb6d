"""What every connection of an engine gets as soon as it is made."""

from collections.abc import Callable
from typing import Any, Final

from sqlalchemy import Engine, event, orm
from sqlalchemy.exc import MissingGreenlet, UnboundExecutionError
from sqlalchemy.util.concurrency import in_greenlet

from pgauthkit.database import forking
from pgauthkit.database.deadline import ENDLESS, bind, time_left
from pgauthkit.database.pool.patience import in_task, in_thread
from pgauthkit.database.suitability import UnsuitableError, check_suitability

__all__ = ["read_times", "watch", "watch_session"]

# https://www.postgresql.org/docs/16/runtime-config-client.html: only how they are written, not in which order they are
# read (DMY).
_STYLES: Final = (
    "SELECT pg_catalog.set_config('datestyle', 'ISO', false), pg_catalog.set_config('intervalstyle', 'postgres', false)"
)


def watch(engine: Engine) -> None:
    """Keep an engine of ours or of a host apart in forked processes, and let its connections know of deadlines.

    Example:
        >>> watch(engine)  # doctest: +SKIP
    """
    if forking.remember(engine):
        pool: Any = engine.pool
        # Not by an event: a listener that is added while another thread connects makes that thread fail.
        pool._creator = _Creator(engine, pool._invoke_creator)  # noqa: SLF001 - no other name is there for it


def watch_session(db: orm.Session, model: type[object]) -> None:
    """Do the same for the engine that a session uses for a model, where it has one by now.

    Example:
        >>> watch_session(db, Post)  # doctest: +SKIP
    """
    try:
        bind = db.get_bind(model)
    except UnboundExecutionError:
        return
    watch(bind.engine)


def read_times(engine: Engine) -> None:
    """Have an engine's connections written times and intervals to as psycopg reads them.

    The server says on connecting which styles it has, so that only where they differ there is one more round trip.

    Args:
        engine: a new one, which has not connected yet.

    Example:
        >>> read_times(engine)  # doctest: +SKIP
    """

    @event.listens_for(engine, "connect")
    def set_styles(connection: Any, _record: object) -> None:  # noqa: ANN401 - of psycopg, or SQLAlchemy's coat of an async one
        said = getattr(connection, "driver_connection", connection).info.parameter_status
        dates, intervals = said("DateStyle") or "ISO", said("IntervalStyle") or "postgres"
        if not dates.startswith("ISO") or intervals != "postgres":
            connection.cursor().execute(_STYLES)
            connection.commit()


class _Creator:
    """Makes the connections of a pool.

    `connect_timeout` is for each host and each of its addresses, two seconds at the least, and is the driver's to keep:
    a call waits for no longer than it has time.
    """

    def __init__(self, engine: Engine, create: Callable[[Any], Any]) -> None:
        self._create: Final = create
        self._in_time: Final = in_task if engine.dialect.is_async else in_thread
        self._driver_of: Final = engine.dialect.get_driver_connection

    def __call__(self, connection_record: Any) -> Any:  # noqa: ANN401 - SQLAlchemy's own
        if self._in_time is in_task and not in_greenlet():
            raise MissingGreenlet  # and nothing is begun that nobody would wait for
        left = time_left()
        if left is None or left == ENDLESS:
            made = self._create(connection_record)
        else:
            made = self._in_time(lambda: self._create(connection_record), left)
        driver: Any = self._driver_of(made)
        forking.note(driver)
        bind(driver)
        if left is not None:  # what the host does by itself may be as the host likes
            _check(driver)
        return made


def _check(driver: Any) -> None:  # noqa: ANN401 - of either kind
    try:
        check_suitability(driver)
    except UnsuitableError:
        driver.pgconn.finish()
        raise
