"""Figures from the lines of a run: rates, and ratios pair by pair, with their spread."""

import statistics
from collections.abc import Iterable, Sequence
from typing import Any, Self

import attrs

__all__ = ["Blocks", "Spread"]

Line = dict[str, Any]


@attrs.frozen
class Spread:
    """A median, and the quartiles on both sides of it."""

    low: float
    middle: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        """Return that of some values."""
        if len(values) == 1:
            return cls(values[0], values[0], values[0])
        low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
        return cls(low, middle, high)


@attrs.frozen
class Blocks:
    """The blocks of a run."""

    lines: Sequence[Line]

    def where(self, **wanted: object) -> "Blocks":
        """Return those with these values."""
        return Blocks([line for line in self.lines if all(line.get(name) == value for name, value in wanted.items())])

    def contenders(self) -> list[str]:
        """Return who is in them, the fastest first."""
        names = {line["contender"] for line in self.lines}
        return sorted(names, key=lambda name: -self.where(contender=name).rate().middle)

    def rate(self) -> Spread:
        """Return the operations a second."""
        return Spread.of([_rate(line) for line in self.lines])

    def latency(self) -> Spread:
        """Return the median latency of the blocks in microseconds; 0 where a contender does not tell it."""
        return Spread.of([line.get("p50_us", 0.0) for line in self.lines])

    def faster(self, mine: "Blocks") -> Spread | None:
        """Return how many times as many operations a second the other blocks have, round by round."""
        return _ratio((_rate(line), _rate(base)) for line, base in _pairs(mine.lines, self.lines))

    def slower(self, mine: "Blocks") -> Spread | None:
        """Return how many times the median latency the other blocks have, round by round."""
        return _ratio((line["p50_us"], base["p50_us"]) for line, base in _pairs(mine.lines, self.lines))


def _rate(line: Line) -> float:
    return float(line["operations"] / line["seconds"])


def _pairs(mine: Iterable[Line], base: Iterable[Line]) -> list[tuple[Line, Line]]:
    by_round = {line["round"]: line for line in base}
    return [(line, by_round[line["round"]]) for line in mine if line["round"] in by_round]


def _ratio(pairs: Iterable[tuple[float, float]]) -> Spread | None:
    ratios = [mine / base for mine, base in pairs]
    return Spread.of(ratios) if ratios else None
