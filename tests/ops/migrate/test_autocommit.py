"""Revisions outside a transaction: refused or interrupted, they are told, cleared away and finished."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit.errors import DatabaseUnavailableError, MigrationError
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.migrate.resolution import resolve_applied, resolve_rolled_back

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.ops.migrate.conftest import Project

UNIQUE = "CREATE UNIQUE INDEX CONCURRENTLY IF NOT EXISTS ix_posts_title ON public.posts (title)"
BUILDING = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query ~ '^CREATE .*INDEX CONC'"


def eventually(condition: Callable[[], object]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


@pytest.fixture
def engine(pgauthkit_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(pgauthkit_url)
    yield engine
    engine.dispose()


def is_valid(engine: sa.Engine) -> bool | None:
    with engine.connect() as connection:
        query = "SELECT indisvalid FROM pg_index WHERE indexrelid = to_regclass('public.ix_posts_title')"
        found: bool | None = connection.scalar(sa.text(query))
        return found


def host_state(url: str, project: Project, revision: str) -> str:
    found = status(url, host=project.track).host
    assert found is not None
    return next(one.state for one in found.revisions if one.id == revision)


class TestRefused:
    @pytest.fixture
    def refused(self, project: Project, engine: sa.Engine, pgauthkit_url: str) -> str:
        """The error of a unique index over rows that are not."""
        project.posts()
        deploy(pgauthkit_url, host=project.track)
        project.index(UNIQUE)
        with engine.begin() as connection:
            connection.execute(sa.text("INSERT INTO public.posts VALUES (1, 'secret'), (2, 'secret')"))
        with pytest.raises(MigrationError) as caught:
            deploy(pgauthkit_url, host=project.track)
        return str(caught.value)

    def test_blocks(self, project: Project, pgauthkit_url: str, refused: str) -> None:
        """It is told without the values, recorded as failed, and blocks the next deployment until it is resolved."""
        assert "SQLSTATE 23505" in refused
        assert "resolve --rolled-back index2" in refused
        assert "secret" not in refused
        assert host_state(pgauthkit_url, project, "index2") == "failed"
        with pytest.raises(MigrationError, match="index2 failed before"):
            deploy(pgauthkit_url, host=project.track)

    @pytest.mark.usefixtures("refused")
    def test_tried_again(self, project: Project, engine: sa.Engine, pgauthkit_url: str) -> None:
        """Resolved as rolled back, it is tried again, with the INVALID index out of the way."""
        with engine.begin() as connection:
            connection.execute(sa.text("DELETE FROM public.posts WHERE id = 2"))

        resolved = resolve_rolled_back(pgauthkit_url, "index2", host=project.track)

        assert (resolved.track, resolved.was) == ("host", "failed")
        assert deploy(pgauthkit_url, host=project.track).host == ("index2",)
        assert is_valid(engine) is True

    @pytest.mark.usefixtures("refused")
    def test_finished_by_hand(self, project: Project, pgauthkit_url: str) -> None:
        """Resolved as applied, it is in sync."""
        resolve_applied(pgauthkit_url, "index2", host=project.track)

        assert status(pgauthkit_url, host=project.track).in_sync


def test_connection_lost(project: Project, pgauthkit_url: str) -> None:
    """A connection that is lost in the middle is an interruption, not a refusal: nothing needs to be resolved."""
    path = project.write("lost", None, "SELECT pg_terminate_backend(pg_backend_pid())", autocommit=True)
    with pytest.raises(DatabaseUnavailableError):
        deploy(pgauthkit_url, host=project.track)
    assert host_state(pgauthkit_url, project, "lost") == "interrupted"

    path.write_text(path.read_text().replace("pg_terminate_backend(pg_backend_pid())", "1"))

    assert deploy(pgauthkit_url, host=project.track).host == ("lost",)


def test_in_the_way(project: Project, pgauthkit_url: str) -> None:
    """An index waits for another's transaction for as long as that takes, as it blocks nobody meanwhile."""
    project.posts()
    deploy(pgauthkit_url, host=project.track)
    project.index()
    with psycopg.connect(pgauthkit_url) as other, psycopg.connect(pgauthkit_url, autocommit=True) as observer:
        other.execute("INSERT INTO public.posts VALUES (1, 'x')")
        with ThreadPoolExecutor() as pool:
            timeout = timedelta(milliseconds=1)
            deploying = pool.submit(deploy, pgauthkit_url, host=project.track, statement_lock_timeout=timeout)
            eventually(lambda: observer.execute(BUILDING).fetchone() == (1,))
            assert not Event().wait(0.1)
            other.rollback()

            assert deploying.result(60).host == ("index2",)


def test_deadlock(project: Project, engine: sa.Engine, pgauthkit_url: str, caplog: pytest.LogCaptureFixture) -> None:
    """A revision that the server gives up for another's sake is tried again, without what it left INVALID."""
    fails_once = "SELECT CASE WHEN nextval('public.tries') = 1 THEN public.give_up() END"
    with engine.begin() as connection:
        connection.execute(sa.text("CREATE SEQUENCE public.tries"))
        connection.execute(
            sa.text(
                "CREATE FUNCTION public.give_up() RETURNS int LANGUAGE plpgsql AS"
                " $$ BEGIN RAISE 'made up' USING ERRCODE = '40P01'; END $$"
            )
        )
    project.write("once", None, fails_once, autocommit=True)

    assert deploy(pgauthkit_url, host=project.track).host == ("once",)
    assert "SQLSTATE 40P01" in caplog.text
