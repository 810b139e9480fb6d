"""Runs every block of Python, SQL and commands that stands in the documentation."""

import os
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import attrs
import psycopg
import pytest
from sybil import Example, Sybil
from sybil.integration.pytest import SybilItem
from sybil.parsers.markdown import CodeBlockParser, PythonCodeBlockParser

from pgauthkit.testing import TestServer

pytest_plugins = ["pytester"]

# Where the environment forbids bytecode, every program that a test starts would compile all of its imports, which
# takes longer than what it is started for.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

# What installs and makes is run by the Makefile's own targets.
ELSEWHERE = ("pip ", "make ", "python3 -m venv ")


@attrs.frozen(kw_only=True)
class Page:
    """What the blocks of a page share, because they follow from one another.

    Attributes:
        url: a migrated database.
        project: where its commands run: a project with nothing in it but what an earlier block wrote.
        environment: a file with the variables that earlier blocks exported.
    """

    url: str
    project: Path
    environment: Path

    def run(self, commands: str) -> None:
        """Run a block as a shell would in which the blocks before it were typed as well."""
        lines = [line for line in commands.splitlines() if not line.startswith(ELSEWHERE)]
        self._bash([*lines, f'export -p > "{self.environment}"'])

    def tidy(self) -> None:
        """Stop the server, where the page has started one."""
        if any(self.project.rglob(".pgauthkit")):
            self._bash(["pgauthkit dev-db stop"])

    def _bash(self, lines: list[str]) -> None:
        before = [
            "set -euo pipefail",
            f'test ! -f "{self.environment}" || {{ source "{self.environment}"; cd "$PWD"; }}',
        ]
        script = "\n".join([*before, *lines])
        path = f"{sysconfig.get_path('scripts')}{os.pathsep}{os.environ['PATH']}"
        # What a page runs, tests run as well: coverage would only make it slower.
        kept = {name: value for name, value in os.environ.items() if not name.startswith("COVERAGE_PROCESS_")}
        environment = {**kept, "PATH": path, "PYTHONUNBUFFERED": "1"}
        subprocess.run(["bash", "-c", script], check=True, cwd=self.project, env=environment)  # noqa: S603, S607 - our own documentation


class Pages(dict[Path, Page]):
    """The pages that have been begun."""

    def __init__(self, server: TestServer, folder: Path, resources: ExitStack) -> None:
        self._server = server
        self._folder = folder
        self._resources = resources

    def __missing__(self, path: Path) -> Page:
        project = self._folder / str(len(self)) / path.stem
        project.mkdir(parents=True)
        (project / "pyproject.toml").touch()
        url = self._resources.enter_context(self._server.database())
        page = Page(url=url, project=project, environment=project.parent / "environment")
        self._resources.callback(page.tidy)
        self[path] = page
        return page


def run_commands(example: Example) -> None:
    """Run a block of shell commands."""
    page: Page = example.namespace["documented_page"]
    page.run(str(example.parsed))


def run_sql(example: Example) -> None:
    """Run a block of SQL in the page's database, as its owner."""
    page: Page = example.namespace["documented_page"]
    with psycopg.connect(page.url, autocommit=True) as connection:
        connection.execute(str(example.parsed).encode())


@pytest.fixture(scope="session")
def pages(pgauthkit_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    """What the pages have, until the end of the run."""
    with ExitStack() as resources:
        yield Pages(pgauthkit_server, tmp_path_factory.mktemp("pages"), resources)


@pytest.fixture
def documented_page(request: pytest.FixtureRequest, pages: Pages, monkeypatch: pytest.MonkeyPatch) -> Page:
    """The block's page, with its database behind `DATABASE_URL`, and in its project, as the documentation presumes."""
    page = pages[request.node.path]
    monkeypatch.setenv("DATABASE_URL", page.url)
    monkeypatch.chdir(page.project)
    return page


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the blocks of a page in their order, whatever shuffles the tests."""
    blocks = sorted((item for item in items if isinstance(item, SybilItem)), key=lambda item: item.location[:2])
    items[:] = [*(item for item in items if not isinstance(item, SybilItem)), *blocks]


pytest_collect_file = Sybil(
    path=str(Path(__file__).parent),
    parsers=[PythonCodeBlockParser(), CodeBlockParser("bash", run_commands), CodeBlockParser("sql", run_sql)],
    patterns=["README.md", "docs/**/*.md"],
    fixtures=["documented_page"],
).pytest()
