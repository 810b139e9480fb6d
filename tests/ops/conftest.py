"""Databases with something in them, ways to look into them, and foreign programs that stand in for others."""

import hashlib
import os
import shlex
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import attrs
import psycopg
import pytest

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.binaries import find_binaries
from pgauthkit.testing import TestServer

TABLES = (
    "SELECT quote_ident(nspname) || '.' || quote_ident(relname) FROM pg_class"
    " JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE relkind = 'r' AND nspname !~ '^(pg_|information_schema)' ORDER BY 1"
)


@attrs.frozen
class Database:
    """A database, looked at by SQL of the test's own."""

    url: str

    @property
    def name(self) -> str:
        """Its name."""
        return str(psycopg.conninfo.conninfo_to_dict(self.url)["dbname"])

    def run(self, *statements: str) -> None:
        """Run statements, each on its own."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            for statement in statements:
                connection.execute(statement.encode())

    def ask(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query."""
        with psycopg.connect(self.url, autocommit=True) as connection:
            return connection.execute(query.encode()).fetchall()

    def checksums(self) -> Mapping[str, str]:
        """Return a checksum of all rows of each table."""
        return {str(table): self._checksum(str(table)) for (table,) in self.ask(TABLES)}

    def _checksum(self, table: str) -> str:
        rows = self.ask(f"SELECT one::text FROM {table} AS one ORDER BY 1")  # noqa: S608 - quoted by the server
        return hashlib.sha256(repr(rows).encode()).hexdigest()

    def sign_in(self, email: str = "ada@example.com") -> str:
        """Sign somebody in, and return the access token."""
        engine = create_engine(self.url)
        auth = AuthService(engine)
        token = auth.request_magic_link(email).token.reveal()
        access = auth.verify_magic_link(token).tokens.access_token.reveal()
        engine.dispose()
        return access

    def who_is(self, access_token: str) -> str:
        """Return whose token it is."""
        engine = create_engine(self.url)
        email = AuthService(engine).authenticate(access_token).email
        engine.dispose()
        return email


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.definition.get_closest_marker("pg18"):
        metafunc.parametrize("major", [16, 18])


@pytest.fixture
def major() -> int:
    """The version of PostgreSQL; a test with the mark `pg18` is run on 18 as well."""
    return 16


@pytest.fixture(scope="session")
def pg18_server() -> Iterator[TestServer]:
    with TestServer(major=18) as server:
        yield server


@pytest.fixture
def server(major: int, request: pytest.FixtureRequest) -> TestServer:
    found: TestServer = request.getfixturevalue("pgauthkit_server" if major == 16 else "pg18_server")
    return found


@pytest.fixture
def database(server: TestServer) -> Iterator[Database]:
    """A migrated database."""
    with server.database() as url:
        yield Database(url)


@pytest.fixture
def empty(server: TestServer) -> Iterator[Database]:
    """A database with nothing in it."""
    with server.database(migrated=False) as url:
        yield Database(url)


@pytest.fixture
def filled(database: Database) -> Database:
    """A migrated database with two users, tables of an application, and names that need quotes."""
    database.sign_in("ada@example.com")
    database.sign_in("grace@example.com")
    database.run(
        'CREATE TABLE public."Odd ""name" (id int PRIMARY KEY, body text)',
        'INSERT INTO public."Odd ""name" SELECT n, repeat(chr(9) || \'\\.\' || n, n) FROM generate_series(1, 50) AS n',
        "CREATE TYPE public.mood AS ENUM ('good')",
        "CREATE SCHEMA app",
        "CREATE TABLE app.posts (author text REFERENCES pgauthkit.users, mood public.mood)",
        "INSERT INTO app.posts SELECT id, 'good' FROM pgauthkit.users",
        "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "CREATE VIEW public.v AS SELECT count(*) FROM app.posts",
    )
    return database


@pytest.fixture
def script(tmp_path: Path) -> Callable[[str, str], Path]:
    """Writes a program of /bin/sh, and returns the directory that it is in."""

    def write(name: str, body: str) -> Path:
        directory = tmp_path / "programs"
        directory.mkdir(exist_ok=True)
        (directory / name).write_text(f"#!/bin/sh\n{body}\n")
        (directory / name).chmod(0o755)
        return directory

    return write


@pytest.fixture
def engine_on_path(script: Callable[[str, str], Path], database: Database, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A `podman` on the PATH, which runs the programs of this machine beside the server, as a container has them.

    It writes down how it was called.
    """
    beside = psycopg.conninfo.conninfo_to_dict(database.url)
    binaries = find_binaries(16)
    directory = script(
        "podman",
        f"""
        printf '%s\\n' "$*" >> "$0.log"
        [ "$1 $2 $3 $4 $5" = "exec -i -e PGPASSWORD blog-postgres" ] || {{ echo "Error: no container" >&2; exit 125; }}
        shift 5
        program=$1
        shift
        export PGHOST={shlex.quote(str(beside["host"]))} PGPORT={beside["port"]}
        exec {shlex.quote(str(binaries))}/"$program" "$@"
        """,
    )
    monkeypatch.setenv("PATH", f"{directory}{os.pathsep}{os.environ['PATH']}")
    return directory / "podman.log"
