"""The server of a run, and its databases: one for each number of sessions."""

import os
import subprocess
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import make_url

from benchmarks.before import Before
from benchmarks.filling import fill
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.migrate import deploy

__all__ = [
    "BEFORE",
    "SHARED_BUFFERS",
    "build",
    "build_before",
    "connected",
    "create",
    "environment",
    "running",
    "settle",
]

SHARED_BUFFERS: Final = "512MB"
BEFORE: Final = "before"

# Durable as PostgreSQL is by default; room for all who take part at once, and no checkpoint in a block.
_SETTINGS: Final = {
    "max_connections": "300",
    "shared_buffers": SHARED_BUFFERS,
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}


@contextmanager
def running() -> Generator[EmbeddedPostgres]:
    """Run a server over TCP, in a directory that goes with it; without an installation."""
    with EmbeddedPostgres(tcp=True, settings=_SETTINGS, durable=True) as server:
        yield server


@contextmanager
def connected(url: str) -> Generator[psycopg.Connection[Any]]:
    """Give a connection in autocommit."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def build(server: EmbeddedPostgres, sessions: int, tokens: Path | None = None, *, name: str = "main") -> str:
    """Make a database of this name with so many sessions by COPY, and return its address."""
    _create(server, name)
    url = server.url(name)
    fill(url, sessions, tokens)
    settle(url)
    return url


def build_before(server: EmbeddedPostgres, before: Before, sessions: int, tokens: Path) -> str:
    """Let another commit make its database, with as many sessions, and return its address."""
    _create(server, BEFORE)
    url = server.url(BEFORE)
    variables = environment(url, sessions, PYTHONPATH=str(before.source))
    script = Path(__file__).with_name("filling.py")
    command = [str(before.python), "-P", str(script), str(sessions), str(tokens)]
    subprocess.run(command, check=True, env=variables, cwd=before.source)  # noqa: S603 - our own program
    settle(url)
    return url


def create(server: EmbeddedPostgres, name: str) -> str:
    """Make a database with every migration applied, and return its address."""
    _create(server, name)
    deploy(server.url(name))
    return server.url(name)


def _create(server: EmbeddedPostgres, name: str) -> None:
    with connected(server.url()) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}"'.encode())
        connection.execute(f'CREATE DATABASE "{name}"'.encode())


def settle(url: str) -> None:
    """Clear away what the last work left behind, so that each begins alike."""
    with connected(url) as connection:
        # Not by TRUNCATE, which would take the pages that stay (migration 0005), and with them the plans of real use.
        connection.execute("DELETE FROM pgauthkit.rate_limits")
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def environment(url: str, sessions: int, **more: str) -> dict[str, str]:
    """Return the environment of a process that takes part."""
    database = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return {**os.environ, "DATABASE_URL": database, "SESSIONS": str(sessions), **more}
