"""A server in a container, as far as this can be seen by what the engine is asked for."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from threading import Event
from typing import Protocol

import pytest

from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.testing import container_guard
from pgauthkit.testing.container import ContainerServer

STORY = """
import sys
import psycopg
from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.testing.container import ContainerServer

server = ContainerServer(sys.argv[1])
try:
    url = server.start()
    print(psycopg.connect(url).execute("SELECT 'it answers'").fetchone()[0], flush=True)
    if sys.argv[2:]:
        sys.stdin.read()
except DatabaseUnavailableError as error:
    print(error)
try:
    server.stop()
    server.stop()
except DatabaseUnavailableError as error:
    print(error)
"""


class Engine(Protocol):
    """See conftest.py."""

    made: list[str]
    running: dict[str, str | None]
    stubborn: bool
    environment: dict[str, str]


def tell(engine: Engine, image: str) -> str:
    """Run the story in a process of its own, as testcontainers reads the environment once."""
    command = [sys.executable, "-W", "error", "-W", "ignore::ResourceWarning", "-c", STORY, image]
    environment = {**os.environ, **engine.environment}
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def eventually(condition: Callable[[], bool]) -> None:
    """Ask every 50 ms, for a minute and more; in one line, as whether it holds at once is chance."""
    clock = Event()
    assert any(clock.wait(0.05) or condition() for _ in range(1200))


def test_a_container_is_made_used_and_removed(docker: Engine) -> None:
    """The server answers with the password that it was given; nothing is left after `stop`, which may come twice."""
    assert tell(docker, "postgres:16") == "it answers\n"
    assert (docker.made, docker.running) == (["postgres:16"], {})


def test_an_image_that_is_not_there_is_named(docker: Engine) -> None:
    """The error names the image, and says how to get it or another."""
    told = tell(docker, "nowhere:1")
    assert told.startswith("The container of nowhere:1 does not start: 404")
    assert "docker pull nowhere:1" in told
    assert docker.made == []


def test_a_container_that_ends_at_once_is_removed(docker: Engine) -> None:
    """Where the server does not stay, the error says so, and the container is removed."""
    assert "The container of broken:1 does not start" in tell(docker, "broken:1")
    assert (docker.made, docker.running) == (["broken:1"], {})


def test_a_server_that_never_answers_is_given_up(docker: Engine) -> None:
    """Where the container ends before its server answers, the error has the container's log, and the container goes."""
    told = tell(docker, "deaf:1")
    assert "The server in the container of deaf:1 does not answer" in told
    assert "the log of the container" in told
    assert docker.running == {}


def test_an_engine_that_refuses_to_remove_is_told(docker: Engine) -> None:
    """A container that stays behind is an error, not a silence."""
    docker.stubborn = True
    assert "did not remove the container" in tell(docker, "postgres:16")


def test_a_killed_owner_leaves_no_container(docker: Engine) -> None:
    """After SIGKILL of the process that started it, the guard removes the container."""
    command = [sys.executable, "-c", STORY, "postgres:16", "wait"]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env={**os.environ, **docker.environment}
    ) as owner:
        assert owner.stdout
        assert owner.stdout.readline() == "it answers\n"
        assert len(docker.running) == 1
        owner.send_signal(signal.SIGKILL)
    eventually(lambda: docker.running == {})


def test_a_container_that_is_gone_already_is_no_error(docker: Engine) -> None:
    """The guard of a container that somebody else removed ends in peace."""
    command = [sys.executable, "-m", container_guard.__name__, "unknown"]
    environment = {**os.environ, **docker.environment}
    assert subprocess.run(command, check=False, stdin=subprocess.DEVNULL, env=environment).returncode == 0


def test_without_an_engine_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no engine answers, the error says what to start or to set."""
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere.sock")
    with pytest.raises(DatabaseUnavailableError, match="No container engine answers") as caught:
        ContainerServer().start()
    assert caught.value.hints == ("Start Docker or Podman, or set DOCKER_HOST.",)


def test_without_testcontainers_the_error_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the error names it."""
    monkeypatch.setattr("pgauthkit.testing.container.find_spec", lambda _name: None)
    with pytest.raises(DatabaseUnavailableError) as caught:
        ContainerServer().start()
    assert caught.value.hints == ("pip install 'pgauthkit[containers]'",)
