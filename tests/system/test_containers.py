"""The container backend on a real engine: podman, which serves Docker's API, and an image made without a registry.

It belongs to `make test-system`: it needs root and Debian's packages (see container_engine.py).
"""

import json
import subprocess
import sys
from pathlib import Path
from typing import Final

import pytest

from pgauthkit.testing import TestServer

HERE: Final = Path(__file__).parent
SUITE: Final = """
import pytest
import sqlalchemy as sa
from pgauthkit.errors import RateLimitedError, TokenAlreadyUsedError
from pgauthkit.models import User

@pytest.mark.parametrize("time", [1, 2])
def test_each_has_its_database(pgauthkit_auth, time):
    token = pgauthkit_auth.request_magic_link("ada@example.com").token.reveal()
    assert pgauthkit_auth.verify_magic_link(token).created
    with pytest.raises(TokenAlreadyUsedError):
        pgauthkit_auth.verify_magic_link(token)

def test_rolled_back(pgauthkit_session):
    pgauthkit_session.add(User(email="ada@example.com"))
    pgauthkit_session.commit()
    assert pgauthkit_session.scalar(sa.select(sa.func.count()).select_from(User)) == 1

def test_limits(pgauthkit_auth):
    with pytest.raises(RateLimitedError):
        for _ in range(51):
            pgauthkit_auth.request_magic_link("ada@example.com")

@pytest.mark.anyio
async def test_async(pgauthkit_async_auth, anyio_backend):
    link = await pgauthkit_async_auth.request_magic_link("ada@example.com")
    assert (await pgauthkit_async_auth.verify_magic_link(link.token.reveal())).user.email == "ada@example.com"

@pytest.fixture
def anyio_backend():
    return "asyncio"

def test_version(pgauthkit_engine):
    with pgauthkit_engine.connect() as connection:
        assert connection.dialect.server_version_info[0] == 16

def test_fails(pgauthkit_url):
    assert pgauthkit_url == ""
"""

RECORDER: Final = """
import json
results = {{}}

def pytest_runtest_logreport(report):
    if report.when == "call" or report.outcome != "passed":
        results[report.nodeid] = report.outcome

def pytest_sessionfinish(session):
    with open({report!r}, "w") as file:
        file.write(json.dumps(results))
"""
PYTEST: Final = (
    *(sys.executable, "-m", "pytest", "--disable-plugin-autoload", "-p", "pgauthkit", "-p", "anyio"),
    *("-p", "no:cacheprovider"),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the engine keeps its image for the tests of this module."""
    directory = tmp_path_factory.mktemp("e")
    (directory / "project").mkdir()
    (directory / "project/pytest.ini").write_text("[pytest]\n")
    (directory / "project/test_suite.py").write_text(SUITE)
    return directory


class Engine:
    """Runs commands where a container engine answers, and shows what they said, in the log of this run too."""

    def __init__(self, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._place = place
        self._capsys = capsys

    def run(self, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the project."""
        script = [sys.executable, str(HERE / "container_engine.py"), str(self._place / "engine"), *command]
        project = self._place / "project"
        result = subprocess.run(script, check=False, capture_output=True, text=True, cwd=project, timeout=600)
        with self._capsys.disabled():
            print(result.stdout, result.stderr)  # noqa: T201 - the log
        return result

    def outcomes(self, *options: str) -> dict[str, str]:
        """Run the suite, and return how each of its tests ended."""
        report = self._place / "report.json"
        (self._place / "project/conftest.py").write_text(RECORDER.format(report=str(report)))
        report.unlink(missing_ok=True)
        result = self.run(*PYTEST, "-v", "-W", "error", *options)
        assert report.exists(), result.stderr
        found: dict[str, str] = json.loads(report.read_text())
        return found


@pytest.fixture
def engine(place: Path, capsys: pytest.CaptureFixture[str]) -> Engine:
    """The engine."""
    return Engine(place, capsys)


def test_the_backend_changes_no_result(engine: Engine) -> None:
    """By a URL, embedded, in a container, and by `auto` where an engine answers: each test ends in the same way."""
    with TestServer(backend="embedded") as server:
        by_url = engine.outcomes(f"--pgauthkit-url={server.url('postgres')}")
    found = [engine.outcomes(f"--pgauthkit-backend={backend}") for backend in ("embedded", "container", "auto")]
    assert sorted(by_url.values()) == ["failed", *["passed"] * 6]
    assert found == [by_url] * 3


def test_workers_share_one_container(engine: Engine, tmp_path: Path) -> None:
    """Under pytest-xdist four workers make one container, and none is left."""
    log = tmp_path / "made"
    story = (
        f"podman events --filter event=create --format '{{{{.ID}}}}' > {log} & sleep 1;"
        ' "$@"; sleep 1; echo "left: [$(podman ps -aq)]"'
    )
    options = ["-p", "xdist", "-n", "4", "--pgauthkit-backend=container", "-k", "not fails"]
    result = engine.run("bash", "-c", story, "bash", *PYTEST, *options)
    assert "6 passed" in result.stdout
    assert len(log.read_text().split()) == 1
    assert "left: []" in result.stdout


def test_a_killed_run_leaves_no_container(engine: Engine, tmp_path: Path) -> None:
    """After SIGKILL of pytest its container is removed by the guard."""
    story = (
        '"$@" & pytest=$!; until [ -n "$(podman ps -q)" ]; do sleep 0.2; done; sleep 3; kill -KILL $pytest;'
        ' for _ in $(seq 100); do [ -n "$(podman ps -aq)" ] || { echo all gone; break; }; sleep 0.2; done'
    )
    (tmp_path / "test_sleeps.py").write_text("import time\ndef test_sleeps(pgauthkit_url): time.sleep(60)\n")
    command = [*PYTEST, "--rootdir", str(tmp_path), "--pgauthkit-backend=container", str(tmp_path)]
    assert "all gone" in engine.run("bash", "-c", story, "bash", *command).stdout


def test_an_image_that_is_not_there_is_an_error_with_a_cure(engine: Engine) -> None:
    """Where the engine has no such image and can get none, each test is an error that says so, and none is skipped."""
    options = ["-k", "version", "--pgauthkit-backend=container", "--pgauthkit-image=localhost/nowhere:1"]
    result = engine.run(*PYTEST, *options)
    assert "1 error" in result.stdout
    assert "docker pull localhost/nowhere:1" in result.stdout
