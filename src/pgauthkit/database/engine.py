"""Engines with defaults for a service: a bounded pool, bounded waits, no parameters in the log."""

from datetime import timedelta
from typing import Any, Final

import attrs
import sqlalchemy
from sqlalchemy import URL, Connection, Engine, Pool, event
from sqlalchemy.ext import asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit.database.connecting import read_times, watch
from pgauthkit.database.deadline import limit_calls
from pgauthkit.database.pool.patience import AsyncPatientPool, PatientPool
from pgauthkit.database.querylog import QueryLog
from pgauthkit.database.url import PoolSettings, database_url, read_url
from pgauthkit.errors import ConfigError

__all__ = ["create_async_engine", "create_engine", "database_url"]

# https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS: seconds, but tcp_user_timeout milliseconds.
# Keepalives notice a peer that is gone while we wait for it, tcp_user_timeout while we send to it: both are needed.
_CONNECTION: Final = {
    "connect_timeout": "10",
    "fallback_application_name": "pgauthkit",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


@attrs.frozen(kw_only=True)
class _Plan:
    """An engine that is about to be made."""

    url: URL
    options: dict[str, Any]
    settings: PoolSettings
    log: QueryLog | None

    def finish(self, engine: Engine) -> None:
        """Keep a new engine apart in forked processes, and listen on it where that is asked for."""
        watch(engine)
        read_times(engine)
        if self.settings.call_timeout is not None:
            limit_calls(engine, self.settings.call_timeout)
        if self.log is not None:
            self.log.attach(engine)
        if self.settings.pgbouncer and self.settings.statement_timeout is not None:
            _limit_transactions(engine, self.settings.statement_timeout)


def create_engine(
    url: str | URL | None = None,
    *,
    pgbouncer: bool | None = None,
    statement_timeout: timedelta | None = None,
    call_timeout: float | None = None,
    query_log: bool | timedelta = False,
    **options: Any,  # noqa: ANN401 - SQLAlchemy's own
) -> Engine:
    """Return an engine of SQLAlchemy for PostgreSQL through psycopg 3.

    A connection is waited for at most 10 s (`connect_timeout`, per host). A peer that is gone is noticed within a
    minute, while we wait (keepalives after 30 s, every 10 s, 3 times) and while we send (`tcp_user_timeout`, 30,000
    ms). Connections are replaced after 1,800 s (`pool_recycle`). Errors and logs show no parameters. The rest is
    SQLAlchemy's: 5 connections, 10 more when busy, and 30 s to wait for one. `connect_args` are stronger, and so is the
    URL's own query: https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS.

    Args:
        url: `postgresql://user:password@host:port/database`; the environment's `DATABASE_URL` when not given. Its query
            may say `pgbouncer`, `pool_size`, `max_overflow`, `pool_timeout` (s), `pool_recycle` (s),
            `statement_timeout` (s) and `call_timeout` (s), which arguments override. It may name several hosts,
            `one:5432,two:5432`, with `?target_session_attrs=read-write` for the one that takes writes.
        pgbouncer: whether a pooler in transaction mode stands before the server. Then nothing is prepared on the
            server, and nothing set for a session.
        statement_timeout: how long a statement may take. Behind a pooler it holds in transactions only, by one more
            round trip each; a role's own setting holds everywhere.
        call_timeout: how many seconds a call of the service, or of a repository on the engine, may take at the client:
            a statement, with the wait for a connection and repetitions; of what goes by batches, each batch. 30 when
            not given, 0 for no end. Then the connection is closed, the server is asked to stop, and the call raises
            `DatabaseUnavailableError`, half a second later at the most. It does not count for your own statements, nor
            for the service `within` a transaction of yours.
        query_log: whether to log statements at `pgauthkit.queries`; a duration for those only that take so long.
        **options: passed on to `sqlalchemy.create_engine`.

    Raises:
        ConfigError: there is no URL, it is not one of PostgreSQL, or the settings contradict each other.

    Example:
        >>> create_engine("postgresql://app@db.example/app", pool_size=10).url.drivername
        'postgresql+psycopg'
    """
    asked = PoolSettings(pgbouncer=pgbouncer, statement_timeout=statement_timeout, call_timeout=call_timeout)
    plan = _plan(url, asked, query_log, PatientPool, options)
    engine = sqlalchemy.create_engine(plan.url, **plan.options)
    plan.finish(engine)
    return engine


def create_async_engine(
    url: str | URL | None = None,
    *,
    pgbouncer: bool | None = None,
    statement_timeout: timedelta | None = None,
    call_timeout: float | None = None,
    query_log: bool | timedelta = False,
    **options: Any,  # noqa: ANN401 - SQLAlchemy's own
) -> AsyncEngine:
    """Return an async engine; see `create_engine`."""
    asked = PoolSettings(pgbouncer=pgbouncer, statement_timeout=statement_timeout, call_timeout=call_timeout)
    plan = _plan(url, asked, query_log, AsyncPatientPool, options)
    engine = asyncio.create_async_engine(plan.url, **plan.options)
    plan.finish(engine.sync_engine)
    return engine


def _plan(
    url: str | URL | None,
    asked: PoolSettings,
    query_log: bool | timedelta,  # noqa: FBT001 - as the public functions have it
    poolclass: type[Pool],
    options: dict[str, Any],
) -> _Plan:
    plain, said = read_url(url)
    settings = said.overridden_by(asked)
    if problems := list(settings.problems()):
        raise ConfigError(problems)
    connection = {**_defaults(plain), **options.get("connect_args", {})}
    if settings.pgbouncer:
        _suit_pgbouncer(plain, connection)
    elif settings.statement_timeout is not None:
        given = connection.get("options") or plain.query.get("options") or ""
        connection["options"] = f"{given} -c statement_timeout={_milliseconds(settings.statement_timeout)}".strip()
    defaults: dict[str, Any] = {"hide_parameters": True, "pool_recycle": 1800}
    if not options.keys() & {"pool", "poolclass"}:  # A URL is also read by commands, which keep no pool.
        defaults |= {"poolclass": poolclass, **settings.pool}
    kept = {**defaults, **options, "connect_args": connection}
    return _Plan(url=plain, options=kept, settings=settings, log=QueryLog.of(query_log))


def _defaults(url: URL) -> dict[str, Any]:
    """Return what the URL leaves open: SQLAlchemy would take it over what the URL says."""
    unsaid = {name: value for name, value in _CONNECTION.items() if name not in url.query}
    # Texts go as UTF-8, whatever the URL, the environment or the database says.
    return {"client_encoding": "utf8", **unsaid}


def _suit_pgbouncer(url: URL, connection: dict[str, Any]) -> None:
    """Prepare nothing, and refuse what PgBouncer refuses or, if configured to ignore it, forgets."""
    if "options" in connection or "options" in url.query:
        raise ConfigError(
            ["options: PgBouncer does not pass them on. Use ALTER ROLE … SET, or for transactions statement_timeout."]
        )
    connection["prepare_threshold"] = None


def _limit_transactions(engine: Engine, limit: timedelta) -> None:
    command = f"SET LOCAL statement_timeout = {_milliseconds(limit)}"

    @event.listens_for(engine, "begin")
    def set_limit(connection: Connection) -> None:
        driver: Any = connection.connection.dbapi_connection
        if not driver.autocommit:  # Where there is no transaction, the setting would end with the command that sets it.
            connection.exec_driver_sql(command)


def _milliseconds(limit: timedelta) -> int:
    return limit // timedelta(milliseconds=1)
