"""A replica that is promoted, and a process that is forked."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.integration.conftest import PATIENCE
from tests.integration.test_session_cache import access, refused

from pgauthkit import AuthService, ReplicaReads
from pgauthkit.database import create_engine
from pgauthkit.database.embedded import EmbeddedPostgres
from pgauthkit.database.replication import catch_up
from pgauthkit.ops.migrate import deploy

if TYPE_CHECKING:
    from tests.integration.conftest import Database

# A child knows nothing of what its parent knew, also where a thread of its parent was about to note something.
FORKED = """
import os, signal, sys
from datetime import timedelta
from pgauthkit import AuthService, ReplicaReads
from pgauthkit.database import create_engine
from pgauthkit.database.replication import PAUSE_REPLAY
from pgauthkit.values import UserRole

engine, replica, token = create_engine(sys.argv[1]), create_engine(sys.argv[2]), sys.argv[3]
auth = AuthService(engine, replica=ReplicaReads(replica, timedelta(seconds=50)))
known = auth._replica
while not known._positions.seen(0.0):
    known._look_at_primary._try()
    known._look_at_replica._try()
with replica.execution_options(isolation_level="AUTOCOMMIT").connect() as connection:
    connection.exec_driver_sql(PAUSE_REPLAY)
with engine.begin() as connection:
    connection.exec_driver_sql("UPDATE pgauthkit.users SET role = 'ADMIN'")
assert auth.authenticate(token).role is UserRole.USER
known._positions._lock.acquire()
known._uses._lock.acquire()
known._look_at_primary._lock.acquire()
if (child := os.fork()) == 0:
    signal.alarm(60)  # one that has its parent's lock waits for ever
    assert known._positions.seen(0.0) == {}
    known._look_at_primary.ask(float("inf"))
    known._look_at_primary._try()
    known._send_uses._try()
    assert known._positions.latest
    sys.exit(auth.authenticate(token).role is not UserRole.ADMIN)
assert os.waitpid(child, 0) == (child, 0), "the child believed what its parent knew"
known._look_at_primary._lock.release()
known._positions._lock.release()
assert auth.authenticate(token).role is UserRole.USER
"""


@pytest.fixture
def own() -> Iterator[EmbeddedPostgres]:
    """A primary and a replica for one test."""
    with EmbeddedPostgres(replica=True) as server:
        deploy(server.url())
        catch_up(server.url(), server.replica.url(), timeout=PATIENCE)
        yield server


def test_promoted(own: EmbeddedPostgres) -> None:
    """A replica that was promoted, and goes on by itself, lets nobody in whom the primary refuses."""
    engine, replica = create_engine(own.url()), create_engine(own.replica.url())
    auth, plain = AuthService(engine, replica=ReplicaReads(replica)), AuthService(engine)
    signed_in = auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal())
    known = auth._replica
    assert known
    while not known._positions.seen(0.0):
        known._look_at_primary._try()
        known._look_at_replica._try()
    with closing(psycopg.connect(own.replica.url(), autocommit=True)) as connection:
        connection.execute("SELECT pg_promote()")
        connection.execute("UPDATE pgauthkit.users SET role = 'ADMIN'")
        assert not refused(auth, access(signed_in))
        assert known._positions.seen(0.0) == {}
        for table in ("users", "sessions"):  # so that the one that was promoted is further than the other
            connection.execute(f"CREATE TABLE more_{table} AS TABLE pgauthkit.{table}".encode())
        known._look_at_primary._try()
        known._look_at_replica._try()
        assert auth.authenticate(access(signed_in)).role == plain.authenticate(access(signed_in)).role == "USER"
    engine.dispose()
    replica.dispose()


def test_a_fork_knows_nothing(replicated: "tuple[Database, str]", database: "Database") -> None:
    """A process that is forked is not told what its parent ends, and so finds out by itself what a replica has seen."""
    url, replica_url = database.url, replicated[1]
    engine = create_engine(url)
    auth = AuthService(engine)
    token = access(auth.verify_magic_link(auth.request_magic_link("ada@example.com").token.reveal()))
    engine.dispose()
    command = [sys.executable, "-W", "ignore::DeprecationWarning", "-c", FORKED, url, replica_url, token]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    with psycopg.connect(replica_url, autocommit=True) as connection:
        connection.execute("SELECT pg_wal_replay_resume()")
    assert (done.returncode, done.stderr) == (0, "")
