"""The command: `python -m benchmarks`, which is `make bench`."""

import argparse
import subprocess
import sys

from benchmarks import plan
from benchmarks.before import built
from benchmarks.databases import running
from benchmarks.machine import described
from benchmarks.page import write
from benchmarks.results import FOLDER, Results
from benchmarks.stage import Stage

__all__ = ["main"]


def main() -> None:
    """Measure, and write the page from what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run, under 3 minutes; the page is not written")
    parser.add_argument("--full", action="store_true", help="longer, and with 10,000,000 sessions as well")
    parser.add_argument("--base", help="the commit to compare with, which is built apart")
    parser.add_argument("--rows", default="", help=f"only these: {', '.join((*plan.GROUPS, *plan.ROWS))}")
    parser.add_argument("--page", action="store_true", help="only write the page, from the results that are there")
    given = parser.parse_args()
    size = plan.QUICK if given.quick else plan.FULL if given.full else plan.USUAL
    results = Results(FOLDER.with_name("benchmarks-quick") if given.quick else FOLDER)
    if not given.page:
        rows = _chosen(parser, given.rows)
        if not given.rows:
            results.clear()
        measure(results, size, rows, given.base)
    write(results.read(("machine", *plan.ROWS)), keep=not given.quick)


def _chosen(parser: argparse.ArgumentParser, names: str) -> tuple[str, ...]:
    """Return the rows that were asked for, in their order; a group stands for its rows."""
    wanted = {row for name in names.split(",") if name for row in plan.GROUPS.get(name, (name,))}
    if unknown := wanted.difference(plan.ROWS):
        parser.error(f"There is no row {', '.join(sorted(unknown))}.")
    return tuple(row for row in plan.ROWS if not wanted or row in wanted)


def measure(results: Results, size: plan.Size, rows: tuple[str, ...], base: str | None) -> None:
    """Measure these rows on a server of its own, each kept as it comes."""
    before, called = None, "none"
    if base:
        try:
            before = built(base)
            called = before.commit
        except subprocess.CalledProcessError as error:
            called = f"{base} could not be built"
            sys.stderr.write(f"{called}: {error}\n")
    with running() as server:
        results.keep("machine", [described(server.url(), called)])
        stage = Stage(server=server, size=size, before=before)
        with stage.set(rows):
            for row in rows:
                sys.stderr.write(f"{row}\n")
                results.keep(row, stage.lines(row))


if __name__ == "__main__":
    main()
