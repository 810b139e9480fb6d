"""Filling a database with the rows of a benchmark, by the build that this runs on: `filling.py SESSIONS TOKENS`.

A commit of before fills its own, with its own `benchmarks.rows`: its tables and its tokens may be others.
"""

import os
import random
import sys
from pathlib import Path
from typing import Final

import psycopg

from benchmarks.rows import copy_links, copy_sessions, copy_users, pair_of, users_of
from pgauthkit.ops.migrate import deploy
from pgauthkit.tokens import Kind

__all__ = ["fill"]

SAMPLE: Final = 20_000


def fill(url: str, sessions: int, tokens: Path | None = None) -> None:
    """Apply every migration to an empty database and write so many sessions, and half as many users.

    Args:
        url: of the database.
        sessions: how many.
        tokens: the file for access tokens of some of them, one a line; the database then gets links as well.
    """
    deploy(url)
    users = users_of(sessions)
    with psycopg.connect(url, autocommit=True) as connection:
        copy_users(connection, users)
        copy_sessions(connection, range(sessions), users)
        if tokens:
            copy_links(connection, range(users), users)
    if tokens:
        some = random.Random(sessions).sample(range(sessions), min(SAMPLE, sessions))  # noqa: S311 - a sample
        tokens.write_text("\n".join(pair_of(n).access.text(Kind.ACCESS).reveal() for n in some), encoding="utf-8")


if __name__ == "__main__":
    fill(os.environ["DATABASE_URL"], int(sys.argv[1]), Path(sys.argv[2]))
