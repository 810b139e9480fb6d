"""Where the server of a test run comes from: one that runs already, a container, or the embedded one."""

from collections.abc import Sequence
from importlib.util import find_spec
from typing import Final, Literal, Protocol, TypeAlias, get_args

from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.errors import ConfigError, DatabaseUnavailableError
from pgauthkit.testing.container import IMAGE, ContainerServer

__all__ = ["MAJOR", "Backend", "BackendName", "EmbeddedServer", "GivenServer", "candidates", "start_first"]

BackendName: TypeAlias = Literal["auto", "url", "container", "embedded"]
MAJOR: Final = 16
# For all the workers of a run together, and what each of them races.
SETTINGS: Final = {"max_connections": "500"}


class Backend(Protocol):
    """A server that is started for a run, and stopped after it."""

    @property
    def name(self) -> str:
        """What it is, for a message."""
        ...

    def start(self) -> str:
        """Start it, and return the URL of its database `postgres`; `DatabaseUnavailableError` where it cannot be."""
        ...

    def stop(self) -> None:
        """Stop what was started."""
        ...


class GivenServer:
    """A server that runs already, and goes on running."""

    name = "the server of the URL"

    def __init__(self, url: str) -> None:
        self._url = url

    def start(self) -> str:
        """Return the URL as it was given."""
        return self._url

    def stop(self) -> None:
        """Leave it as it is."""


class EmbeddedServer:
    """The server of `pgauthkit.database.embedded`."""

    name = "embedded"

    def __init__(self, major: int = MAJOR) -> None:
        self._server = EmbeddedPostgres(major=major, settings=SETTINGS)

    def start(self) -> str:
        """Start it."""
        return self._server.start().url()

    def stop(self) -> None:
        """Stop it, and delete its data."""
        self._server.stop()


def candidates(
    backend: BackendName = "auto", *, url: str | None = None, major: int = MAJOR, image: str = IMAGE
) -> list[Backend]:
    """Return the servers to try, in this order.

    Args:
        backend: which one; `auto` is the given URL, or else a container where testcontainers is installed, or else the
            embedded one.
        url: of a server that runs already.
        major: the version of the embedded one.
        image: of the container.

    Raises:
        ConfigError: there is no such backend, `url` without a URL, or a URL and another backend.

    Example:
        >>> [found.name for found in candidates("embedded")]
        ['embedded']
    """
    if backend not in get_args(BackendName):
        raise ConfigError([f"backend: must be one of {', '.join(get_args(BackendName))}, not {backend}."])
    if backend == "url" and not url:
        raise ConfigError(["backend: url needs a URL: give --pgauthkit-url=postgresql://…"])
    if url and backend not in {"auto", "url"}:
        raise ConfigError([f"backend: a URL is given, so it cannot be {backend}."])
    if url:
        return [GivenServer(url)]
    found: list[Backend] = []
    if backend == "container" or (backend == "auto" and find_spec("testcontainers")):
        found.append(ContainerServer(image))
    if backend != "container":
        found.append(EmbeddedServer(major))
    return found


def start_first(backends: Sequence[Backend]) -> tuple[Backend, str]:
    """Start the first that can be started, and return it with its URL.

    Raises:
        DatabaseUnavailableError: none can; its hints say why not, and what would help.
    """
    refusals: list[DatabaseUnavailableError] = []
    for backend in backends:
        try:
            return backend, backend.start()
        except DatabaseUnavailableError as error:
            backend.stop()
            refusals.append(error)
    if len(refusals) == 1:
        raise refusals[0]
    hints = [f"{backend.name}: {error}" for backend, error in zip(backends, refusals, strict=True)]
    hints.append("Or give a server that runs already: --pgauthkit-url=postgresql://…")
    raise DatabaseUnavailableError("No PostgreSQL could be started for the tests.", hints=hints)
