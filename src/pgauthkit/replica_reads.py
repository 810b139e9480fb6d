"""`ReplicaReads`: the replica that reads may be sent to, and how old its answers may be."""

from datetime import timedelta
from typing import Final

import attrs
from sqlalchemy import Engine
from sqlalchemy.ext.asyncio import AsyncEngine

from pgauthkit.errors import ConfigError

__all__ = ["ReplicaReads"]

LEAST: Final = timedelta(milliseconds=10)
LONGEST: Final = timedelta(hours=1)


@attrs.frozen
class ReplicaReads:
    """Lets `authenticate`, `peek_magic_link` and `list_sessions` be answered by a streaming replica.

    A replica's answer counts where it says yes, and where the replica has replayed all that its primary had written
    `max_staleness` ago, and all that this process has written. Everything else is the primary's to say: what is unknown
    or refused on the replica, what it has not replayed yet, and every call while no replica answers. So nobody is
    refused for the replica's delay, what this process ends counts at once, and what another one ends, the host's own
    SQL included, counts within `max_staleness`.

    While the primary is away, sessions that were good a moment ago are good for `max_staleness`.

    Attributes:
        engine: on the replica: an `Engine` for `AuthService`, an `AsyncEngine` for `AsyncAuthService`. It may lead to
            several replicas of one primary.
        max_staleness: the age that an answer may have, counted from when the call began; 10 ms to an hour.

    Raises:
        ConfigError: a field is of another type, or out of range.

    Example:
        >>> replica = create_engine("postgresql://app@replica.example/app")  # doctest: +SKIP
        >>> auth = AuthService(engine, replica=ReplicaReads(replica))  # doctest: +SKIP
    """

    engine: Engine | AsyncEngine
    max_staleness: timedelta = timedelta(seconds=1)

    def __attrs_post_init__(self) -> None:
        wrong: list[str] = []
        # What comes from code that nobody has checked the types of may be anything.
        if not _is_engine(self.engine):
            wrong.append("ReplicaReads.engine must be an Engine or an AsyncEngine of SQLAlchemy.")
        if not _is_in_range(self.max_staleness):
            wrong.append("ReplicaReads.max_staleness must be a timedelta of 10 ms to an hour.")
        if wrong:
            raise ConfigError(wrong)


def _is_engine(value: object) -> bool:
    return isinstance(value, Engine | AsyncEngine)


def _is_in_range(value: object) -> bool:
    return isinstance(value, timedelta) and LEAST <= value <= LONGEST
