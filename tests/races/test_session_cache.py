"""Sessions that are kept in the memory of several processes, while others end them by whatever means."""

import json
import math
import random
import subprocess
import sys
import time
from concurrent.futures import Future, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, LiteralString

import psycopg
from sqlalchemy import Engine

from pgauthkit import AuthConfig, AuthService
from pgauthkit.service.memory.marks import elapsed

if TYPE_CHECKING:
    from tests.races.conftest import Query

STALENESS: Final = 0.3  # seconds
SESSIONS: Final = 150
HOST: Final = Path(__file__).with_name("reading_host.py")
KILL: Final = (
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() "
    "AND application_name = 'pgauthkit' AND state = 'idle' ORDER BY random() LIMIT 2"
)
# How a session is ended by a host's own SQL.
BY_SQL: Final[list[LiteralString]] = [
    "UPDATE pgauthkit.users SET is_active = false WHERE id = %(user)s",
    "UPDATE pgauthkit.sessions SET revoked_at = now() WHERE id = %(session)s",
    "UPDATE pgauthkit.sessions SET expires_at = now() WHERE id = %(session)s",
    "UPDATE pgauthkit.sessions SET access_expires_at = now() WHERE id = %(session)s",
    "DELETE FROM pgauthkit.sessions WHERE id = %(session)s",
    "DELETE FROM pgauthkit.users WHERE id = %(user)s",
]

Seen = dict[str, Any]


def opened(auth: AuthService, query: "Query", count: int) -> list[dict[str, str]]:
    """Sign so many users in, once each."""
    query(
        "INSERT INTO pgauthkit.users (id, email, role, is_active, created_at, updated_at) "
        "SELECT 'u' || n, 'user' || n || '@example.com', 'USER', true, now(), now() "
        "FROM generate_series(1, %(count)s) AS n",
        count=count,
    )
    sessions = []
    for number in range(1, count + 1):
        tokens = auth.open_session(f"u{number}").tokens
        access, refresh = tokens.access_token.reveal(), tokens.refresh_token.reveal()
        sessions.append({"user": f"u{number}", "session": tokens.session_id, "access": access, "refresh": refresh})
    return sessions


def end(url: str, session: dict[str, str], command: LiteralString, *, hold: float) -> float:
    """End a session by SQL, in a transaction that commits some time later; return when it had."""
    with psycopg.connect(url) as connection:
        connection.execute(command, session)
        time.sleep(hold)
    return elapsed()


def started(kind: str, url: str, file: Path) -> "subprocess.Popen[str]":
    command = [sys.executable, str(HOST), kind, url, str(file), str(STALENESS)]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def wait_for(host: "subprocess.Popen[str]") -> None:
    """Wait until a host reads."""
    assert host.stdout
    assert host.stdout.readline() == "reading\n"


def let_end(host: "subprocess.Popen[str]") -> None:
    """Let a host that reads end its sessions."""
    assert host.stdin
    host.stdin.write("\n")
    host.stdin.flush()


def race(url: str, sessions: list[dict[str, str]], file: Path, query: "Query") -> list[Seen]:
    """End a third of the sessions from here while two processes read all of them; return what each has seen."""
    file.write_text(json.dumps(sessions), encoding="utf-8")
    hosts = [started(kind, url, file) for kind in ("sync", "async")]
    for host in hosts:
        wait_for(host)
        let_end(host)
    doomed: dict[int, float] = {}
    ending: dict[int, Future[float]] = {}
    with ThreadPoolExecutor(4) as threads:
        for number in range(2, len(sessions), 3):
            command, hold = random.choice(BY_SQL), random.choice([0.0, random.uniform(0, 2 * STALENESS)])
            doomed[number] = elapsed()
            ending[number] = threads.submit(end, url, sessions[number], command, hold=hold)
            time.sleep(0.04)
            if number % 10 == 0:
                query(KILL)
    time.sleep(2 * STALENESS)  # long enough for what comes late to be seen
    seen = [json.loads(host.communicate("")[0], object_pairs_hook=numbered) for host in hosts]
    assert [host.returncode for host in hosts] == [0, 0]
    return [*seen, {"doomed": doomed, "ended": {number: ended.result() for number, ended in ending.items()}}]


def numbered(pairs: list[tuple[str, Any]]) -> dict[Any, Any]:
    return {int(name) if name.isdigit() else name: value for name, value in pairs}


def test_no_answer_is_older_than_it_may_be(
    pgauthkit_engine: Engine, pgauthkit_url: str, query: "Query", tmp_path: Path, rounds: int
) -> None:
    """What is ended here is refused at once, and elsewhere within the staleness, by whatever means and however late."""
    auth = AuthService(pgauthkit_engine, AuthConfig(rate_limits=None, refresh_grace=timedelta(0)))
    sessions = opened(auth, query, SESSIONS * rounds // 50)
    seen = race(pgauthkit_url, sessions, tmp_path / "sessions.json", query)
    ended = {number: when for one in seen for number, when in one["ended"].items()}
    doomed = {number: when for one in seen for number, when in one["doomed"].items()}
    assert len(ended) > 0.9 * len(sessions)
    hosts = seen[:2]
    after = [last - ended[number] for host in hosts for number, last in host["last_good"].items() if number in ended]
    here = [(host["last_good"].get(number, 0.0), when) for host in hosts for number, when in host["ended"].items()]
    assert all(last <= when for last, when in here)
    assert max(after) <= STALENESS
    assert [
        number for host in hosts for number, when in host["refused"].items() if when < doomed.get(number, math.inf)
    ] == []
    assert all(host["calls"] > len(sessions) for host in hosts)
