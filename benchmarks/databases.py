"""The server of a run, and its databases: one for each number of sessions."""

import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import psycopg
from sqlalchemy import make_url

from benchmarks.rows import copy_links, copy_sessions, copy_users, users_of
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.migrate import deploy

__all__ = ["build", "connected", "create", "environment", "name_of", "running", "settle"]

# Durable as PostgreSQL is by default; room for all who take part at once, and no checkpoint in a block.
_SETTINGS: Final = {
    "max_connections": "300",
    "shared_buffers": "512MB",
    "max_wal_size": "8GB",
    "checkpoint_timeout": "30min",
}


@contextmanager
def running(directory: Path, transport: str) -> Generator[EmbeddedPostgres]:
    """Run the server on the data in a directory, over `tcp` or the Unix `socket`; without an installation."""
    with EmbeddedPostgres(directory=directory, tcp=transport == "tcp", settings=_SETTINGS, durable=True) as server:
        yield server


def name_of(sessions: int) -> str:
    """Return the name of the database with so many sessions."""
    return f"sessions_{sessions}"


@contextmanager
def connected(url: str) -> Generator[psycopg.Connection[Any]]:
    """Give a connection in autocommit."""
    with psycopg.connect(url, autocommit=True) as connection:
        yield connection


def build(server: EmbeddedPostgres, sessions: int) -> str:
    """Make a database with so many sessions by COPY, and return its address."""
    create(server, name_of(sessions))
    url = server.url(name_of(sessions))
    with connected(url) as connection:
        copy_users(connection, users_of(sessions))
        copy_sessions(connection, range(sessions), users_of(sessions))
        copy_links(connection, range(users_of(sessions)), users_of(sessions))
    settle(url)
    return url


def create(server: EmbeddedPostgres, name: str) -> None:
    """Make a database with every migration applied."""
    with connected(server.url()) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    deploy(server.url(name))


def settle(url: str) -> None:
    """Clear away what the last work left behind, so that each begins alike."""
    with connected(url) as connection:
        connection.execute("TRUNCATE pgauthkit.rate_limits")
        connection.execute("VACUUM (ANALYZE)")
        connection.execute("CHECKPOINT")


def environment(url: str, sessions: int, **more: str) -> dict[str, str]:
    """Return the environment of a process that takes part."""
    database = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return {**os.environ, "DATABASE_URL": database, "SESSIONS": str(sessions), **more}
