"""A plugin that says which files took longest: `-p tests.slowest`."""

from collections import defaultdict
from typing import Final

import pytest

__all__ = ["pytest_terminal_summary"]

FILES: Final = 20
OUTCOMES: Final = ("", "passed", "failed", "error")  # of setting up and tidying, where they succeed: none


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the files whose tests, with what was made ready for them, took the most seconds."""
    seconds: dict[str, float] = defaultdict(float)
    for report in [report for outcome in OUTCOMES for report in terminalreporter.getreports(outcome)]:
        seconds[report.nodeid.partition("::")[0]] += report.duration
    terminalreporter.section(f"the {FILES} files that took longest, of {sum(seconds.values()):.0f} s")
    for file in sorted(seconds, key=lambda file: -seconds[file])[:FILES]:
        terminalreporter.write_line(f"{seconds[file]:7.1f} s  {file}")
