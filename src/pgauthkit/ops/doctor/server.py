"""Checks of the server itself: its version, its clock, its encoding, and whether it takes writes."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import Connection, text

from pgauthkit.ops.doctor.finding import Finding

__all__ = [
    "check_clock",
    "check_encoding",
    "check_standby",
    "check_version",
    "judge_clock",
    "judge_encoding",
    "judge_standby",
    "judge_version",
]

# https://www.postgresql.org/support/versioning/: older ones get no fixes any more. Ours is tried on 16 and 18.
OLDEST: Final = 14
TRIED: Final = (16, 18)
# What CREATE INDEX and REINDEX CONCURRENTLY made could lack rows: https://www.postgresql.org/docs/release/14.4/
LOSING_ROWS: Final = range(14_00_00, 14_00_04)
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
    if number in LOSING_ROWS:
        advice = "Upgrade to the last minor release: an index that is made or rebuilt CONCURRENTLY here may lack rows."
        return Finding(check="version", level="wrong", message=message, advice=f"{advice} Then REINDEX such ones.")
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


def check_encoding(connection: Connection) -> Iterator[Finding]:
    """See whether the database can hold every character."""
    encoding = connection.scalar(
        text(
            "SELECT pg_catalog.pg_encoding_to_char(encoding) FROM pg_catalog.pg_database"
            " WHERE datname = pg_catalog.current_database()"
        )
    )
    yield judge_encoding(str(encoding))


def judge_encoding(encoding: str) -> Finding:
    """Say what is to be said of a database's encoding, by PostgreSQL's name for it."""
    if encoding == "UTF8":
        return Finding(check="encoding", level="ok", message="The database's encoding is UTF8.")
    message = f"The database's encoding is {encoding}, so it refuses some characters, or does not know what they are."
    advice = "Restore a backup into a database made with ENCODING 'UTF8' TEMPLATE template0."
    return Finding(check="encoding", level="warning", message=message, advice=advice)


def check_standby(connection: Connection) -> Iterator[Finding]:
    """See whether the server takes writes."""
    query = "SELECT pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('default_transaction_read_only') = 'on'"
    is_standby, is_read_only = connection.execute(text(query)).one()
    yield judge_standby(is_standby=is_standby, is_read_only=is_read_only)


def judge_standby(*, is_standby: bool, is_read_only: bool) -> Finding:
    """Say what is to be said of a server that is, or is not, in recovery, and whose sessions may not write."""
    if is_read_only and not is_standby:
        message = "default_transaction_read_only is on here, so nothing is written: nobody can sign in."
        advice = "Set it to off where that is meant to end: ALTER DATABASE or ALTER ROLE … RESET it."
        return Finding(check="standby", level="wrong", message=message, advice=advice)
    if not is_standby:
        return Finding(check="standby", level="ok", message="The server takes writes.")
    message = "The server is a standby, which takes no writes: nobody can sign in there."
    advice = "Connect to the primary; a URL with several hosts finds it with target_session_attrs=read-write."
    return Finding(check="standby", level="wrong", message=message, advice=advice)
