"""`SessionCache`: whether checked sessions may be kept in the memory of a process, for how long, and how many."""

from datetime import timedelta
from typing import Final

import attrs

from pgauthkit.errors import ConfigError

__all__ = ["TOO_STALE", "SessionCache", "is_too_stale"]

LEAST: Final = timedelta(milliseconds=1)
LARGEST: Final = 10_000_000
TOO_STALE: Final = "must have a max_staleness of at most touch_interval"


@attrs.frozen
class SessionCache:
    """Lets `authenticate` answer from memory what the database said a moment ago, without a round trip.

    What this process ends counts at once. What another one ends, the host's own SQL included, counts within
    `max_staleness`, and so does a change of role or address.

    Attributes:
        max_staleness: the age that an answer may have, counted from before its statement was sent; 1 ms or more, and
            at most `AuthConfig.touch_interval`.
        size: how many sessions are kept, 1 to 10,000,000; the oldest answer goes first. One takes less than 800 bytes.

    Raises:
        ConfigError: a field is out of range.

    Example:
        >>> SessionCache(max_staleness=timedelta(milliseconds=500)).size
        100000
    """

    max_staleness: timedelta = timedelta(seconds=1)
    size: int = 100_000

    def __attrs_post_init__(self) -> None:
        wrong: list[str] = []
        # What comes from code that nobody has checked the types of may be anything.
        if not _is_duration(self.max_staleness) or self.max_staleness < LEAST:
            wrong.append("SessionCache.max_staleness must be a timedelta of 1 ms or more.")
        if type(self.size) is not int or not 1 <= self.size <= LARGEST:
            wrong.append(f"SessionCache.size must be a whole number from 1 to {LARGEST:,}.")
        if wrong:
            raise ConfigError(wrong)


def _is_duration(value: object) -> bool:
    return isinstance(value, timedelta)


def is_too_stale(cache: SessionCache | None, touch_interval: object) -> bool:
    """Tell whether `last_used_at` would come late: an answer from memory moves nothing.

    Example:
        >>> is_too_stale(SessionCache(timedelta(minutes=2)), timedelta(minutes=1))
        True
    """
    return cache is not None and isinstance(touch_interval, timedelta) and cache.max_staleness > touch_interval
