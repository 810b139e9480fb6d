"""Noticing a pooler between us and the server, and whether it works in transaction mode."""

from typing import Final

import psycopg
from sqlalchemy import Connection, Pool, text

from pgauthkit.errors import MigrationError

__all__ = ["is_pooled", "refuse_transaction_mode"]

_TRIES: Final = 5
_BACKEND: Final = "SELECT pg_catalog.pg_backend_pid()"


def is_pooled(connection: Connection) -> bool:
    """Tell whether a pooler answers for the server: it names itself, not the server's process, as who can be cancelled.

    Example:
        >>> is_pooled(connection)  # doctest: +SKIP
        False
    """
    driver = connection.connection.driver_connection
    pid = driver.info.backend_pid if isinstance(driver, psycopg.Connection) else None
    return bool(pid != connection.execute(text(_BACKEND)).scalar_one())


def refuse_transaction_mode(connection: Connection) -> None:
    """Refuse to go on behind a pooler in transaction mode; one in session mode is as good as none.

    In session mode nobody else gets our server process while we are connected. So another client that gets it
    proves the other mode: a second connection asks for it, up to five times, as some poolers take turns.

    Raises:
        MigrationError: behind it a lock of the session is void, and its settings leak to other clients.

    Example:
        >>> refuse_transaction_mode(connection)  # doctest: +SKIP
    """
    if is_pooled(connection) and _is_shared(connection.engine.pool.recreate(), connection.scalar(text(_BACKEND))):
        raise MigrationError(
            "The URL leads to a pooler in transaction mode, where the lock that keeps two deployers apart is void."
            " Nothing was changed. Set DIRECT_URL (or --url) to the address of the PostgreSQL server itself;"
            " DATABASE_URL may stay the pooler's."
        )


def _is_shared(pool: Pool, backend: int | None) -> bool:
    other = pool.connect()
    try:
        cursor = other.cursor()
        for _ in range(_TRIES):
            cursor.execute(_BACKEND)
            found = cursor.fetchone()
            other.rollback()
            if found is not None and found[0] == backend:
                return True
        return False
    finally:
        other.invalidate()
        pool.dispose()
