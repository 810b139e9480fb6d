"""Whether the time of `request_magic_link` tells that an address has an account: `python -m benchmarks.enumeration`."""

import argparse
import random
import sys
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta
from itertools import combinations
from statistics import NormalDist, median, quantiles
from typing import Final, Self

import attrs
from sqlalchemy import text

from pgauthkit import AuthConfig, AuthService
from pgauthkit.config import RateLimit, RateLimits
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.migrate import deploy

__all__ = ["main"]

# All three are counted, as in a real host, and none refuses.
MANY: Final = RateLimit(1_000_000, per=timedelta(seconds=1))
LIMITS: Final = RateLimits(
    per_ip=MANY, per_network=MANY, per_email=MANY, per_email_and_ip=MANY, per_email_and_network=MANY
)
KINDS: Final = ("known", "unknown", "inactive")
CERTAIN: Final = 0.05
WARM_UP: Final = 300  # calls that are not measured
MICROSECONDS: Final = 1e6
# Addresses of one number are neighbours in the index, so that all kinds are as far from where another was looked up.
USERS: Final = """
    INSERT INTO pgauthkit.users (id, email, is_active)
    SELECT kind || number, number || kind || '@example.com', kind = 'known'
    FROM generate_series(1, :calls) AS number, unnest(ARRAY['known', 'inactive']) AS kind"""


@attrs.frozen
class Comparison:
    """Two samples under the test of Mann and Whitney, which asks for no distribution.

    Attributes:
        shift: of the medians, in seconds.
        likely: how probable it is that a call of the second kind takes longer than one of the first; a half is no
            difference.
        chance: how probable a difference like this is where there is none (two-sided).
    """

    shift: float
    likely: float
    chance: float

    @classmethod
    def of(cls, one: Sequence[float], other: Sequence[float]) -> Self:
        """Compare two samples, large enough for the normal approximation."""
        ranked = sorted([(value, False) for value in one] + [(value, True) for value in other])
        ranks = sum(rank for rank, (_, is_other) in enumerate(ranked, 1) if is_other)
        wins, pairs = ranks - len(other) * (len(other) + 1) / 2, len(one) * len(other)
        deviation = (pairs * (len(one) + len(other) + 1) / 12) ** 0.5
        chance = 2 * NormalDist().cdf(-abs(wins - pairs / 2) / deviation)
        return cls(median(other) - median(one), wins / pairs, chance)


def measured(url: str, calls: int) -> Mapping[str, list[float]]:
    """Return the seconds of so many calls for each kind of address, each for another one, mixed at random."""
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text(USERS), {"calls": calls})
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(text("VACUUM ANALYZE pgauthkit.users"))
    auth = AuthService(engine, AuthConfig(rate_limits=LIMITS))
    for number in range(WARM_UP):
        auth.request_magic_link(f"warm{number}@example.com", ip="203.0.113.7")
    asked = [(kind, f"{number}{kind}@example.com") for kind in KINDS for number in range(1, calls + 1)]
    random.shuffle(asked)
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for kind, email in asked:
        start = time.perf_counter()
        auth.request_magic_link(email, ip="203.0.113.7")
        times[kind].append(time.perf_counter() - start)
    engine.dispose()
    return times


def told(times: Mapping[str, list[float]]) -> str:
    """Return the two tables, and what comes of them."""
    lines = ["kind        median   quartiles, in microseconds"]
    for kind, values in times.items():
        low, middle, high = (value * MICROSECONDS for value in quantiles(values, n=4))
        lines.append(f"{kind:<10}{middle:8.0f}   {low:.0f} to {high:.0f}")
    pairs = list(combinations(times, 2))
    found = {pair: Comparison.of(times[pair[0]], times[pair[1]]) for pair in pairs}
    lines += ["", "                       shift of the median   second is slower   by chance"]
    lines += [
        f"{one + ', ' + other:<23}{result.shift * MICROSECONDS:16.1f} us   {result.likely:16.1%}   {result.chance:9.2g}"
        for (one, other), result in found.items()
    ]
    # Three pairs are looked at, so each must be as much surer (Bonferroni).
    seen = [pair for pair in pairs if found[pair].chance < CERTAIN / len(pairs)]
    lines += ["", f"Different beyond noise: {'; '.join(map(', '.join, seen)) or 'none'}."]
    return "\n".join(lines)


def main() -> None:
    """Measure on a server of its own, over its Unix socket, where there is less noise than on any network."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.enumeration", description=__doc__)
    parser.add_argument("--calls", type=int, default=8000, help="for each kind of address")
    given = parser.parse_args()
    with EmbeddedPostgres() as server:
        deploy(server.url())
        sys.stdout.write(told(measured(server.url(), given.calls)) + "\n")


if __name__ == "__main__":
    main()
