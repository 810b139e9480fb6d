"""The time of a clock that was given on purpose, and durations as the server gets them."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from pgauthkit.config import AuthConfig
from pgauthkit.errors import ConfigError

__all__ = ["in_seconds", "read_clock"]


def read_clock(config: AuthConfig) -> datetime | None:
    """Return what the configured clock says; None without one.

    Raises:
        ConfigError: it says a time without a zone, which the server would read in a zone of its own.
    """
    if config.clock is None:
        return None
    now = config.clock()
    if now.utcoffset() is None:
        raise ConfigError(["clock: must return an aware datetime, such as datetime.now(UTC)."])
    return now


def in_seconds(parameters: Mapping[str, object]) -> dict[str, object]:
    """Return parameters with each duration in seconds: a day of PostgreSQL has 23 or 25 hours twice a year."""
    return {
        name: value.total_seconds() if isinstance(value, timedelta) else value for name, value in parameters.items()
    }
