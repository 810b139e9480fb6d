"""The page of the documentation, written from the lines of a run."""

from collections.abc import Iterable, Iterator
from typing import Any, Final

from benchmarks import goals, targets
from benchmarks.chart import bars
from benchmarks.entrants import HERE, SHARED
from benchmarks.figures import Blocks, Spread
from benchmarks.goals import Goal
from benchmarks.plan import WORKS

__all__ = ["write"]

Line = dict[str, Any]

DOCS: Final = HERE.parent / "docs"
PAGE: Final = DOCS / "reference" / "performance.md"
PRECISE_BELOW: Final = 100
SMALL: Final = 0.1
# Each with its tables.
CHARTED: Final = {"find_unique": SHARED, "include": SHARED, "authenticate": "", "verify_link": "", "refresh": ""}
# How much longer it may take in the largest database than in the smallest.
SIZES: Final = {"authenticate": 1.6}

_ABOVE: Final = (HERE / "performance.md").read_text(encoding="utf-8")


def write(lines: list[Line], *, keep: bool) -> None:
    """Write the page and its charts; print it only, unless it is to be kept."""
    text = "\n".join(_page(lines))
    print(text)  # noqa: T201 - what the command is for
    if keep:
        PAGE.write_text(text, encoding="utf-8")
        for work, tables in CHARTED.items():
            at = Blocks.of_races(lines).where(work=work, clients=1, tables=tables)
            rates = [(name, at.where(contender=name).rate()) for name in at.contenders()]
            title = f"{work}: operations a second, 1 client, TCP"
            (DOCS / "images" / f"performance-{work}.svg").write_text(bars(title, rates), encoding="utf-8")


def _page(lines: list[Line]) -> Iterator[str]:
    blocks = Blocks.of_races(lines)
    authenticate = [
        *goals.raced(lines, targets.AUTHENTICATE),
        *goals.rooms(lines),
        *goals.sizes(lines, SIZES),
    ]
    tables = {
        "Repositories": list(goals.raced(lines, targets.REPOSITORIES)),
        "Authenticate and its cache": authenticate,
        "Against the driver": [*goals.raced(lines, targets.SIGN_IN), *goals.starts(lines)],
        "Against other libraries": list(goals.raced(lines, targets.AGAINST_PEERS)),
    }
    yield _ABOVE
    yield from _section("What falls short", _short([goal for table in tables.values() for goal in table]))
    for title, table in tables.items():
        yield from _section(f"{title}: wanted and reached", _goals(table))
    for work in CHARTED:
        yield f"```{{image}} ../images/performance-{work}.svg\n:alt: {work}, operations a second\n```\n"
    yield from _section("Once", _once(lines))
    for work, what in WORKS.items():
        failed = [line for line in lines if line["kind"] == "failed" and line["work"] == work]
        if (at := blocks.where(work=work)).lines or failed:
            yield from _section(f"`{work}`: {what}", _table(at, failed))
    yield from _section("By the number of sessions", _sizes(lines))
    yield from _section("Measured on", _machine(lines))


def _section(title: str, rows: Iterable[str]) -> Iterator[str]:
    yield f"## {title}\n"
    yield from rows
    yield ""


def _short(every: list[Goal]) -> Iterator[str]:
    measured = [goal for goal in every if goal.found]
    missed = [goal for goal in measured if goal.falls_short]
    yield f"Of {len(measured)} bounds that were measured {len(measured) - len(missed)} are met. These fall short:\n"
    for goal in missed:
        if goal.found:
            yield f"- {goal.what}: {_number(goal.found.middle)}{goal.unit} for {_number(goal.wanted)}{goal.unit}."


def _goals(table: Iterable[Goal]) -> Iterator[str]:
    yield "| what | wanted | reached, median (quartiles) | by processor time | |"
    yield "|---|--:|--:|--:|---|"
    for goal in table:
        sign = "≥ " if goal.at_least else "≤ "
        found = _spread(goal.found, goal.unit) if goal.found else "-"
        processor = f"{_number(goal.processor.middle)}x" if goal.processor else "-"
        yield f"| {goal.what} | {sign}{goal.wanted:.3g}{goal.unit} | {found} | {processor} | {goal.verdict} |"


