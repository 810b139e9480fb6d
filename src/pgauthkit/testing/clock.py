"""`Clock`: time that stands still until it is moved."""

from datetime import UTC, datetime, timedelta

__all__ = ["Clock"]


class Clock:
    """A clock for `AuthConfig(clock=…)`.

    Example:
        >>> clock = Clock(datetime(2026, 1, 1, tzinfo=UTC))
        >>> clock.move(timedelta(minutes=5))
        datetime.datetime(2026, 1, 1, 0, 5, tzinfo=datetime.timezone.utc)
    """

    def __init__(self, start: datetime | None = None) -> None:
        self.now: datetime = start or datetime.now(UTC)

    def __call__(self) -> datetime:
        """Return the time."""
        return self.now

    def move(self, by: timedelta) -> datetime:
        """Move the time, ahead or back, and return it."""
        self.now += by
        return self.now
