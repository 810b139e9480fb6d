"""`deploy`: from any state to the head, by any kind of engine, or an error that says why not."""

import json
import logging
import secrets
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from threading import Event

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from pgauthkit.errors import BackupError, ConfigError, DatabaseUnavailableError, MigrationError, MigrationLockedError
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.revisions.bundled import alembic_config, bundled_revisions
from pgauthkit.ops.server.connection import begin_migrating
from pgauthkit.ops.server.lock import migration_lock

# What a revision's statements see and do, from the inside: the embedded server makes us superuser.
ON_DDL = """
    CREATE FUNCTION public.on_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN {body} END $$;
    CREATE EVENT TRIGGER on_ddl ON ddl_command_end WHEN TAG IN ('CREATE INDEX') EXECUTE FUNCTION public.on_ddl();
"""


@pytest.fixture
def engine(pgauthkit_empty_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(pgauthkit_empty_url)
    yield engine
    engine.dispose()


@pytest.fixture
def limited_url(pgauthkit_empty_url: str) -> Iterator[str]:
    """Yield the URL of a role that owns a schema `pgauthkit`, and may not create one."""
    role = f"deployer_{secrets.token_hex(6)}"
    with psycopg.connect(pgauthkit_empty_url, autocommit=True) as admin:
        admin.execute(f"CREATE ROLE {role} LOGIN PASSWORD 'made-up'".encode())
        admin.execute(f"CREATE SCHEMA pgauthkit AUTHORIZATION {role}".encode())
        url = sa.make_url(pgauthkit_empty_url).set(username=role, password="made-up")
        yield url.render_as_string(hide_password=False)
        admin.execute(f"DROP OWNED BY {role} CASCADE".encode())
        admin.execute(f"DROP ROLE {role}".encode())


def eventually(condition: Callable[[], object]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


def tables(engine: sa.Engine) -> list[str]:
    return sorted(sa.inspect(engine).get_table_names(schema="pgauthkit"))


class TestApplying:
    def test_empty_database(self, pgauthkit_empty_url: str) -> None:
        """A deployment applies every revision to an empty database, and says so."""
        done = deploy(pgauthkit_empty_url)

        assert bundled_revisions() == done.applied
        assert bundled_revisions()[-1] == done.head
        assert timedelta() < done.duration
        assert status(pgauthkit_empty_url).in_sync

    def test_again(self, pgauthkit_empty_url: str) -> None:
        """A second deployment finds nothing to do."""
        deploy(pgauthkit_empty_url)

        assert deploy(pgauthkit_empty_url).applied == ()

    def test_tables(self, engine: sa.Engine) -> None:
        """A deployment makes our tables and the version table, in our schema."""
        deploy(engine)

        assert tables(engine) == [
            "alembic_version",
            "devices",
            "magic_links",
            "migration_ledger",
            "rate_limits",
            "sessions",
            "users",
        ]

    def test_role_that_may_not_create_schemas(self, limited_url: str) -> None:
        """A role without the right to create schemas can deploy into a schema that was made for it."""
        assert bundled_revisions() == deploy(limited_url).applied

    def test_settings_of_the_session(self, engine: sa.Engine) -> None:
        """A revision's statements run under our name, with a bounded wait for locks and no other limit."""
        names = ("application_name", "lock_timeout", "statement_timeout", "idle_in_transaction_session_timeout")
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE TABLE public.seen (name text, value text)"))
            body = "INSERT INTO public.seen SELECT name, setting FROM pg_settings;"
            connection.execute(sa.text(ON_DDL.format(body=body)))
            name = connection.scalar(sa.text("SELECT current_database()"))
            connection.execute(sa.text(f'ALTER DATABASE "{name}" SET statement_timeout = 20000'))

        deploy(engine, statement_lock_timeout=timedelta(milliseconds=1500))

        with engine.begin() as connection:
            rows = connection.execute(sa.text("SELECT DISTINCT name, value FROM public.seen"))
            seen = {row.name: row.value for row in rows}
        assert [seen[name] for name in names] == ["pgauthkit migrate", "1500", "0", "0"]


class TestBackup:
    def test_made_first(self, engine: sa.Engine, tmp_path: Path) -> None:
        """With a directory for it a backup is made before anything is applied, and none where nothing is to do."""
        first, second = (deploy(engine, backup_to=tmp_path / "backups") for _ in range(2))

        assert first.backup is not None
        assert first.backup.parent == tmp_path / "backups"
        manifest = first.backup.with_name(f"{first.backup.name}.json")
        assert json.loads(manifest.read_text())["rows"] == {}
        assert second.backup is None

    def test_none_to_be_had(self, engine: sa.Engine, tmp_path: Path) -> None:
        """Where the backup fails nothing is applied."""
        (tmp_path / "backups").touch()

        with pytest.raises(BackupError):
            deploy(engine, backup_to=tmp_path / "backups")

        assert not status(engine).in_sync


class TestTarget:
    def test_small_pool(self, pgauthkit_empty_url: str) -> None:
        """An engine whose pool has a single place is enough to deploy with."""
        engine = sa.create_engine(pgauthkit_empty_url, pool_size=1, max_overflow=0, pool_timeout=1)

        assert bundled_revisions() == deploy(engine).applied
        engine.dispose()

    def test_settings_do_not_leak(self, engine: sa.Engine) -> None:
        """The settings of a deployment are gone from the engine's connections afterwards."""
        deploy(engine)

        with engine.connect() as connection:
            assert connection.scalar(sa.text("SHOW lock_timeout")) == "0"
            assert connection.scalar(sa.text("SHOW application_name")) != "pgauthkit migrate"
            assert connection.get_isolation_level() == "READ COMMITTED"

    def test_autocommit_engine(self, pgauthkit_empty_url: str) -> None:
        """On an engine that is in AUTOCOMMIT a failed revision is undone all the same."""
        engine = sa.create_engine(pgauthkit_empty_url, isolation_level="AUTOCOMMIT")
        with engine.connect() as connection:
            connection.execute(sa.text("CREATE SCHEMA pgauthkit CREATE TABLE sessions ()"))

        with pytest.raises(MigrationError):
            deploy(engine)

        assert tables(engine) == ["sessions"]
        engine.dispose()

    def test_creator(self, pgauthkit_empty_url: str) -> None:
        """An engine that gets its connections from a function of the host's deploys through that function."""
        engine = sa.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(pgauthkit_empty_url))

        assert bundled_revisions() == deploy(engine).applied
        engine.dispose()

    def test_async_engine(self, pgauthkit_empty_url: str) -> None:
        """An async engine is deployed by its URL, without an event loop."""
        engine = create_async_engine(pgauthkit_empty_url)

        assert bundled_revisions() == deploy(engine).applied
        assert deploy(engine.sync_engine).applied == ()

    def test_environment(self, pgauthkit_empty_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """An empty URL is refused, even where the environment has one: only the command line reads that."""
        monkeypatch.setenv("DATABASE_URL", pgauthkit_empty_url)

        with pytest.raises(ConfigError, match="empty"):
            deploy("")

    def test_other_database(self) -> None:
        """A URL of another kind of database is refused."""
        with pytest.raises(ConfigError, match="postgresql://"):
            deploy("sqlite://")


class TestFailing:
    def test_revision_that_fails(self, engine: sa.Engine) -> None:
        """A revision that the server refuses is named with the SQLSTATE and the server's words, and undone."""
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE SCHEMA pgauthkit CREATE TABLE sessions ()"))

        with pytest.raises(MigrationError) as caught:
            deploy(engine)

        assert str(caught.value) == 'Revision 0001 failed: relation "sessions" already exists (SQLSTATE 42P07).'
        assert isinstance(caught.value.__cause__, DBAPIError)
        assert tables(engine) == ["sessions"]

    def test_repaired(self, engine: sa.Engine) -> None:
        """After what was in the way is gone, the next deployment succeeds."""
        with engine.begin() as connection:
            connection.execute(sa.text("CREATE SCHEMA pgauthkit CREATE TABLE sessions ()"))
        with pytest.raises(MigrationError):
            deploy(engine)
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE pgauthkit.sessions"))

        assert bundled_revisions() == deploy(engine).applied

    def test_ahead(self, engine: sa.Engine) -> None:
        """A database that a newer release has migrated is left alone, with an error that says so."""
        deploy(engine)
        with engine.begin() as connection:
            connection.execute(sa.text("UPDATE pgauthkit.alembic_version SET version_num = 'from_tomorrow'"))

        with pytest.raises(MigrationError, match=r"from_tomorrow.*a newer one has migrated it"):
            deploy(engine)

    def test_nobody_there(self) -> None:
        """A server that cannot be reached is an error with the address, and without the password."""
        with pytest.raises(DatabaseUnavailableError, match=r"127\.0\.0\.1") as caught:
            deploy("postgresql://app:hunter2@127.0.0.1:1/blog")

        assert "hunter2" not in str(caught.value)

    def test_connection_lost(self, engine: sa.Engine) -> None:
        """A connection that is lost within a revision is told as such, and leaves nothing of the revision."""
        with engine.begin() as connection:
            body = "PERFORM pg_terminate_backend(pg_backend_pid());"
            connection.execute(sa.text(ON_DDL.format(body=body)))

        with pytest.raises(DatabaseUnavailableError):
            deploy(engine)

        assert tables(engine) == []


class TestWaiting:
    def test_lock_held(self, engine: sa.Engine) -> None:
        """While another deployer holds the lock, a deployment waits as long as it was told, and then gives up."""
        with migration_lock(engine), pytest.raises(MigrationLockedError):
            deploy(engine, lock_timeout=timedelta(milliseconds=1))

    def test_nothing_to_do(self, engine: sa.Engine) -> None:
        """A deployer with nothing to do does not wait for the lock."""
        deploy(engine)

        with migration_lock(engine):
            assert deploy(engine, lock_timeout=timedelta(0)).applied == ()

    def test_other_deployer_was_faster(self, engine: sa.Engine) -> None:
        """A deployer that waited for another one finds its work done, and applies nothing."""
        with ThreadPoolExecutor() as pool:
            with migration_lock(engine) as connection:
                waiting = pool.submit(deploy, engine)
                eventually(lambda: deployers(engine) == 2)
                begin_migrating(connection, lock_timeout=timedelta(seconds=5))
                command.upgrade(alembic_config(connection), "head")

            assert waiting.result(60).applied == ()

    def test_table_locked_for_a_while(self, engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
        """A revision that waits too long for somebody's lock is tried again, and succeeds when that is gone."""
        with ThreadPoolExecutor() as pool, engine.connect() as other:
            other.execute(sa.text("CREATE SCHEMA pgauthkit"))
            # Five tries of this length: time enough to see the first fail, also on a busy machine.
            deploying = pool.submit(deploy, engine, statement_lock_timeout=timedelta(seconds=1))
            eventually(lambda: "SQLSTATE 55P03" in caplog.text)
            other.rollback()

            assert bundled_revisions() == deploying.result(60).applied

    def test_table_locked_for_good(self, engine: sa.Engine, caplog: pytest.LogCaptureFixture) -> None:
        """A revision that cannot get a lock is given up after five tries, four of them logged."""
        caplog.set_level(logging.WARNING, "pgauthkit.migrate")
        with engine.connect() as other:
            other.execute(sa.text("CREATE SCHEMA pgauthkit"))

            with pytest.raises(MigrationError, match=r"Revision 0001 failed: .*SQLSTATE 55P03"):
                deploy(engine, statement_lock_timeout=timedelta(milliseconds=10))

        assert len(caplog.records) == 4


def deployers(engine: sa.Engine) -> int:
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name"
    with engine.connect() as connection:
        return int(connection.scalars(sa.text(count), {"name": "pgauthkit migrate"}).one())
