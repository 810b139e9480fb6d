"""Deployers as processes of their own, with revisions outside a transaction: killed at any moment, or many at once."""

from __future__ import annotations

import secrets
import subprocess
import sys
import textwrap
from contextlib import contextmanager
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest
from tests.tracing import untraced

from pgauthkit.ops.migrate import deploy, rollback, status
from pgauthkit.ops.server.connection import engine_for
from pgauthkit.ops.server.lock import migration_lock

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ops.migrate.conftest import Project

# Says when it has imported everything, and waits until it is told to start.
DEPLOYER = """
    import sys
    from pathlib import Path
    sys.path.insert(0, sys.argv[1])
    from pgauthkit.ops.migrate import deploy, rollback
    from pgauthkit.ops.revisions.tracks import host_track
    track = host_track(Path(sys.argv[1]), "migrations")
    print("ready", flush=True)
    sys.stdin.readline()
    deploy(sys.argv[2], host=track)
"""
MANY = """
    import os
    gate, holder = os.pipe()
    for _ in range(int(sys.argv[3])):
        if not os.fork():
            os.close(holder)
            os.read(gate, 1)
            deploy(sys.argv[2], host=track)
            os._exit(0)
    os.close(holder)
    assert {0} == {os.wait()[1] for _ in range(int(sys.argv[3]))}
"""
WAITING = (
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND application_name = 'pgauthkit migrate' AND wait_event_type = 'Lock'"
)
DEPLOYING = WAITING.replace(" AND wait_event_type = 'Lock'", " AND pid <> pg_backend_pid()")
ADD = "ALTER TABLE public.posts ADD COLUMN note{} text"
POLLING = f"{DEPLOYING} AND query ~ 'pg_try_advisory_lock'"

# What somebody does, without committing, that a deployer runs into; how many revisions of the application are there
# before; and the states of all afterwards.
MOMENTS = {
    "in our first statement": ("CREATE SCHEMA pgauthkit", None, ["pending", "pending", "pending"]),
    "in a transaction": ("CREATE TABLE public.posts ()", 0, ["applied", "pending", "pending"]),
    "before the index": ("LOCK TABLE public.posts", 1, ["applied", "applied", "interrupted"]),
    "in the middle of the index": (
        "INSERT INTO public.posts VALUES (1, 'x')",
        1,
        ["applied", "applied", "interrupted"],
    ),
    "after the index": (
        "LOCK TABLE public.alembic_version IN EXCLUSIVE MODE",
        1,
        ["applied", "applied", "interrupted"],
    ),
}


