"""The cluster, which every test here shares, and what was measured on it."""

from collections.abc import Callable, Iterator
from functools import cache

import pytest
from tests.cluster.cluster import Cluster
from tests.cluster.events import Outcome, happen

from pgauthkit.ops.migrate import deploy

_outcomes: list[Outcome] = []
_figures: list[str] = []


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """Three nodes, with HAProxy and PgBouncer before them, and a database with our migrations."""
    cluster = Cluster()
    try:
        cluster.start()
        deploy(cluster.proxy("app"))
        yield cluster
    finally:
        cluster.stop()


@pytest.fixture(scope="session")
def outcome_of(cluster: Cluster) -> Callable[[str, bool], Outcome]:
    """Let an event happen, once; whatever is asked about it."""

    @cache
    def find(event: str, synchronous: bool) -> Outcome:  # noqa: FBT001 - `cache` takes them by place
        found = happen(cluster, event, synchronous=synchronous)
        _outcomes.append(found)
        return found

    return find


@pytest.fixture(scope="session")
def report() -> Callable[[str], None]:
    """Say something at the end of the run."""
    return _figures.append


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Show the figures."""
    if _outcomes:
        terminalreporter.section("outages (s), and their ratio to the time until there was a new primary")
        terminalreporter.write_line(_row("event", "new primary", "route", "twin", "outage", "ratio", "calls", "lost"))
    for one in _outcomes:
        for part in one.parts:
            new, ratio = f"{one.new_primary:.1f}", f"{part.outage / one.new_primary:.2f}"
            calls = sum(sum(book.calls.values()) for book in part.books)
            cells = (one.name, new, part.route, part.twin, f"{part.outage:.1f}", ratio, calls, len(part.broken))
            terminalreporter.write_line(_row(*cells))
        terminalreporter.write_line(
            f"{one.name}: not surely replicated: the last {one.unsure:.2f} s; stall {one.stall:.2f} s"
        )
    for figure in _figures:
        terminalreporter.write_line(figure)


def _row(*cells: object) -> str:
    widths = (26, -12, 15, 7, -7, -7, -7, -6)
    return " ".join(
        f"{cell!s:{'<' if width > 0 else '>'}{abs(width)}}" for cell, width in zip(cells, widths, strict=True)
    )
