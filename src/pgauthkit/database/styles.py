"""How a server writes times: in the one style that psycopg reads, whatever a database or a role has set."""

from typing import Any, Final

from sqlalchemy import Engine, event

__all__ = ["read_times"]

# https://www.postgresql.org/docs/16/runtime-config-client.html: only how they are written, not in which order they are
# read (DMY).
_SET: Final = (
    "SELECT pg_catalog.set_config('datestyle', 'ISO', false), pg_catalog.set_config('intervalstyle', 'postgres', false)"
)


def read_times(engine: Engine) -> None:
    """Have an engine's connections written times and intervals to as psycopg reads them.

    The server says on connecting which styles it has, so that only where they differ there is one more round trip.

    Args:
        engine: a new one, which has not connected yet.

    Example:
        >>> read_times(sqlalchemy.create_engine("postgresql+psycopg://app@db.example/app"))
    """

    @event.listens_for(engine, "connect")
    def set_styles(connection: Any, _record: object) -> None:  # noqa: ANN401 - of psycopg, or SQLAlchemy's coat of an async one
        said = getattr(connection, "driver_connection", connection).info.parameter_status
        dates, intervals = said("DateStyle") or "ISO", said("IntervalStyle") or "postgres"
        if not dates.startswith("ISO") or intervals != "postgres":
            connection.cursor().execute(_SET)
            connection.commit()
