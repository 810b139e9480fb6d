"""Which programs of the machine these tests need; a file whose program is missing is left out, and that is said."""

import os
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
NEEDED: Final = {
    "test_containers.py": ("podman", "crun", "busybox", "iptables", "ip", "unshare"),
    "test_pgbouncer.py": ("pgbouncer",),
    "test_studio.py": ("chromium",),
}
FAILED: Final = 1
_HERE: Final = Path(__file__).parent
sys.path.insert(0, str(_HERE))  # The files here import each other, some of them in processes of their own.


def lacking(name: str) -> list[str]:
    """Return the programs that a file of tests needs and that are not installed."""
    found = [program for program in NEEDED.get(name, ()) if shutil.which(program, path=PATH) is None]
    # Its namespaces need root.
    return ["root", *found] if name == "test_containers.py" and os.geteuid() else found


def not_run() -> list[str]:
    """Return what is left out, a line each."""
    names = sorted(path.name for path in _HERE.glob("test_*.py"))
    return [f"NOT RUN: {name}, which needs {', '.join(found)}" for name in names if (found := lacking(name))]


def is_installable() -> bool:
    """Tell whether what is missing could have been had here: then it is a fault that it was not."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


collect_ignore = [name for name in NEEDED if lacking(name)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in not_run():
        terminalreporter.write_line(line, red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not_run() and os.environ.get("CI") == "true" and is_installable():
        session.exitstatus = FAILED
