"""`migration_lock`: one at a time in a database, a bounded wait, and a message that names the holder."""

import re
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from threading import Event

import pytest
import sqlalchemy as sa

from pgauthkit.errors import MigrationLockedError
from pgauthkit.ops.server.connection import begin_migrating
from pgauthkit.ops.server.lock import _locked, lock_holder, migration_lock
from pgauthkit.testing import TestServer

AT_ONCE = timedelta(0)
BACKEND = sa.text("SELECT pg_backend_pid()")


@pytest.fixture
def engine(pgauthkit_empty_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(pgauthkit_empty_url)
    yield engine
    engine.dispose()


def eventually(condition: Callable[[], object]) -> None:
    """Ask every 10 ms, for a minute and more."""
    clock = Event()
    assert any(clock.wait(0.01) or condition() for _ in range(6000))


def take(engine: sa.Engine, timeout: timedelta = timedelta(seconds=60)) -> None:
    with migration_lock(engine, timeout=timeout):
        pass


def is_locked(engine: sa.Engine) -> bool:
    with engine.connect() as connection:
        return lock_holder(connection) is not None


class TestHolding:
    def test_one_at_a_time(self, engine: sa.Engine) -> None:
        """While one holds the lock, nobody else gets it."""
        with migration_lock(engine), pytest.raises(MigrationLockedError):
            take(engine, AT_ONCE)

    def test_connection_holds_it(self, engine: sa.Engine) -> None:
        """The connection yielded is the one whose session holds the lock, with a transaction for each statement."""
        with migration_lock(engine) as connection:
            assert not connection.in_transaction()
            holder = lock_holder(connection)

            assert holder is not None
            assert holder[0] == connection.scalar(BACKEND)
            assert connection.scalar(sa.func.now()) != connection.scalar(sa.func.now())

    def test_free_afterwards(self, engine: sa.Engine) -> None:
        """The lock ends with the block."""
        take(engine)

        eventually(lambda: not is_locked(engine))

    def test_free_after_an_error(self, engine: sa.Engine) -> None:
        """The lock ends with the block that failed, too, in the middle of a transaction."""

        def fail() -> None:
            with migration_lock(engine) as connection:
                begin_migrating(connection, lock_timeout=timedelta(seconds=5))
                connection.execute(BACKEND)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            fail()

        eventually(lambda: not is_locked(engine))

    def test_connection_given(self, engine: sa.Engine) -> None:
        """A connection shows the way to the database, and is itself left alone: its transaction goes on."""
        with engine.connect() as given:
            mine = given.scalar(BACKEND)
            with migration_lock(given) as connection:
                assert mine != connection.scalar(BACKEND)
                assert given.in_transaction()

    def test_terminated(self, engine: sa.Engine) -> None:
        """What the message hints at works: ending the holder's session frees the lock, and undoes its transaction."""
        with migration_lock(engine) as connection:
            backend = connection.scalar(BACKEND)
            begin_migrating(connection, lock_timeout=timedelta(seconds=5))
            connection.execute(sa.text("CREATE TABLE public.unfinished ()"))
            with engine.connect() as operator:
                operator.execute(sa.text("SELECT pg_terminate_backend(:pid)"), {"pid": backend})
            eventually(lambda: not is_locked(engine))
            with pytest.raises(sa.exc.OperationalError):
                connection.commit()

        assert not sa.inspect(engine).has_table("unfinished")


class TestWaiting:
    def test_until_free(self, engine: sa.Engine) -> None:
        """Whoever waits gets the lock when it is free."""
        with ThreadPoolExecutor() as pool:
            with migration_lock(engine):
                waiting = pool.submit(take, engine)
                eventually(lambda: sessions(engine) == 2)
                assert not waiting.done()

            waiting.result(60)

    def test_no_longer_than_told(self, engine: sa.Engine) -> None:
        """The wait ends when its time is over."""
        with migration_lock(engine):
            started = time.monotonic()
            with pytest.raises(MigrationLockedError):
                take(engine, timedelta(seconds=0.3))

        assert time.monotonic() - started >= 0.3

    def test_other_database_in_the_same_process(self, engine: sa.Engine, pgauthkit_server: TestServer) -> None:
        """Two databases are not migrated at once by one process, whose Alembic has one context."""
        other = sa.create_engine(pgauthkit_server.url("postgres"))

        with migration_lock(other), pytest.raises(MigrationLockedError) as caught:
            take(engine, AT_ONCE)

        assert caught.value.holder == "another thread of this process"
        other.dispose()


class TestHolder:
    def test_named(self, engine: sa.Engine) -> None:
        """The error says who holds the lock: process id, application name, its age, and since when."""
        with migration_lock(engine) as connection:
            backend = connection.scalar(BACKEND)
            with pytest.raises(MigrationLockedError) as caught:
                take(engine, AT_ONCE)

        holder = str(caught.value.holder)
        who, since = holder.split(", connected for ")
        assert f'pid {backend}, "pgauthkit migrate"' == who
        age, since = since.split(", since ")
        assert re.fullmatch(r"0:0\d:\d\d", age)
        connected = datetime.strptime(since, "%Y-%m-%d %H:%M:%S UTC").replace(tzinfo=UTC)
        assert abs(datetime.now(UTC) - connected) < timedelta(minutes=5)
        assert holder in str(caught.value)
        assert f"SELECT pg_terminate_backend({backend});" in str(caught.value)

    def test_nobody(self, engine: sa.Engine) -> None:
        """Nobody holds the lock of a database at rest."""
        with engine.connect() as connection:
            assert lock_holder(connection) is None

    def test_other_advisory_lock(self, engine: sa.Engine) -> None:
        """Who holds another advisory lock of the database is not taken for the holder."""
        with engine.connect() as connection:
            connection.execute(sa.text("SELECT pg_advisory_xact_lock(72707369), pg_advisory_xact_lock(1, 1)"))

            assert lock_holder(connection) is None

    def test_hidden(self, engine: sa.Engine) -> None:
        """Where the server hides since when, as from a role without rights, the rest is told."""
        with migration_lock(engine) as connection, engine.connect() as stranger:
            backend = connection.scalar(BACKEND)
            stranger.execute(sa.text("SET LOCAL ROLE pg_checkpoint"))

            assert (backend, f'pid {backend}, "pgauthkit migrate"') == lock_holder(stranger)

    def test_gone_when_asked_for(self) -> None:
        """A holder that is gone by the time it is looked for is told as such."""
        error = _locked(None)

        assert error.holder is None
        assert "until just now" in str(error)


def sessions(engine: sa.Engine) -> int:
    count = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND application_name = :name"
    with engine.connect() as connection:
        return int(connection.scalars(sa.text(count), {"name": "pgauthkit migrate"}).one())
