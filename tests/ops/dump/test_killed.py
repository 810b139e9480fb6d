"""Backups and restores killed at a random moment: nothing half done, under a final name or in a database."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from threading import Event
from typing import TYPE_CHECKING, Final

import psycopg
import pytest
from tests.tracing import untraced

from pgauthkit.ops.backup import Backup, backup
from pgauthkit.ops.dump.inspection import open_dump, refusal
from pgauthkit.ops.dump.manifest import Manifest
from pgauthkit.ops.dump.programs import find_programs
from pgauthkit.ops.restore import restore

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.ops.conftest import Database

    from pgauthkit.testing import TestServer

ROWS: Final = 20_000
# Imports first, then a line, so that the moment of the kill falls into the work.
START: Final = """
import sys
from pgauthkit.ops.backup import backup
from pgauthkit.ops.restore import restore
from pgauthkit.ops.revisions.tracks import BUNDLED
BUNDLED.revisions()
print("ready", flush=True)
"""
BACK_UP: Final = START + "backup(sys.argv[1], directory=sys.argv[2])"
RESTORE: Final = START + "restore(sys.argv[2], sys.argv[1], clean=True, name=sys.argv[3])"
OTHERS: Final = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    " AND backend_type = 'client backend'"
)


FILL: Final = (
    "INSERT INTO pgauthkit.users (id, email)"
    " SELECT md5(n::text), n || '@example.com' FROM generate_series(1, 20000) AS n"
)


@pytest.fixture
def large(database: Database) -> Database:
    database.run(FILL)
    return database


@pytest.fixture(scope="module")
def usual(pgauthkit_server: TestServer, tmp_path_factory: pytest.TempPathFactory) -> dict[str, float]:
    """How many seconds a backup and a restore take here when nobody kills them."""
    directory = tmp_path_factory.mktemp("usual")
    with pgauthkit_server.database() as url, pgauthkit_server.database(migrated=False) as empty:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(FILL.encode())
        backing_up = kill_at(600, BACK_UP, url, directory, whole_group=False)
        (file,) = directory.glob("*.dump")
        name = str(psycopg.conninfo.conninfo_to_dict(empty)["dbname"])
        restoring = kill_at(600, RESTORE, empty, file, name, whole_group=False)
    return {"backup": backing_up, "restore": restoring}


def kill_at(moment: float, program: str, *arguments: str | Path, whole_group: bool) -> float:
    """Start a program, kill it after so many seconds of work, alone or with its children; return how long it worked."""
    command = [sys.executable, "-c", program, *map(str, arguments)]
    # What is killed has no coverage to tell.
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, env=untraced()) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        started = time.monotonic()
        try:
            process.wait(moment)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL) if whole_group else process.kill()
        process.wait()
        return time.monotonic() - started


def eventually(condition: Callable[[], object]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


@pytest.mark.torture(3, 50)
def test_backup(large: Database, usual: dict[str, float], tmp_path: Path, torture_round: int) -> None:
    """What has the name of a dump is whole, and the next backup succeeds and clears away the rest."""
    moment = random.uniform(0, usual["backup"])

    kill_at(moment, BACK_UP, large.url, tmp_path, whole_group=torture_round % 2 == 1)

    eventually(lambda: large.ask(OTHERS) == [(0,)])
    before = set(tmp_path.glob("[!.]*.dump"))
    done = backup(large.url, directory=tmp_path)
    assert done.manifest.rows["pgauthkit.users"] == ROWS
    assert set(tmp_path.glob("*.dump")) == before | {done.file}
    for file in (*before, done.file):
        with open_dump(file) as dump:
            assert dump.manifest is not None
            assert refusal(find_programs()[-1], dump.file) is None
    assert list(tmp_path.glob(".*")) == []


@pytest.fixture
def saved(large: Database, tmp_path: Path) -> Backup:
    return backup(large.url, directory=tmp_path)


@pytest.mark.torture(3, 50)
@pytest.mark.parametrize("is_empty", [True, False], ids=["empty", "clean"])
def test_restore(  # noqa: PLR0917 - fixtures
    is_empty: bool,  # noqa: FBT001 - a parameter
    saved: Backup,
    usual: dict[str, float],
    large: Database,
    empty: Database,
    torture_round: int,
) -> None:
    """The database is as it was, or has all of it; and the next restore succeeds."""
    if not is_empty:
        empty.run("CREATE TABLE public.before AS SELECT 1 AS one")
    before, after = empty.checksums(), large.checksums()
    moment = random.uniform(0, usual["restore"])

    kill_at(moment, RESTORE, empty.url, saved.file, empty.name, whole_group=torture_round % 2 == 1)

    eventually(lambda: empty.ask(OTHERS) == [(0,)])
    assert empty.checksums() in (before, after)
    assert restore(saved.file, empty.url, clean=True, name=empty.name).discrepancies == ()
    assert empty.checksums() == after
    assert Manifest.read(saved.file) == saved.manifest
