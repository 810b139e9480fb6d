"""Rows of the peers that are written in Python: a sample of what is there, and new tokens."""

import itertools
import os
import secrets
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from benchmarks.block import Order

__all__ = ["BULK", "DATABASE_URL", "ask", "endless", "fresh", "in_days", "row_id", "sample", "token"]

DATABASE_URL = os.environ["DATABASE_URL"]
BULK = 20_000
USERS = int(os.environ["SESSIONS"]) // 2


def token() -> str:
    """Return a new token."""
    return secrets.token_urlsafe(32)


def row_id() -> str:
    """Return a new id."""
    return "c" + secrets.token_hex(12)


def in_days(days: float) -> datetime:
    """Return a moment in UTC without saying so, as the shared tables keep it."""
    return (datetime.now(UTC) + timedelta(days=days)).replace(tzinfo=None)


def ask(sql: str, *parameters: object) -> list[Any]:
    """Ask something that is not measured, and return the first column."""
    with psycopg.connect(DATABASE_URL, autocommit=True) as connection:
        cursor = connection.execute(sql.encode(), parameters or None)
        return [row[0] for row in cursor] if cursor.description else []


def sample(table: str, column: str, *, key: str = "id", own: Order | None = None) -> list[Any]:
    """Return some values of a column; with `own`, of rows that no other process of the heat gets, by their key."""
    where = f"WHERE abs(hashtext({key}) % 16) = {own.slot % 16}" if own else ""
    return ask(f"SELECT {column} FROM {table} {where} ORDER BY random() LIMIT {500 if own else 20_000}")  # noqa: S608


def endless(keys: Iterable[Any]) -> Callable[[float], Iterable[Any]]:
    """Return an endless supply of these."""
    supply = itertools.cycle(list(keys))
    return lambda _seconds: supply


def fresh(seconds: float) -> list[Any]:
    """Write links of the shared tables, more than can be used in the time, and return their tokens."""
    return ask(
        """INSERT INTO "MagicLink" ("id", "token", "email", "expiresAt")
           SELECT 'l' || gen_random_uuid(), encode(sha256(gen_random_uuid()::text::bytea), 'hex'),
                  'user' || floor(random() * %s)::int || '@example.com', now() AT TIME ZONE 'utc' + interval '1 hour'
           FROM generate_series(1, %s) RETURNING "token" """,
        *(USERS, int(5000 * seconds) + 100),
    )
