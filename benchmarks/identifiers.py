"""How many identifiers one thread makes in a second: `python -m benchmarks.identifiers`."""

import argparse
import sys
import time
from itertools import repeat

from pgauthkit.identifiers import new_id

__all__ = ["main", "rate"]


def rate(count: int) -> float:
    """Make so many identifiers, and return how many that were in a second."""
    start = time.perf_counter()
    for _ in repeat(None, count):
        new_id()
    return count / (time.perf_counter() - start)


def main() -> None:
    """Print the best of some rounds: what slows a round down is never the function itself."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.identifiers", description=__doc__)
    parser.add_argument("--count", type=int, default=200_000, help="identifiers in a round")
    parser.add_argument("--rounds", type=int, default=7)
    given = parser.parse_args()
    rates = sorted(rate(given.count) for _ in range(given.rounds))
    sys.stdout.write(
        f"{rates[-1]:,.0f} identifiers a second in the best of {given.rounds} rounds of {given.count:,}, "
        f"{rates[len(rates) // 2]:,.0f} in the median one.\n"
    )


if __name__ == "__main__":
    main()
