"""`status`: where a database stands, without touching it."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import sqlalchemy as sa

from pgauthkit.errors import ConfigError, DatabaseUnavailableError, MigrationError
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.server.lock import migration_lock


@pytest.fixture
def engine(pgauthkit_empty_url: str) -> Iterator[sa.Engine]:
    engine = sa.create_engine(pgauthkit_empty_url)
    yield engine
    engine.dispose()


def test_empty_database(pgauthkit_empty_url: str) -> None:
    """An empty database is at nothing, and everything is pending."""
    found = status(pgauthkit_empty_url)

    assert (found.current, found.head, found.pending) == (None, bundled_revisions()[-1], bundled_revisions())
    assert found.tracks == (found.bundled,)
    assert not found.in_sync
    assert not found.is_ahead


def test_in_sync(engine: sa.Engine) -> None:
    """After a deployment the database is at the head, and nothing is pending."""
    head = deploy(engine).head

    found = status(engine)

    assert (found.current, found.head, found.pending) == (head, head, ())
    assert found.in_sync
    assert not found.is_ahead


def test_ahead(engine: sa.Engine) -> None:
    """A database at an unknown revision is ahead of this release: not in sync, and with nothing to apply."""
    deploy(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE pgauthkit.alembic_version SET version_num = 'from_tomorrow'"))

    found = status(engine)

    assert found.current == "from_tomorrow"
    assert found.pending == ()
    assert found.is_ahead
    assert not found.in_sync


def test_emptied_version_table(engine: sa.Engine) -> None:
    """A version table without a row is the same as none."""
    deploy(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("DELETE FROM pgauthkit.alembic_version"))

    assert status(engine).current is None


def test_writes_nothing(engine: sa.Engine) -> None:
    """Asking for the status of an empty database leaves it empty, even of our schema."""
    status(engine)

    assert "pgauthkit" not in sa.inspect(engine).get_schema_names()


def test_locked(engine: sa.Engine) -> None:
    """The status is told while somebody migrates."""
    with migration_lock(engine, timeout=timedelta(seconds=5)):
        assert status(engine).current is None


def test_two_revisions_at_once(engine: sa.Engine) -> None:
    """A version table with two rows, which none of our revisions makes, is an error."""
    deploy(engine)
    with engine.begin() as connection:
        connection.execute(sa.text("INSERT INTO pgauthkit.alembic_version VALUES ('another')"))

    with pytest.raises(MigrationError, match="Reading the version table failed"):
        status(engine)


def test_not_allowed(engine: sa.Engine) -> None:
    """A version table that may not be read is an error with the SQLSTATE."""
    deploy(engine)

    @sa.event.listens_for(engine, "connect")
    def become_somebody(connection: sa.engine.interfaces.DBAPIConnection, _record: object) -> None:
        connection.cursor().execute("SET ROLE pg_monitor")
        connection.commit()

    engine.dispose()
    with pytest.raises(MigrationError, match=r"permission denied .*\(SQLSTATE 42501\)"):
        status(engine)


def test_nobody_there() -> None:
    """A server that cannot be reached is an error of its own."""
    with pytest.raises(DatabaseUnavailableError):
        status("postgresql://app@127.0.0.1:1/blog")


def test_no_url() -> None:
    """Text that is no URL is refused."""
    with pytest.raises(ConfigError):
        status("blog")
