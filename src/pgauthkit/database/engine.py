"""Engines with defaults for a service: a bounded pool, bounded waits, no parameters in the log."""

import os
from typing import Any, Final

import sqlalchemy
from sqlalchemy import URL, Engine, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext import asyncio
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit.errors import ConfigError

__all__ = ["create_async_engine", "create_engine", "database_url"]

# https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS: seconds, but tcp_user_timeout milliseconds.
_CONNECTION: Final = {
    "connect_timeout": "10",
    "fallback_application_name": "pgauthkit",
    "keepalives_idle": "30",
    "keepalives_interval": "10",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
}


def create_engine(url: str | URL | None = None, **options: Any) -> Engine:  # noqa: ANN401 - SQLAlchemy's own
    """Return an engine of SQLAlchemy for PostgreSQL through psycopg 3.

    Args:
        url: `postgresql://user:password@host:port/database`; the environment's `DATABASE_URL` when not given.
        **options: passed on to `sqlalchemy.create_engine`.

    Raises:
        ConfigError: there is no URL, or it is not one of PostgreSQL.

    Example:
        >>> create_engine("postgresql://app@db.example/app").url.drivername
        'postgresql+psycopg'
    """
    return sqlalchemy.create_engine(database_url(url), **_defaults(options))


def create_async_engine(url: str | URL | None = None, **options: Any) -> AsyncEngine:  # noqa: ANN401 - SQLAlchemy's own
    """Return an async engine; see `create_engine`."""
    return asyncio.create_async_engine(database_url(url), **_defaults(options))


def database_url(url: str | URL | None = None) -> URL:
    """Read a URL, and name the driver in it; `postgres://` is taken for `postgresql://`.

    Raises:
        ConfigError: there is none, or it is not one of PostgreSQL for psycopg 3.
    """
    given = os.environ.get("DATABASE_URL") if url is None else url
    if not given:
        raise ConfigError(["url: none was given, and the environment has no DATABASE_URL."])
    try:
        parsed = make_url(given)
    except (ArgumentError, ValueError):
        raise ConfigError(
            ["url: it cannot be read; it looks like postgresql://user:password@host:port/name."]
        ) from None
    if parsed.drivername not in {"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg_async"}:
        raise ConfigError([f"url: it must begin with postgresql://, not {parsed.drivername}://."])
    return parsed.set(drivername="postgresql+psycopg")


def _defaults(options: dict[str, Any]) -> dict[str, Any]:
    connection = {**_CONNECTION, **options.pop("connect_args", {})}
    return {"hide_parameters": True, "pool_recycle": 1800, **options, "connect_args": connection}
