"""A backup, the loss of everything, and the restore, with a million rows: `python -m benchmarks.backup`."""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Final

import psycopg

from pgauthkit import AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.ops.backup import backup
from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.restore import restore

__all__ = ["main"]

SETTINGS: Final = {"shared_buffers": "256MB", "max_wal_size": "4GB"}
# Half of the rows users, half of them sessions, with hashes as random as real ones.
USERS: Final = """
    INSERT INTO pgauthkit.users (id, email)
    SELECT 'c' || left(md5(n::text), 24), 'user' || n || '@example.com' FROM generate_series(1, %s) AS n"""
SESSIONS: Final = """
    INSERT INTO pgauthkit.sessions (id, selector_hash, access_token_hash, refresh_token_hash, authenticated_at,
        last_used_at, access_expires_at, idle_expires_at, expires_at, user_id)
    SELECT id, sha256(id::bytea), sha256(email::bytea), sha256(reverse(id)::bytea), now(), now(),
        now() + interval '1 hour', now() + interval '14 days', now() + interval '30 days', id FROM pgauthkit.users"""
TABLES: Final = (
    "SELECT quote_ident(relname) FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pgauthkit'::regnamespace"
)
# The same for the same rows, in whatever order they are found.
CHECKSUM: Final = "SELECT count(*), sum(hashtextextended(one::text, 0)::numeric) FROM pgauthkit.{} AS one"


def main() -> None:
    """Measure on PostgreSQL 16 and 18, and print a line for each."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.backup", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    rows = parser.parse_args().rows
    sys.stdout.write(f"{'server':<8}{'rows':>12}{'dump':>10}{'backup':>10}{'restore':>10}   same rows, sign-in\n")
    for major in (16, 18):
        with EmbeddedPostgres(major=major, durable=True, settings=SETTINGS) as server:
            sys.stdout.write(f"{major:<8}{measured(server.url(), rows)}\n")
            sys.stdout.flush()


def measured(url: str, rows: int) -> str:
    """Fill a database, back it up, drop everything, restore it, and compare every table and a sign-in."""
    deploy(url)
    fill(url, rows // 2)
    engine = create_engine(url)
    auth = AuthService(engine)
    token = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal()).tokens.access_token
    engine.dispose()
    before = checksums(url)
    with tempfile.TemporaryDirectory(prefix="pgak-bench-") as directory:
        started = time.perf_counter()
        done = backup(url, directory=Path(directory))
        backed_up = time.perf_counter() - started
        run(url, "DROP SCHEMA pgauthkit CASCADE")
        started = time.perf_counter()
        restored = restore(done.file, url)
        restoring = time.perf_counter() - started
    same = checksums(url) == before and not restored.discrepancies
    engine = create_engine(url)
    works = AuthService(engine).authenticate(token.reveal()).email == "ada@example.com"
    engine.dispose()
    size, total = f"{done.manifest.size / 1e6:.0f} MB", sum(done.manifest.rows.values())
    return f"{total:>12,}{size:>10}{backed_up:>8.1f} s{restoring:>8.1f} s   {same}, {works}"


def fill(url: str, users: int) -> None:
    """Write users, and a session for each."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(USERS, [users])
        connection.execute(SESSIONS)
        connection.execute("VACUUM ANALYZE")


def checksums(url: str) -> dict[str, tuple[object, ...] | None]:
    """Return how many rows each of our tables has, and their checksum."""
    with psycopg.connect(url) as connection:
        tables = [table for (table,) in connection.execute(TABLES)]
        return {table: connection.execute(CHECKSUM.format(table).encode()).fetchone() for table in tables}


def run(url: str, statement: str) -> None:
    """Run a statement."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statement.encode())


if __name__ == "__main__":
    main()
