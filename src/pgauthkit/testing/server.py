"""`TestServer`: databases made and dropped for tests, on a server that is started, or on one that runs already."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from pgauthkit.errors import DatabaseUnavailableError
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.revisions.host import find_host
from pgauthkit.testing.backends import MAJOR, Backend, BackendName, candidates, start_first
from pgauthkit.testing.container import IMAGE
from pgauthkit.testing.databases import Databases

__all__ = ["TestServer"]

TEMPLATE: Final = "template"


class TestServer:
    """A PostgreSQL server for tests.

    It ends with this process, even a killed one. On a server of your own, databases of a killed run are dropped
    by the next.

    Args:
        url: of a server that runs already, as a role that may create databases; None to start one.
        backend: what to start: `container`, `embedded`, or `auto` for the first of them that can be.
        major: the version of the embedded server.
        image: of the container.
        project: a directory of the application's project, whose migrations come after ours; None for ours alone.

    Raises:
        ConfigError: the settings contradict each other.

    Example:
        >>> with TestServer() as server, server.database() as url:  # doctest: +SKIP
        ...     engine = create_engine(url)
    """

    __test__ = False  # for pytest: this is no test class

    def __init__(
        self,
        url: str | None = None,
        *,
        backend: BackendName = "auto",
        major: int = MAJOR,
        image: str = IMAGE,
        project: Path | None = None,
    ) -> None:
        self._candidates = candidates(backend, url=url, major=major, image=image)
        self._project = project
        self._backend: Backend | None = None
        self._databases: Databases | None = None
        self._template: str | Exception | None = None

    def start(self) -> Self:
        """Start the server, where it does not run already.

        Raises:
            DatabaseUnavailableError: it cannot be started, or reached.
        """
        self._backend, url = start_first(self._candidates)
        try:
            self._databases = Databases(url).open()
        except BaseException:
            self.stop()
            raise
        return self

    def stop(self) -> None:
        """Drop what was made, and stop what was started."""
        if self._databases is not None:
            if isinstance(self._template, str):
                self._databases.drop(self._template)
            self._databases.close()
        if self._backend is not None:
            self._backend.stop()
        self._databases = self._backend = self._template = None

    @property
    def run(self) -> str:
        """What the names of the run's databases have in common, after `pgauthkit_`."""
        return self._open.run

    def url(self, database: str) -> str:
        """Return the URL of a database of this server.

        Raises:
            DatabaseUnavailableError: the server is not started.
        """
        return self._open.url(database)

    @contextmanager
    def database(self, *, migrated: bool = True) -> Generator[str]:
        """Make a database, give its URL, and drop it afterwards: migrated, as a copy of a template, or empty.

        A copy takes about 25 ms on the embedded server, as its files are copied without waiting for the disk.

        Raises:
            DatabaseUnavailableError: the server is not started, or cannot be reached.
            MigrationError: a migration, which may be the application's, failed.
        """
        name = self._open.create(template=self.template if migrated else None)
        try:
            yield self._open.url(name)
        finally:
            self._open.drop(name)

    @property
    def template(self) -> str:
        """The name of a database with every migration applied, made when first asked for; nobody can connect to it.

        Raises:
            MigrationError: a migration failed; the same error comes each time.
        """
        if self._template is None:
            self._template = self._make_template()
        if isinstance(self._template, Exception):
            raise self._template
        return self._template

    @property
    def _open(self) -> Databases:
        if self._databases is None:
            raise DatabaseUnavailableError("The server is not started.", hints=["Call start(), or use `with`."])
        return self._databases

    def _make_template(self) -> str | Exception:
        databases = self._open
        name = databases.create(TEMPLATE)
        try:
            deploy(databases.url(name), host=find_host(self._project) if self._project else None)
        except Exception as error:  # noqa: BLE001 - an env.py of the application may raise anything
            databases.drop(name)
            return error
        databases.close_to_others(name)
        return name

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
