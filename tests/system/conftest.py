"""A browser; and which programs these tests need: a file whose program is missing is left out, and that is said."""

import os
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Request, expect, sync_playwright

PATH: Final = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])
NEEDED: Final = {
    "test_containers.py": ("podman", "crun", "busybox", "iptables", "ip", "unshare"),
    "test_pgbouncer.py": ("pgbouncer",),
    "test_blog.py": ("chromium",),
    "test_studio.py": ("chromium",),
}
# No sandbox, for root; and nothing that Chromium does on its own.
ARGUMENTS: Final = (
    (
        "--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking"
        " --disable-component-update --disable-sync --host-resolver-rules=MAP\\ evil.example\\ 127.0.0.1"
    )
    .replace("\\ ", "\0")
    .split()
)
FAILED: Final = 1
PATIENCE: Final = 60_000  # milliseconds
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


# What a page is expected to show has a time of its own, of 5 s.
expect.set_options(timeout=PATIENCE)
collect_ignore = [name for name in NEEDED if lacking(name)]


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in not_run():
        terminalreporter.write_line(line, red=True)


def pytest_sessionfinish(session: pytest.Session) -> None:
    if not_run() and os.environ.get("CI") == "true" and is_installable():
        session.exitstatus = FAILED


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    """Debian's Chromium, without a window."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium", path=PATH), args=[word.replace("\0", " ") for word in ARGUMENTS]
        )
        yield browser
        browser.close()


@pytest.fixture
def context(chromium: Browser) -> Iterator[BrowserContext]:
    """A browser that nobody has used, far from UTC."""
    context = chromium.new_context(viewport={"width": 1280, "height": 800}, timezone_id="Asia/Tokyo")
    context.set_default_timeout(PATIENCE)
    yield context
    context.close()


@pytest.fixture
def trouble(context: BrowserContext) -> Iterator[list[str]]:
    """What the pages complain of or ask of another machine: nothing, or the test fails."""
    found: list[str] = []

    def hear(message: ConsoleMessage) -> None:
        # A form that is refused is answered with 422, which Chromium notes as well.
        if message.type == "error" and "422" not in message.text:
            found.append(message.text)

    def see(request: Request) -> None:
        if not re.match(r"http://(127\.0\.0\.1|localhost):|data:", request.url):
            found.append(request.url)

    context.on("console", hear)
    context.on("weberror", lambda error: found.append(str(error.error)))
    context.on("request", see)
    yield found
    assert found == []
