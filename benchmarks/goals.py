"""What was reached, beside what was wanted."""

from collections.abc import Iterable, Iterator
from typing import Any

import attrs

from benchmarks.figures import Blocks, Spread
from benchmarks.targets import Wanted

__all__ = ["Goal", "raced", "rooms", "sizes", "starts"]

Line = dict[str, Any]


@attrs.frozen(kw_only=True)
class Goal:
    """One thing to reach, and what came out.

    Attributes:
        what: said in words.
        wanted: the bound.
        at_least: whether it is a lower bound.
        found: what came out; None where it was not measured.
        processor: the same by the processor time of the processes, where the figure is one of time.
        unit: behind the numbers.
    """

    what: str
    wanted: float
    at_least: bool = False
    found: Spread | None
    processor: Spread | None = None
    unit: str = "x"

    @property
    def falls_short(self) -> bool:
        """Whether it was measured and not reached."""
        return self.found is not None and not self._reached(self.found)

    @property
    def verdict(self) -> str:
        """Say whether it was reached."""
        if self.found is None:
            return "not measured"
        return "**falls short**" if self.falls_short else "met"

    def _reached(self, found: Spread) -> bool:
        return found.middle >= self.wanted if self.at_least else found.middle <= self.wanted


def raced(lines: list[Line], wanted: Iterable[Wanted]) -> Iterator[Goal]:
    """Yield what came out of races."""
    blocks = Blocks.of_races(lines)
    for one in wanted:
        at = blocks.where(work=one.work, clients=one.clients, tables=one.tables)
        base = at.where(contender=one.base)
        ratios = {name: at.where(contender=name).ratio(base, one.figure) for name in one.mine}
        found = {name: spread for name, spread in ratios.items() if spread}
        at_least = one.figure == "rate"
        best = (max if at_least else min)(found, key=lambda name: found[name].middle, default="")
        yield Goal(
            what=one.what,
            wanted=one.bound,
            at_least=at_least,
            found=found.get(best),
            processor=_processor(at.where(contender=best), base, one.figure),
        )


def _processor(mine: Blocks, base: Blocks, figure: str) -> Spread | None:
    """Return how many times less processor time a call takes, or more, as the figure goes."""
    if figure == "rate":
        return base.ratio(mine, "cpu_us")
    return mine.ratio(base, "cpu_us") if figure == "p50_us" else None


def sizes(lines: list[Line], bounds: dict[str, float]) -> Iterator[Goal]:
    """Yield how much longer works take in the largest database than in the smallest."""
    blocks = Blocks([line for line in lines if line["kind"] == "block" and line["row"] == "sizes"])
    for work, bound in bounds.items():
        at = blocks.where(work=work)
        found = sorted({line["sessions"] for line in at.lines}) or [0]
        ratio = at.where(sessions=found[-1]).ratio(at.where(sessions=found[0]), "p50_us")
        what = f"{work} at {found[-1]:,} sessions against {found[0]:,}: latency"
        yield Goal(what=what, wanted=bound, found=ratio if len(found) > 1 else None)


def rooms(lines: list[Line]) -> Iterator[Goal]:
    """Yield what sessions take on disk and in memory."""
    taken = {line["contender"]: line for line in lines if line["kind"] == "session_bytes"}
    ratio = None
    if len(taken) > 1:
        ratio = Spread.of([taken["pgauthkit"]["bytes"] / taken["before"]["bytes"]])
    rows = f", {taken['pgauthkit']['rows']:,} rows" if taken else ""
    yield Goal(what=f"bytes of a session{rows}, row and indexes, against before", wanted=0.5, found=ratio)
    entry = next((line for line in lines if line["kind"] == "entry_bytes"), None)
    count = f" of {entry['entries']:,}" if entry else ""
    found = Spread.of([entry["bytes"]]) if entry else None
    yield Goal(what=f"bytes of an entry{count} of the cache", wanted=800, found=found, unit=" bytes")


def starts(lines: list[Line]) -> Iterator[Goal]:
    """Yield what an import and a long iterator cost."""
    for line in lines:
        if line["kind"] == "memory":
            more = line["peak_mb"] - line["idle_mb"]
            verb = "reading" if line["what"] == "read" else "writing"
            what = f"peak memory {verb} {line['rows']:,} rows, above idle"
            yield Goal(what=what, wanted=60, found=Spread.of([more]), unit=" MB")
        if line["kind"] == "import" and line["what"] != "given":
            what = f"{line['statement']}, against importing what it stands on"
            yield Goal(what=what, wanted=1.2, found=Spread.of(line["ratios"]))
