"""The URL of a database: which forms are read, and what in it is meant for the pool rather than for the driver."""

import os
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from typing import Final, Self

import attrs
from psycopg.pq import Conninfo
from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from pgauthkit.errors import ConfigError

__all__ = ["PoolSettings", "database_url", "read_url"]

_DRIVERS: Final = frozenset({"postgres", "postgresql", "postgresql+psycopg", "postgresql+psycopg_async"})
# libpq's form for several hosts, postgresql://app@one:5432,two:5433/app; SQLAlchemy's is ?host=one:5432&host=two:5433.
_SEVERAL_HOSTS: Final = re.compile(
    r"(?P<start>[\w+]+://(?:[^/?#]*@)?)(?P<hosts>[^/?#@]*,[^/?#@]*)(?P<rest>(?:[/?#].*)?)", re.DOTALL
)
# SQLAlchemy ends the password at the first @, and would take the rest of it for the host, to be shown.
_AMBIGUOUS: Final = re.compile(r"[\w+]+://(?![^@]*\?[^@]*=)[^@]*@(?:[^?@]*|[^=@]*)@.*", re.DOTALL)
# What psycopg and SQLAlchemy read beside libpq's own.
_DRIVER_SETTINGS: Final = frozenset({"autocommit", "plugin", "prepare_threshold"})
_INSTEAD: Final = {
    "schema": " Leave it out: models name their schema.",
    "connection_limit": " It is Prisma's; here it is pool_size.",
    "statement_cache_size": " Here it is pgbouncer=true.",
}
_TRUTHS: Final = {"true": True, "1": True, "false": False, "0": False}


def _read_truth(text: str) -> bool:
    if text.lower() not in _TRUTHS:
        raise ValueError("must be true or false.")
    return _TRUTHS[text.lower()]


def _read_count(text: str) -> int:
    if not text.isdecimal():
        raise ValueError("must be a whole number.")
    return int(text)


def _read_seconds(text: str) -> float:
    if not re.fullmatch(r"\d+(\.\d+)?", text):
        raise ValueError("must be a number of seconds.")
    return float(text)


_NOT_OF_THE_POOL: Final = frozenset({"pgbouncer", "statement_timeout", "call_timeout"})


@attrs.frozen(kw_only=True)
class PoolSettings:
    """What a URL says of the pool; None where it says nothing.

    Attributes:
        pgbouncer: whether a pooler in transaction mode stands before the server (`pgbouncer=true`).
        pool_size: connections that are kept (`pool_size=10`).
        max_overflow: connections beyond them, closed after use (`max_overflow=0`).
        pool_timeout: seconds to wait for a free one (`pool_timeout=5`).
        pool_recycle: seconds after which one is replaced (`pool_recycle=600`).
        statement_timeout: the longest time of a statement, in seconds in the URL (`statement_timeout=2.5`).
        call_timeout: seconds that a call may take at the client, 0 for as long as it takes (`call_timeout=10`).
    """

    pgbouncer: bool | None = None
    pool_size: int | None = None
    max_overflow: int | None = None
    pool_timeout: float | None = None
    pool_recycle: float | None = None
    statement_timeout: timedelta | None = None
    call_timeout: float | None = None

    @property
    def pool(self) -> dict[str, object]:
        """The arguments for `sqlalchemy.create_engine`."""
        own = attrs.asdict(self, filter=lambda field, _value: field.name not in _NOT_OF_THE_POOL)
        return {name: value for name, value in own.items() if value is not None}

    def overridden_by(self, other: Self) -> Self:
        """Return these settings with what others say in their place."""
        return attrs.evolve(self, **attrs.asdict(other, filter=lambda _field, value: value is not None))

    def problems(self) -> Iterator[str]:
        """Say what is wrong with the values."""
        if self.statement_timeout is not None and self.statement_timeout < timedelta(milliseconds=1):
            yield "statement_timeout: it must be a millisecond or more."
        if self.call_timeout is not None and not 0 <= self.call_timeout < float("inf"):
            yield "call_timeout: it must be a number of seconds, or 0 for no limit."


