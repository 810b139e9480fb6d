"""Heap-only tuples: what happens all day long writes into the row's page, and into no index.

Both twins send the same statements, so that one of them is enough here.
"""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import Engine

from pgauthkit import AuthService
from pgauthkit.testing import Clock, TestServer

if TYPE_CHECKING:
    from tests.integration.conftest import Database

ADA, HERE = "ada@example.com", "203.0.113.7"
AGENT = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0.0.0 Safari/537.36"
)
SESSIONS, ROUNDS = 40, 8

Counting = Callable[[str], tuple[int, int]]


@pytest.fixture
def database(major: int, connect: Callable[[str], "Database"]) -> Iterator["Database"]:
    """A database on a server of its own: a transaction elsewhere on it would keep dead rows from being cleared away."""
    with TestServer(backend="embedded", major=major) as server, server.database() as url:
        database = connect(url)
        database.tell("ALTER SYSTEM SET autovacuum = off")  # its ANALYZE is such a transaction, where a test takes long
        database.tell("SELECT pg_reload_conf()")
        yield database


@pytest.fixture
def updates(pgauthkit_engine: Engine, database: "Database") -> Counting:
    """Tells how many updates a table has seen, and how many of them were HOT."""

    def updates(table: str) -> tuple[int, int]:
        # An idle backend keeps its counts to itself for a while; one that ends does not.
        pgauthkit_engine.dispose()
        database.wait_until(
            "SELECT 1 WHERE NOT EXISTS (SELECT 1 FROM pg_stat_activity WHERE backend_type = 'client backend' "
            "AND datname = current_database() AND pid <> pg_backend_pid())"
        )
        counts = "SELECT n_tup_upd, n_tup_hot_upd FROM pg_stat_user_tables WHERE relname = %s"
        ((all_of_them, hot),) = database.ask(counts, table)
        return all_of_them, hot

    return updates


def index_sizes(database: "Database") -> dict[str, int]:
    """Return the bytes of each index of the sessions."""
    size = "SELECT indexrelname, pg_relation_size(indexrelid) FROM pg_stat_user_indexes WHERE relname = 'sessions'"
    return dict(database.ask(size))


@pytest.mark.pg18
def test_rotations_and_touches(
    pgauthkit_auth: AuthService, database: "Database", updates: Counting, pgauthkit_clock: Clock
) -> None:
    """A refresh, the first use of its pair, and a touch, of sessions that share pages, are HOT updates, one each.

    No index grows, and the second use of a pair writes nothing.

    The browser is known from the start, as in life: a page whose rows all learn of it later has no room for that.
    """
    auth = pgauthkit_auth
    user_id = auth.verify_magic_link(auth.request_magic_link(ADA).token.reveal()).user.user_id
    pairs = [auth.open_session(user_id, ip=HERE, user_agent=AGENT).tokens for _ in range(SESSIONS)]
    before = index_sizes(database)
    for _ in range(ROUNDS):
        pairs = [auth.refresh(pair.refresh_token.reveal(), ip=HERE, user_agent=AGENT) for pair in pairs]
        for pair in [*pairs, *pairs]:
            auth.authenticate(pair.access_token.reveal())
        pgauthkit_clock.move(timedelta(seconds=61))
        for pair in pairs:
            auth.authenticate(pair.access_token.reveal())
    written = 3 * SESSIONS * ROUNDS
    assert (written, written) == updates("sessions")
    assert before == index_sizes(database)
    assert before.keys() == {
        "pk_sessions",
        "uq_sessions_selector_hash",
        "ix_sessions_user_id",
    }


def test_the_rest(pgauthkit_auth: AuthService, updates: Counting, pgauthkit_clock: Clock) -> None:
    """The end of a session, a sign-in of a known user, and a bucket that is filled, are HOT updates as well."""
    auth = pgauthkit_auth
    for _ in range(5):
        signed_in = auth.verify_magic_link(auth.request_magic_link(ADA, ip=HERE).token.reveal())
        auth.sign_out(signed_in.tokens.access_token.reveal())
        pgauthkit_clock.move(timedelta(hours=1))
    auth.open_session(signed_in.user.user_id)
    auth.revoke_sessions(signed_in.user.user_id)
    assert updates("sessions") == (6, 6)
    assert updates("users") == (5, 5)
    assert updates("rate_limits") == (12, 12)
