"""Reads on a replica that lags, in several processes, while others end sessions by whatever means."""

import json
import math
import random
import subprocess
import sys
import time
from collections.abc import Generator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psycopg
import pytest
from psycopg import sql
from tests.races.test_session_cache import BY_SQL, HOST, KILL, Seen, end, let_end, numbered, opened, wait_for

from pgauthkit import AuthConfig, AuthService
from pgauthkit.database import create_engine
from pgauthkit.database.replication import PAUSE_REPLAY
from pgauthkit.service.memory.marks import elapsed

if TYPE_CHECKING:
    from tests.integration.conftest import Database

BOUND: Final = 0.6  # seconds
SESSIONS: Final = 60


@contextmanager
def lagging(url: str, lag: float) -> Generator[None]:
    """Let a replica be so many seconds behind, or for as long as it takes where it is infinite."""
    with psycopg.connect(url, autocommit=True) as connection:
        delay = sql.Literal(f"{0 if math.isinf(lag) else lag * 1000:.0f}ms")
        connection.execute(sql.SQL("ALTER SYSTEM SET recovery_min_apply_delay = {}").format(delay))
        connection.execute("SELECT pg_reload_conf()")
        if math.isinf(lag):
            connection.execute(PAUSE_REPLAY)
        try:
            yield
        finally:
            connection.execute("ALTER SYSTEM RESET recovery_min_apply_delay")
            connection.execute("SELECT pg_reload_conf()")
            connection.execute("SELECT pg_wal_replay_resume()")


def race(database: "Database", replica: str, sessions: list[dict[str, str]], file: Path, lag: float) -> list[Seen]:
    """End sessions from here while two processes read all of them and end others; return what each has seen."""
    file.write_text(json.dumps(sessions), encoding="utf-8")
    hosts = [
        subprocess.Popen(
            [sys.executable, str(HOST), kind, database.url, str(file), str(BOUND), replica],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for kind in ("sync", "async")
    ]
    for host in hosts:
        wait_for(host)
    time.sleep(2 * BOUND)  # long enough for them to know how far the replica is
    with lagging(replica, lag):
        let_end(hosts[0])
        books = end_some(database, sessions)
        time.sleep(2 * BOUND)  # long enough for what comes late to be seen
        let_end(hosts[1])  # until now it had only read: what it ends itself it believes no replica about
        time.sleep(BOUND)
    seen = [json.loads(host.communicate("")[0], object_pairs_hook=numbered) for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0]
    return [*seen, books]


def end_some(database: "Database", sessions: list[dict[str, str]]) -> Seen:
    """End a third of the sessions by SQL."""
    doomed: dict[int, float] = {}
    ending: dict[int, Future[float]] = {}
    with ThreadPoolExecutor(4) as threads:
        for number in range(2, len(sessions), 3):
            command, hold = random.choice(BY_SQL), random.choice([0.0, random.uniform(0, BOUND)])
            doomed[number] = elapsed()
            ending[number] = threads.submit(end, database.url, sessions[number], command, hold=hold)
            time.sleep(0.05)
        database.tell(KILL)
    return {"doomed": doomed, "ended": {number: ended.result() for number, ended in ending.items()}}


@pytest.mark.parametrize("lag", [0.0, BOUND / 2, 2 * BOUND, math.inf], ids=["none", "half", "twice", "paused"])
def test_nobody_is_let_in_for_longer(
    replicated: tuple["Database", str], database: "Database", tmp_path: Path, lag: float
) -> None:
    """What is ended here is refused at once, elsewhere within the bound, and no live session is, whatever the lag."""
    replica = replicated[1]
    engine = create_engine(database.url)
    auth = AuthService(engine, AuthConfig(rate_limits=None, refresh_grace=timedelta(0)))

    def query(statement: str, **given: object) -> list[tuple[Any, ...]]:
        with psycopg.connect(database.url, autocommit=True) as connection:
            connection.execute(statement.encode(), given)
        return []

    sessions = opened(auth, query, SESSIONS)
    seen = race(database, replica, sessions, tmp_path / "sessions.json", lag)
    engine.dispose()
    ended = {number: when for one in seen for number, when in one["ended"].items()}
    doomed = {number: when for one in seen for number, when in one["doomed"].items()}
    hosts = seen[:2]
    after = [last - ended[number] for host in hosts for number, last in host["last_good"].items() if number in ended]
    here = [(host["last_good"].get(number, 0.0), when) for host in hosts for number, when in host["ended"].items()]
    assert all(last <= when for last, when in here)
    assert max(after) <= BOUND
    assert [
        number for host in hosts for number, when in host["refused"].items() if when < doomed.get(number, math.inf)
    ] == []
    assert all(host["calls"] > len(sessions) for host in hosts)
