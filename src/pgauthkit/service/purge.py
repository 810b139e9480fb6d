"""Purge: delete expired rows, in batches that block nobody."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any, Final

import attrs

from pgauthkit.errors import ConfigError
from pgauthkit.service.base import Service
from pgauthkit.service.limits import longest
from pgauthkit.statements import purge as statements
from pgauthkit.statements.statement import Statement
from pgauthkit.values import PurgeReport

__all__ = ["Purge"]

LONGEST: Final = timedelta(days=3660)
LARGEST: Final = 1_000_000


class Purge(Service):
    """What `AuthService` does with expired rows."""

    def purge(
        self,
        *,
        keep: timedelta = timedelta(days=1),
        batch_size: int = 1000,
        on_progress: Callable[[PurgeReport], object] | None = None,
    ) -> PurgeReport:
        """Delete links, sessions and devices that ended longer than `keep` ago, and buckets that are empty again.

        Nothing depends on it but disk space: expiry is judged at each use. Each batch is one short statement, which
        skips locked rows, so it may run beside the load, from several hosts at once, and be stopped
        at any moment. Sessions that were revoked or idle are found by a walk over the primary key, and so are the
        devices of a user beyond the 20 that they signed in on last.

        Args:
            keep: how long rows are kept after their end, for the host's own questions.
            batch_size: rows looked at in one statement.
            on_progress: called after each batch with what was deleted so far.

        Raises:
            ConfigError: `keep` is negative or beyond ten years, or `batch_size` is not 1 to 1,000,000.

        Example:
            >>> auth.purge(keep=timedelta(days=7)).sessions  # doctest: +SKIP
            1024
        """
        if not (_is_between(keep, timedelta(), LONGEST) and _is_between(batch_size, 1, LARGEST)):
            raise ConfigError([f"purge: keep must be 0 to {LONGEST.days} days, and batch_size 1 to {LARGEST:,}."])
        report = PurgeReport(magic_links=0, sessions=0, rate_limits=0, devices=0)
        for table, gone in self._batches(keep, batch_size):
            report = attrs.evolve(report, **{table: getattr(report, table) + gone})
            if on_progress:
                on_progress(report)
        return report

    def _batches(self, keep: timedelta, batch_size: int) -> Iterator[tuple[str, int]]:
        size: dict[str, object] = {"keep": keep, "batch_size": batch_size}
        yield from (("magic_links", gone) for gone in self._by_expiry(statements.PURGE_MAGIC_LINKS, size))
        yield from (("sessions", gone) for gone in self._by_walk(statements.WALK_SESSIONS, "", size))
        yield from (("devices", gone) for gone in self._by_expiry(statements.PURGE_DEVICES, size))
        yield from (("devices", gone) for gone in self._by_walk(statements.WALK_DEVICES, "", size))
        limits = {**size, "longest": longest(self._config)}
        yield from (("rate_limits", gone) for gone in self._by_walk(statements.PURGE_RATE_LIMITS, b"", limits))

    def _by_expiry(self, statement: Statement, size: dict[str, object]) -> Iterator[int]:
        while gone := len(self._rows(statement, **size)):
            yield gone

    def _by_walk(self, statement: Statement, after: str | bytes | None, size: dict[str, object]) -> Iterator[int]:
        while after is not None:
            ((after, gone),) = self._rows(statement, after=after, **size)
            yield gone


def _is_between(value: Any, least: Any, most: Any) -> bool:  # noqa: ANN401 - numbers, or durations
    return type(value) is type(least) and bool(least <= value <= most)
