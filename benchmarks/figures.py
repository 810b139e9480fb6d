"""Figures from the lines of a run: rates, and ratios pair by pair, with their spread."""

import statistics
from collections.abc import Sequence
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

    @classmethod
    def of_races(cls, lines: Sequence[Line]) -> Self:
        """Return those of races between contenders, out of all that was measured."""
        return cls([line for line in lines if line["kind"] == "block" and line["row"] == line["work"]])

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

    def ratio(self, base: "Blocks", figure: str) -> Spread | None:
        """Return how many times a figure of other blocks these have, round by round; None where one has none.

        Args:
            base: the others.
            figure: `rate`, or a figure that the blocks have.
        """
        by_round = {line["round"]: line for line in base.lines}
        pairs = [(line, by_round[line["round"]]) for line in self.lines if line["round"] in by_round]
        values = [(_figure(mine, figure), _figure(other, figure)) for mine, other in pairs]
        ratios = [mine / other for mine, other in values if mine and other]
        return Spread.of(ratios) if ratios else None

    def figure(self, name: str) -> Spread:
        """Return a figure of the blocks; 0 where a contender does not tell it."""
        return Spread.of([_figure(line, name) for line in self.lines])


def _figure(line: Line, name: str) -> float:
    return _rate(line) if name == "rate" else float(line.get(name, 0.0))


def _rate(line: Line) -> float:
    return float(line["operations"] / line["seconds"])