def eventually(condition: Callable[[], object]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


@contextmanager
def deployer(project: Project, url: str, *, job: str = "deploy") -> Iterator[subprocess.Popen[str]]:
    """A deployer that has just been told to start."""
    script = textwrap.dedent(DEPLOYER).replace("deploy(sys", f"{job}(sys")
    command = [sys.executable, "-c", script, str(project.path), url]
    # What is killed has no coverage to tell.
    environment = untraced()
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.stdin.write("\n")
        process.stdin.flush()
        yield process
        process.kill()


def states(url: str, project: Project) -> list[str]:
    """Return the states of the application's revisions, behind those of ours, which mostly are one."""
    ours, theirs = (
        [revision.state for revision in track.revisions] for track in status(url, host=project.track).tracks
    )
    return [*dict.fromkeys(ours), *theirs]


def asked(url: str, query: str) -> object:
    with psycopg.connect(url, autocommit=True) as connection:
        row = connection.execute(query.encode()).fetchone()
        assert row is not None
        return row[0]


def assert_finished(url: str, project: Project) -> None:
    """The next deployment finishes, and what it leaves is whole."""
    deploy(url, host=project.track)

    assert status(url, host=project.track).in_sync
    assert asked(url, "SELECT bool_and(indisvalid) FROM pg_index") is True
    assert asked(url, "SELECT count(*) FROM pg_class WHERE relname = 'ix_posts_title'") == 1


@pytest.mark.torture(1, 4)
@pytest.mark.parametrize("moment", MOMENTS)
def test_at_a_chosen_moment(project: Project, pgauthkit_empty_url: str, moment: str, torture_round: int) -> None:
    """A deployer killed at each step leaves a state that is told, and that the next deployment finishes."""
    statement, before, expected = MOMENTS[moment]
    revisions = [project.posts, project.index]
    for write in revisions[: before or 0]:
        write()
    if before is not None:
        deploy(pgauthkit_empty_url, host=project.track)
    for write in revisions[before or 0 :]:
        write()

    with psycopg.connect(pgauthkit_empty_url) as other:
        other.execute(statement.encode())
        with deployer(project, pgauthkit_empty_url):
            eventually(lambda: asked(pgauthkit_empty_url, WAITING) == 1)
            Event().wait(torture_round * 0.05)
        eventually(lambda: asked(pgauthkit_empty_url, DEPLOYING) == 0)
        other.rollback()

    assert states(pgauthkit_empty_url, project) == expected
    assert_finished(pgauthkit_empty_url, project)


def test_while_waiting_for_another(project: Project, pgauthkit_empty_url: str) -> None:
    """A deployer killed while it waits for another leaves no trace."""
    project.posts()
    project.index()

    with migration_lock(engine_for(pgauthkit_empty_url)), deployer(project, pgauthkit_empty_url):
        eventually(lambda: asked(pgauthkit_empty_url, POLLING) == 2)

    assert states(pgauthkit_empty_url, project) == ["pending", "pending", "pending"]
    assert_finished(pgauthkit_empty_url, project)


def test_in_a_rollback(project: Project, pgauthkit_empty_url: str) -> None:
    """A rollback killed in the middle of dropping an index, which is INVALID by then, is finished when run again."""
    project.posts()
    project.index()
    deploy(pgauthkit_empty_url, host=project.track)

    with psycopg.connect(pgauthkit_empty_url) as other:
        other.execute("INSERT INTO public.posts VALUES (1, 'x')")
        with deployer(project, pgauthkit_empty_url, job="rollback"):
            eventually(lambda: asked(pgauthkit_empty_url, WAITING) == 1)
        eventually(lambda: asked(pgauthkit_empty_url, DEPLOYING) == 0)
        other.rollback()
    rollback(pgauthkit_empty_url, host=project.track)

    assert states(pgauthkit_empty_url, project) == ["applied", "applied", "pending"]
    assert_finished(pgauthkit_empty_url, project)


@pytest.mark.torture(3, 50)
def test_at_a_random_moment(project: Project, pgauthkit_empty_url: str, torture_round: int) -> None:
    """A deployer killed at any moment leaves a state that is told, and that the next deployment finishes."""
    project.posts()
    project.index()
    for number in range(3, 7):
        project.write(f"note{number}", f"{'note' if number > 3 else 'index'}{number - 1}", ADD.format(number))
    # A part of the time that a deployment takes, spread over it by chance, which pytest-randomly must not fix.
    moment = secrets.SystemRandom().uniform(0, 0.6)

    with deployer(project, pgauthkit_empty_url):
        Event().wait(moment)

    assert set(states(pgauthkit_empty_url, project)) <= {"applied", "pending", "interrupted"}, torture_round
    assert_finished(pgauthkit_empty_url, project)


@pytest.mark.torture(1, 10)
@pytest.mark.parametrize("count", [2, 5, 8])
def test_at_once(project: Project, pgauthkit_empty_url: str, count: int, torture_round: int) -> None:
    """Two to eight deployers that start at once on revisions that build an index all succeed, and none hangs."""
    project.posts()
    project.index()
    script = textwrap.dedent(DEPLOYER).partition('print("ready"')[0] + textwrap.dedent(MANY)

    command = [sys.executable, "-c", script, str(project.path), pgauthkit_empty_url, str(count)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=untraced())

    assert (done.returncode, done.stderr) == (0, ""), torture_round
    assert status(pgauthkit_empty_url, host=project.track).in_sync
    assert_finished(pgauthkit_empty_url, project)
