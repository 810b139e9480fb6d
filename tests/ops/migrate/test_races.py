"""Several deployers as processes of their own, at once, or killed in the middle."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event

import psycopg
import pytest

from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.revisions.bundled import bundled_revisions

# Eight processes, forked after the imports so that they are all ready, and let go by the end of a pipe.
EIGHT = """
import os
from pgauthkit.ops.migrate import deploy
gate, holder = os.pipe()
for _ in range(8):
    if not os.fork():
        os.close(holder)
        os.read(gate, 1)
        done = deploy(os.environ["DATABASE_URL"])
        os.write(1, (" ".join(done.applied) + "\\n").encode())
        os._exit(0)
os.close(holder)
assert [0] * 8 == [os.wait()[1] for _ in range(8)]
"""
ONE = "import os; from pgauthkit.ops.migrate import deploy; deploy(os.environ['DATABASE_URL'])"
# Whoever makes the second table, the first of the first revision, falls asleep: a sequence counts without transactions.
PAUSE = """
    CREATE SEQUENCE public.tables_made;
    CREATE FUNCTION public.pause() RETURNS event_trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF nextval('public.tables_made') = 2 THEN PERFORM pg_sleep(60); END IF;
    END $$;
    CREATE EVENT TRIGGER pause ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION public.pause();
"""
DEPLOYERS = "SELECT wait_event FROM pg_stat_activity WHERE datname = current_database() AND application_name = %s"


@pytest.fixture
def observer(pgauthkit_empty_url: str) -> Iterator[psycopg.Connection]:
    with psycopg.connect(pgauthkit_empty_url, autocommit=True) as connection:
        yield connection


@pytest.fixture
def asleep(pgauthkit_empty_url: str, observer: psycopg.Connection) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a deployer that sleeps between two statements of the first revision."""
    observer.execute(PAUSE)
    environment = {**os.environ, "DATABASE_URL": pgauthkit_empty_url}
    with subprocess.Popen([sys.executable, "-c", ONE], env=environment) as deployer:
        eventually(lambda: ("PgSleep",) in observer.execute(DEPLOYERS, ["pgauthkit migrate"]).fetchall())
        yield deployer
        deployer.kill()


def eventually(condition: Callable[[], object]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


def test_at_once(pgauthkit_empty_url: str) -> None:
    """Of eight deployers that start at once on an empty database one applies everything, and all succeed."""
    environment = {**os.environ, "DATABASE_URL": pgauthkit_empty_url}
    done = subprocess.run([sys.executable, "-c", EIGHT], env=environment, capture_output=True, text=True, check=False)

    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(done.stdout.splitlines()) == [*[""] * 7, " ".join(bundled_revisions())]
    assert status(pgauthkit_empty_url).in_sync


def test_killed(pgauthkit_empty_url: str, observer: psycopg.Connection, asleep: subprocess.Popen[bytes]) -> None:
    """A deployer killed between two statements leaves nothing half done, and the next deployment finishes."""
    asleep.kill()
    asleep.wait(60)
    left = observer.execute("SELECT to_regnamespace('pgauthkit')").fetchone()

    done = deploy(pgauthkit_empty_url)

    assert left == (None,)
    assert bundled_revisions() == done.applied
    assert status(pgauthkit_empty_url).in_sync


def test_killed_and_waited_for(
    pgauthkit_empty_url: str, observer: psycopg.Connection, asleep: subprocess.Popen[bytes]
) -> None:
    """A deployer that waits for one that is killed takes over."""
    with ThreadPoolExecutor() as pool:
        waiting = pool.submit(deploy, pgauthkit_empty_url)
        eventually(lambda: len(observer.execute(DEPLOYERS, ["pgauthkit migrate"]).fetchall()) == 2)
        asleep.kill()

        assert bundled_revisions() == waiting.result(60).applied
