"""The page of the documentation, written from the lines of a run."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from benchmarks.chart import bars
from benchmarks.figures import Blocks, Spread
from benchmarks.plan import HERE, WORKS
from benchmarks.targets import Goal, limits, peers

__all__ = ["write"]

Line = dict[str, Any]

DOCS: Final = HERE.parent / "docs"
PAGE: Final = DOCS / "reference" / "performance.md"
PRECISE_BELOW: Final = 100
CHARTED: Final = ("authenticate", "verify_link", "refresh")

_ABOVE: Final = (HERE / "performance.md").read_text(encoding="utf-8")


def write(lines: list[Line], *, keep: bool) -> None:
    """Write the page and its charts; print it only, unless it is to be kept."""
    text = "\n".join(_page(lines))
    print(text)  # noqa: T201 - what the command is for
    if keep:
        PAGE.write_text(text, encoding="utf-8")
        for work in CHARTED:
            at = _blocks(lines).where(work=work, transport="tcp", clients=1)
            rates = [(name, at.where(contender=name).rate()) for name in at.contenders()]
            title = f"{work}: operations a second, 1 client, TCP"
            (DOCS / "images" / f"performance-{work}.svg").write_text(bars(title, rates), encoding="utf-8")


def _page(lines: list[Line]) -> Iterator[str]:
    yield _ABOVE
    yield from _section("Against the driver and the server", _goals(limits(lines), "at most, or at least"))
    yield from _section("Against other libraries", _goals(peers(lines), "at least"))
    for work in CHARTED:
        yield f"```{{image}} ../images/performance-{work}.svg\n:alt: {work}, operations a second\n```\n"
    yield from _section("Once", _once(lines))
    blocks = _blocks(lines)
    for work, what in WORKS.items():
        yield from _section(f"`{work}`: {what}", _table(blocks.where(work=work)))
    yield from _section("Measured on", _machine(lines[0]))


def _section(title: str, rows: Iterable[str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield from rows
    yield ""


def _goals(goals: Iterable[Goal], bound: str) -> Iterator[str]:
    yield f"| what | {bound} | median (quartiles) | |"
    yield "|---|--:|--:|---|"
    for goal in goals:
        sign = "≥ " if goal.at_least else "≤ "
        found = _spread(goal.found, goal.unit) if goal.found else "-"
        yield f"| {goal.what} | {sign}{goal.wanted:g}{goal.unit} | {found} | {goal.verdict} |"


def _spread(found: Spread, unit: str) -> str:
    middle, low, high = (f"{value:.2f}" for value in (found.middle, found.low, found.high))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low} - {high})"


def _table(blocks: Blocks) -> Iterator[str]:
    yield "| who | at once | over | sessions | operations a second (quartiles) | median latency, µs | processor, µs |"
    yield "|---|--:|---|--:|--:|--:|--:|"
    keys = {(line["transport"], line["clients"], line["sessions"]) for line in blocks.lines}
    for transport, clients, sessions in sorted(keys):
        at = blocks.where(transport=transport, clients=clients, sessions=sessions)
        for name in at.contenders():
            mine = at.where(contender=name)
            rate, latency = mine.rate(), mine.latency().middle
            cpu = Spread.of([line.get("cpu_us", 0.0) for line in mine.lines]).middle
            rates = f"{_number(rate.middle)} ({_number(rate.low)} - {_number(rate.high)})"
            shown = " | ".join(f"{value:,.0f}" if value else "-" for value in (latency, cpu))
            yield f"| {name} | {clients} | {transport} | {sessions:,} | {rates} | {shown} |"


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= PRECISE_BELOW else f"{value:,.2f}"


def _once(lines: list[Line]) -> Iterator[str]:
    yield "| what | |"
    yield "|---|--:|"
    for line in lines:
        match line["kind"]:
            case "import":
                yield f"| processor time of `{line['statement']}` | {line['milliseconds']:.0f} ms |"
            case "deploy":
                yield f"| `migrate deploy` from empty | {line['seconds'] * 1e3:.0f} ms |"
            case "memory":
                yield f"| memory of an idle service | {line['idle_mb']:.0f} MB |"
                yield f"| most memory, {line['what']} {line['rows']:,} rows | {line['peak_mb']:.0f} MB |"
            case "purge":
                rate = line["rows"] / line["seconds"]
                yield f"| purge of {line['rows']:,} sessions | {line['seconds']:.1f} s ({rate:,.0f} rows a second) |"


def _machine(line: Line) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for name, value in line.items():
        if name != "kind":
            yield f"| {name} | {value} |"


def _blocks(lines: list[Line]) -> Blocks:
    return Blocks([line for line in lines if line["kind"] == "block"])
