"""The command: `python -m benchmarks`, which is `make bench`."""

import argparse
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks import costs, heats, plan
from benchmarks.databases import build, name_of, running, settle
from benchmarks.machine import described
from benchmarks.page import write
from benchmarks.peers.tables import prepare

__all__ = ["main"]

RESULTS = plan.BUILD / "benchmarks.jsonl"


def main() -> None:
    """Measure, or only write the page again from what was measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small run, under 3 minutes; the page is not written")
    parser.add_argument("--full", action="store_true", help="with 10,000,000 sessions as well")
    parser.add_argument("--page", action="store_true", help="only write the page, from the results that are there")
    parser.add_argument("--works", default=",".join(plan.WORKS), help="only these work loads")
    parser.add_argument("--costs", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--out", type=Path, default=RESULTS, help="the file for the results, as JSON lines")
    given = parser.parse_args()
    size = plan.QUICK if given.quick else plan.FULL if given.full else plan.USUAL
    if not given.page:
        given.out.parent.mkdir(exist_ok=True)
        with given.out.open("w", encoding="utf-8") as out:
            for line in measured(size, given.works.split(","), costs_too=given.costs):
                out.write(json.dumps(line) + "\n")
                out.flush()
    write([json.loads(line) for line in given.out.read_text(encoding="utf-8").splitlines()], keep=not given.quick)


def measured(size: plan.Size, works: list[str], *, costs_too: bool) -> Iterator[heats.Line]:
    """Yield a line for each thing that is measured, on a server of its own."""
    with tempfile.TemporaryDirectory(prefix="pgak-bench-", ignore_cleanup_errors=True) as directory:
        Path(directory).chmod(0o711)  # the server's account must get through
        data = Path(directory) / "server"
        with running(data, "socket") as server:
            yield described(server.url())
            for sessions in size.sessions:
                say(f"{sessions:,} sessions")
                build(server, sessions)
            if costs_too:
                yield from costs.measured(server, size)
        for transport in ("socket", "tcp"):
            yield from raced(data, transport, size, works)


def raced(data: Path, transport: str, size: plan.Size, works: list[str]) -> Iterator[heats.Line]:
    """Run every heat over a transport."""
    with running(data, transport) as server:
        urls = {sessions: server.url(name_of(sessions)) for sessions in size.sessions}
        if transport == "tcp":
            prepare(urls[size.main], size.main)
        for heat in plan.heats(size, transport):
            if heat.work in works:
                say(f"{heat.work}, {heat.clients} at once, {transport}")
                settle(urls[size.main])
                yield from heats.run(heat, size, urls, PGBENCH=str(server.bin / "pgbench"))


def say(text: str) -> None:
    """Tell how far it is."""
    sys.stderr.write(text + "\n")


if __name__ == "__main__":
    main()
