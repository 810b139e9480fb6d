"""Runs every block of Python, and every command, that stands in the documentation."""

import os
import subprocess
import sysconfig
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from sybil import Example, Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from pgauthkit.testing import TestServer

pytest_plugins = ["pytester"]

# What installs and makes is run by the Makefile's own targets.
ELSEWHERE = ("pip ", "make ")


def run_commands(example: Example) -> None:
    """Run a block as a shell would, in an empty project, and stop the server that it may have started."""
    lines = [line for line in str(example.parsed).splitlines() if not line.startswith(ELSEWHERE)]
    path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
    script = "\n".join(["set -euo pipefail", "trap 'pgauthkit dev-db stop' EXIT", *lines])
    with tempfile.TemporaryDirectory() as project:
        (Path(project) / "pyproject.toml").touch()
        subprocess.run(["bash", "-c", script], check=True, cwd=project, env={**os.environ, "PATH": path})  # noqa: S603, S607 - our own documentation


class Pages(dict[Path, str]):
    """One migrated database for each page, whose blocks follow from one another."""

    def __init__(self, server: TestServer, databases: ExitStack) -> None:
        self._server = server
        self._databases = databases

    def __missing__(self, page: Path) -> str:
        self[page] = self._databases.enter_context(self._server.database())
        return self[page]


@pytest.fixture(scope="session")
def pages(pgauthkit_server: TestServer) -> Iterator[Pages]:
    """The databases of all pages, until the end of the run."""
    with ExitStack() as databases:
        yield Pages(pgauthkit_server, databases)


@pytest.fixture
def documented_database(request: pytest.FixtureRequest, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> str:
    """The page's database behind `DATABASE_URL`, as the documentation presumes."""
    url = pages[request.node.path]
    monkeypatch.setenv("DATABASE_URL", url)
    return url


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the blocks of a page in their order, whatever shuffles the tests."""
    blocks = sorted((item for item in items if isinstance(item, SybilItem)), key=lambda item: item.location[:2])
    items[:] = [*(item for item in items if not isinstance(item, SybilItem)), *blocks]


pytest_collect_file = Sybil(
    path=str(Path(__file__).parent),
    parsers=[PythonCodeBlockParser(), CodeBlockParser("bash", run_commands)],
    patterns=["README.md", "docs/**/*.md"],
    fixtures=["documented_database"],
).pytest()
