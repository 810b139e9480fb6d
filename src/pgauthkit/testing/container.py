"""`ContainerServer`: PostgreSQL in a container, by testcontainers (extra `containers`)."""

import gc
import secrets
import subprocess
import sys
import time
import warnings
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Final

import psycopg

from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.testing import container_guard

if TYPE_CHECKING:
    from testcontainers.core.container import DockerContainer

__all__ = ["ContainerServer"]

IMAGE: Final = "postgres:16"
PATIENCE: Final = 120.0  # seconds from the start of the container to its first answer
PAUSE: Final = 0.05
PORT: Final = 5432
_WITHOUT_RYUK: Final = (
    "Where Ryuk's image is what is missing: TESTCONTAINERS_RYUK_DISABLED=true; our container is removed all the same."
)
# https://www.postgresql.org/docs/16/non-durability.html: the data end with the run.
COMMAND: Final = "postgres -c fsync=off -c full_page_writes=off -c synchronous_commit=off -c max_connections=200"


class ContainerServer:
    """A server in a container of its own, with a random password.

    A guard process removes the container on request, or when the process that started it is gone, even killed;
    testcontainers' own guard (Ryuk) is one more image to pull, and may be switched off.

    Args:
        image: it must behave like the official one (`POSTGRES_PASSWORD`).

    Example:
        >>> ContainerServer("postgres:16").start()  # doctest: +SKIP
        'postgresql://postgres:…@localhost:32768/postgres'
    """

    name = "container"

    def __init__(self, image: str = IMAGE) -> None:
        self._image = image
        self._guard: subprocess.Popen[bytes] | None = None

    def start(self) -> str:
        """Make and start the container, and wait until the server answers.

        Raises:
            DatabaseUnavailableError: testcontainers is not installed, no engine answers, it has no such image, or the
                server does not start.
        """
        if not find_spec("testcontainers"):
            raise DatabaseUnavailableError(
                "testcontainers is not installed.", hints=["pip install 'pgauthkit[containers]'"]
            )
        from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415 - an extra

        password = secrets.token_urlsafe(24)
        container = self._new_container(password)
        try:
            return self._started(container, password)
        except (DockerException, OSError, StopIteration) as error:  # what testcontainers lets through
            raise DatabaseUnavailableError(
                f"The container of {self._image} does not start: {error}",
                hints=[
                    f"docker pull {self._image}, or give another image: --pgauthkit-image",
                    _WITHOUT_RYUK,
                ],
            ) from None

    def stop(self) -> None:
        """Remove the container with its data.

        Raises:
            DatabaseUnavailableError: the engine refuses.
        """
        if self._guard is None:
            return
        guard, self._guard = self._guard, None
        guard.communicate()
        if guard.returncode:
            raise DatabaseUnavailableError("The container engine did not remove the container of the tests.")

    def _new_container(self, password: str) -> "DockerContainer":
        from docker.errors import DockerException  # noqa: PLC0415 - an extra
        from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - an extra

        with warnings.catch_warnings():
            # docker-py leaves its socket open where nothing answers.
            warnings.simplefilter("ignore", ResourceWarning)
            try:
                return DockerContainer(self._image, env={"POSTGRES_PASSWORD": password}, ports=[PORT], command=COMMAND)
            except DockerException as error:
                reason = str(error)
            gc.collect()
        raise DatabaseUnavailableError(
            f"No container engine answers: {reason}", hints=["Start Docker or Podman, or set DOCKER_HOST."]
        )

    def _started(self, container: "DockerContainer", password: str) -> str:
        from testcontainers.core.exceptions import ContainerStartException  # noqa: PLC0415 - an extra

        try:
            container.start()
        finally:
            # Also where it was made and does not start.
            with suppress(ContainerStartException):
                self._watch(container.get_container_id())
        url = f"postgresql://postgres:{password}@{container.get_container_host_ip()}"
        return self._answering(f"{url}:{container.get_exposed_port(PORT)}/postgres", container)

    def _watch(self, container_id: str) -> None:
        self._guard = subprocess.Popen(  # noqa: S603 - our own script
            [sys.executable, "-P", "-m", container_guard.__name__, container_id],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,  # Ctrl-C in the terminal is for us
        )

    def _answering(self, url: str, container: "DockerContainer") -> str:
        deadline = time.monotonic() + PATIENCE
        while True:
            try:
                psycopg.connect(url, connect_timeout=5).close()
            except psycopg.OperationalError as error:
                container.reload()
                if container.status != "running" or time.monotonic() > deadline:
                    raise DatabaseUnavailableError(
                        f"The server in the container of {self._image} does not answer: {error}",
                        hints=[line.decode(errors="replace").strip() for line in container.get_logs()],
                    ) from None
                time.sleep(PAUSE)
            else:
                return url
