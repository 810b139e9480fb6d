"""`TestServer`: databases made and dropped for tests, on an embedded server or on one that runs already."""

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from types import TracebackType
from typing import Self

import psycopg
from psycopg import sql
from sqlalchemy import make_url

from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.database.unavailable import translated
from pgauthkit.ops.migrate import deploy

__all__ = ["TestServer"]


class TestServer:
    """A PostgreSQL server for tests.

    Args:
        url: of a server that runs already, as a role that may create databases; None to start an embedded one.
        major: the version of the embedded server.

    Example:
        >>> with TestServer() as server, server.database() as url:  # doctest: +SKIP
        ...     engine = create_engine(url)
    """

    __test__ = False  # for pytest: this is no test class

    def __init__(self, url: str | None = None, *, major: int = 16) -> None:
        self._embedded = None if url else EmbeddedPostgres(major=major)
        self._url = url
        self._template: str | None = None

    def start(self) -> Self:
        """Start the embedded server, where there is one.

        Raises:
            DatabaseUnavailableError: it cannot be started.
        """
        if self._embedded:
            self._url = self._embedded.start().url()
        return self

    def stop(self) -> None:
        """Drop what was made, and stop the embedded server."""
        if self._embedded:
            self._embedded.stop()
        elif self._template:
            self._drop(self._template)

    def url(self, database: str) -> str:
        """Return the URL of a database of this server."""
        return make_url(self._url or "").set(database=database).render_as_string(hide_password=False)

    @contextmanager
    def database(self, *, migrated: bool = True) -> Generator[str]:
        """Make a database, give its URL, and drop it afterwards: migrated, as a copy of a template, or empty.

        A copy takes about 25 ms on the embedded server, as its files are copied without waiting for the disk.
        """
        name = f"pgauthkit_{secrets.token_hex(6)}"
        self._create(name, self.template if migrated else None)
        try:
            yield self.url(name)
        finally:
            self._drop(name)

    @property
    def template(self) -> str:
        """The name of a database with every migration applied, made when first asked for."""
        if self._template is None:
            name = f"pgauthkit_template_{secrets.token_hex(6)}"
            self._create(name)
            deploy(self.url(name))
            self._template = name
        return self._template

    def _create(self, name: str, template: str | None = None) -> None:
        command = sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name))
        if template:
            command += sql.SQL(" TEMPLATE {} STRATEGY FILE_COPY").format(sql.Identifier(template))
        self._run(command)

    def _drop(self, name: str) -> None:
        self._run(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

    def _run(self, command: sql.Composed) -> None:
        with (
            translated(make_url(self._url or "")),
            psycopg.connect(self.url("postgres"), autocommit=True) as connection,
        ):
            connection.execute(command)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()