_READERS: Final[Mapping[str, Callable[[str], object]]] = {
    "pgbouncer": _read_truth,
    "pool_size": _read_count,
    "max_overflow": _read_count,
    "pool_timeout": _read_seconds,
    "pool_recycle": _read_seconds,
    "statement_timeout": lambda text: timedelta(seconds=_read_seconds(text)),
    "call_timeout": _read_seconds,
}


def database_url(url: str | URL | None = None) -> URL:
    """Read a URL, and name the driver in it; `postgres://` is taken for `postgresql://`.

    What it says of the pool is left out: no driver knows it.

    Raises:
        ConfigError: there is none, it is not one of PostgreSQL for psycopg 3, or libpq does not know its settings:
            https://www.postgresql.org/docs/16/libpq-connect.html#LIBPQ-PARAMKEYWORDS.
    """
    return read_url(url)[0]


def read_url(url: str | URL | None = None) -> tuple[URL, PoolSettings]:
    """Read a URL as `database_url` does, and what it says of the pool.

    Several hosts may be given as libpq has it (`postgresql://app@one,two:6432/app`), or as SQLAlchemy has it
    (`postgresql://app@/app?host=one&host=two:6432`).

    Raises:
        ConfigError: there is none, it is not one of PostgreSQL for psycopg 3, or its settings are unknown or wrong.

    Example:
        >>> read_url("postgresql://db.example/app?pool_size=3")[1].pool
        {'pool_size': 3}
    """
    given = os.environ.get("DATABASE_URL") if url is None else url
    if not given:
        raise ConfigError(["url: none was given, and the environment has no DATABASE_URL."])
    if isinstance(given, str) and _AMBIGUOUS.fullmatch(given):
        raise ConfigError(["url: it has an @ too many. In a password @ is written %40, / %2F, : %3A, ? %3F, # %23."])
    try:
        parsed = make_url(_spread(given) if isinstance(given, str) else given)
    except (ArgumentError, ValueError):
        raise ConfigError(
            ["url: it cannot be read; it looks like postgresql://user:password@host:port/name."]
        ) from None
    if parsed.drivername not in _DRIVERS:
        raise ConfigError([f"url: it must begin with postgresql://, not {parsed.drivername}://."])
    plain = parsed.difference_update_query(_READERS).set(drivername="postgresql+psycopg")
    if problems := list(_unknown_settings(plain)):
        raise ConfigError(problems)
    return plain, _pool_settings(parsed)


def _unknown_settings(url: URL) -> Iterator[str]:
    """Say which settings libpq would refuse, with a message that says nothing of where they came from."""
    known = {*_DRIVER_SETTINGS, *(option.keyword.decode() for option in Conninfo.get_defaults())}
    for name in sorted(url.query.keys() - known):
        yield f"url: libpq knows no setting {name}.{_INSTEAD.get(name, '')}"


def _pool_settings(url: URL) -> PoolSettings:
    found: dict[str, object] = {}
    problems: list[str] = []
    for name, values in url.normalized_query.items():
        if name in _READERS:
            try:
                found[name] = _READERS[name](values[-1])
            except ValueError as error:
                problems.append(f"url: its {name} {error}")
    if problems:
        raise ConfigError(problems)
    return PoolSettings(**found)  # type: ignore[arg-type]


def _spread(url: str) -> str:
    """Write several hosts as SQLAlchemy has it."""
    match = _SEVERAL_HOSTS.fullmatch(url)
    if match is None:
        return url
    separator = "&" if "?" in match["rest"] else "?"
    hosts = "&".join(f"host={host}" for host in match["hosts"].split(","))
    return f"{match['start']}{match['rest']}{separator}{hosts}"
