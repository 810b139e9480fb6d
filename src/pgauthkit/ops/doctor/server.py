"""Checks of the server itself: its version, and its clock."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.ops.doctor.finding import Finding

__all__ = ["check_clock", "check_version", "judge_clock", "judge_version"]

# https://www.postgresql.org/support/versioning/: older ones get no fixes any more. Ours is tried on 16 and 18.
OLDEST: Final = 14
TRIED: Final = (16, 18)
MOST_SKEW: Final = timedelta(seconds=2)


def check_version(connection: Connection) -> Iterator[Finding]:
    """Compare the server's version with what is supported."""
    number = connection.scalar(text("SELECT pg_catalog.current_setting('server_version_num')::int"))
    yield judge_version(int(number))


def judge_version(number: int) -> Finding:
    """Say what is to be said of a version by its number, such as 160014 for 16.14."""
    major = number // 10_000
    message = f"The server is PostgreSQL {major}.{number % 10_000}."
    if major < OLDEST:
        return Finding(check="version", level="wrong", message=message, advice=f"Upgrade to {OLDEST} or later.")
    if not TRIED[0] <= major <= TRIED[1]:
        advice = f"pgauthkit is tested on {TRIED[0]} and {TRIED[1]}: try this one before you rely on it."
        return Finding(check="version", level="warning", message=message, advice=advice)
    return Finding(check="version", level="ok", message=message)


def check_clock(connection: Connection) -> Iterator[Finding]:
    """Compare this host's clock with the server's, which decides every expiry."""
    before = datetime.now(UTC)
    there = connection.scalar(text("SELECT pg_catalog.clock_timestamp()"))
    after = datetime.now(UTC)
    yield judge_clock(max(before - there, there - after, timedelta(0)))


def judge_clock(skew: timedelta) -> Finding:
    """Say what is to be said of two clocks that are so far apart, at least."""
    if skew > MOST_SKEW:
        message = f"This host's clock and the server's are {skew.total_seconds():.1f} s apart."
        advice = "Sign-in goes by the server's clock; let both hosts keep time (NTP), or logs will not fit together."
        return Finding(check="clock", level="warning", message=message, advice=advice)
    return Finding(check="clock", level="ok", message="This host's clock agrees with the server's.")