def _spread(found: Spread, unit: str) -> str:
    middle, low, high = (_number(value) for value in (found.middle, found.low, found.high))
    return f"{middle}{unit}" if low == high else f"{middle}{unit} ({low} - {high})"


def _table(blocks: Blocks, failed: Iterable[Line]) -> Iterator[str]:
    yield "| who | at once | tables | operations a second (quartiles) | median, µs | 99th, µs | processor, µs |"
    yield "|---|--:|---|--:|--:|--:|--:|"
    for tables, clients in sorted({(line["tables"], line["clients"]) for line in blocks.lines}, reverse=True):
        at = blocks.where(tables=tables, clients=clients)
        for name in at.contenders():
            mine = at.where(contender=name)
            rates = _spread(mine.rate(), "")
            shown = (mine.figure(figure).middle for figure in ("p50_us", "p99_us", "cpu_us"))
            rest = " | ".join(f"{value:,.0f}" if value else "-" for value in shown)
            peak = mine.figure("peak_mb").middle
            more = f", {peak:.0f} MB above idle" if peak else ""
            yield f"| {name}{more} | {clients} | {tables or 'its own'} | {rates} | {rest} |"
    for line in failed:
        where = f"{line.get('clients', '-')} | {line.get('tables') or 'its own'}"
        yield f"| {line['contender'] or 'everybody'} | {where} | failed: {_plain(line['why'])} | - | - | - |"


def _plain(text: str) -> str:
    return "".join(char for char in text if char not in "|<>`{}[]")


def _number(value: float) -> str:
    if value >= PRECISE_BELOW:
        return f"{value:,.0f}"
    return f"{value:.2f}" if value >= SMALL else f"{value:.3f}"


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
            case "session_bytes":
                whole = f"{line['bytes']:.0f} bytes, of which the row {line['row_bytes']:.0f}"
                yield f"| a session of {line['rows']:,}, {line['contender']}, row and indexes | {whole} |"
            case "entry_bytes":
                yield f"| an entry of {line['entries']:,} of the cache | {line['bytes']:.0f} bytes |"
            case "failed" if line["work"] not in WORKS:
                yield f"| {line['row']} | failed: {_plain(line['why'])} |"
            case "warm" if line["contender"] == "Prisma tuned" and line["work"] == "find_unique":
                who = f"Prisma tuned, {line['clients']} at once, before `find_unique`"
                yield f"| warm-up of {who} | {line['seconds']:.1f} s |"
            case "rate":
                yield f"| arrivals of `authenticate` at random times | {line['rate']:,.0f} a second |"
            case _:
                pass


def _sizes(lines: list[Line]) -> Iterator[str]:
    """Yield what each work takes in each database, with the pages that were not in the server's memory."""
    yield "| what | sessions | median latency, µs | pages not in the server's memory |"
    yield "|---|--:|--:|--:|"
    blocks = Blocks([line for line in lines if line["kind"] == "block" and line["row"] == "sizes"])
    for line in lines:
        match line["kind"]:
            case "pages":
                at = blocks.where(work=line["work"], sessions=line["sessions"])
                latency = f"{at.figure('p50_us').middle:,.0f}" if at.lines else "-"
                share = f"{line['share']:.2%} of {line['pages']:,}"
                yield f"| {line['work']} | {line['sessions']:,} | {latency} | {share} |"
            case "purge":
                rate = f"{line['seconds']:.1f} s, {line['rows'] / line['seconds']:,.0f} a second"
                yield f"| purge of {line['rows']:,} expired | {line['sessions']:,} | {rate} | - |"
            case _:
                pass
    yield ""
    for line in lines:
        if line["kind"] == "database":
            size = f"{line['gigabytes']:.2f} GB"
            memory = f"`shared_buffers` of {line['shared_buffers']}, the rest of {line['memory_gb']} GB for the system"
            yield f"- {line['sessions']:,} sessions: {size} on disk; {memory}; filled in {line['seconds']:.0f} s."


def _machine(lines: list[Line]) -> Iterator[str]:
    yield "| | |"
    yield "|---|---|"
    for line in lines:
        if line["kind"] == "machine":
            for name, value in line.items():
                if name != "kind":
                    yield f"| {name} | {value} |"
