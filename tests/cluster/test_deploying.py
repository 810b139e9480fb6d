"""Migrations that are deployed while another node becomes the primary."""

import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import LiteralString

import psycopg
import pytest
from psycopg import sql
from tests.cluster.cluster import Cluster
from tests.cluster.programs import PATIENCE, wait_until

from pgauthkit.errors import DatabaseUnavailableError, MigrationError
from pgauthkit.ops.migrate import deploy, host_track, scaffold, status
from pgauthkit.ops.revisions.tracks import Track

MODELS = """
from sqlalchemy.orm import DeclarativeBase

class Base(DeclarativeBase):
    pass
"""
# Each of them counts itself, so that one that was applied twice is found out.
REVISION = '''
"""Step {number}."""
from alembic import op
revision = "step{number}"
down_revision = {parent!r}

def upgrade() -> None:
    op.execute("CREATE TABLE IF NOT EXISTS public.steps (number int); INSERT INTO public.steps VALUES ({number})")
    op.execute("SELECT pg_sleep(0.4)")

def downgrade() -> None:
    op.execute("DELETE FROM public.steps WHERE number = {number}")
'''
INDEX = '''
"""Step {number}: an index, which takes no transaction."""
from alembic import op
revision = "step{number}"
down_revision = {parent!r}

def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("CREATE INDEX CONCURRENTLY IF NOT EXISTS ix_steps_{number} ON public.steps (number)")

def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.execute("DROP INDEX CONCURRENTLY public.ix_steps_{number}")
'''
STEPS = 18
INDEXES = [number for number in range(STEPS) if number % 3 == 2]
DONE: LiteralString = "SELECT number FROM public.steps ORDER BY number"
VALID: LiteralString = (
    "SELECT count(*) FROM pg_index WHERE indexrelid::regclass::text LIKE '%ix_steps_%' AND indisvalid"
)


@pytest.fixture
def track(tmp_path: Path) -> Iterator[Track]:
    """An application whose migrations take some seconds."""
    path = sys.path[:]
    (tmp_path / "steps_models.py").write_text(MODELS)
    sys.path.insert(0, str(tmp_path))
    scaffold(tmp_path, models="steps_models:Base")
    for number in range(STEPS):
        template = INDEX if number in INDEXES else REVISION
        text = template.format(number=number, parent=f"step{number - 1}" if number else None)
        (tmp_path / "migrations" / "versions" / f"step{number}.py").write_text(text.lstrip())
    found = host_track(tmp_path, "migrations")
    assert found is not None
    yield found
    sys.path[:] = path
    sys.modules.pop("steps_models")


def ask(cluster: Cluster, database: str, question: LiteralString) -> list[int]:
    """Return the numbers that a query finds, through HAProxy; none while there is nobody to ask."""
    try:
        with cluster.connection(database) as connection:
            return [row[0] for row in connection.execute(question)]
    except (psycopg.OperationalError, psycopg.errors.UndefinedTable):
        return []


def deploy_until_it_is_done(url: str, track: Track) -> list[str]:
    """Deploy, again after each error of an outage; return the errors."""
    errors: list[str] = []
    end = time.monotonic() + 2 * PATIENCE
    while True:
        try:
            deploy(url, host=track)
        except (DatabaseUnavailableError, MigrationError) as error:
            if time.monotonic() > end:
                raise
            errors.append(str(error))
            time.sleep(0.2)
        else:
            return errors


@pytest.mark.parametrize("route", ["several hosts", "HAProxy"])
def test_migrations_go_on_at_the_new_primary(cluster: Cluster, track: Track, route: str) -> None:
    """A deployment that a switchover interrupts says so, and the next one goes on where it was: each step is once."""
    cluster.settle()
    database = f"steps_{len(route)}"
    with cluster.connection("postgres") as connection:
        connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))
    url = cluster.routes(database)[route]
    with ThreadPoolExecutor(1) as pool:
        deployed = pool.submit(deploy_until_it_is_done, url, track)
        wait_until(lambda: len(ask(cluster, database, DONE)) >= 3, "some steps are done")
        old = cluster.leader()
        old.ask("/switchover", leader=old.name)
        errors = deployed.result(3 * PATIENCE)
    assert errors, "the deployment was over before the switchover"
    assert ask(cluster, database, DONE) == [number for number in range(STEPS) if number not in INDEXES]
    assert ask(cluster, database, VALID) == [len(INDEXES)]
    assert status(url, host=track).in_sync
