"""The application's Alembic beside pgauthkit's migrations: neither ever touches the other's tables."""

from collections.abc import Callable
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from notes.models import Base, Note
from sqlalchemy import Engine, inspect, text
from sqlalchemy.orm import Session

from pgauthkit.models import User
from pgauthkit.ops.migrate import reset, status
from pgauthkit.ops.revisions.host import find_host

PROJECT = Path(__file__).parents[1]


@pytest.fixture
def alembic(pgauthkit_url: str, monkeypatch: pytest.MonkeyPatch) -> Config:
    """What `alembic` works with when it is called in the project."""
    monkeypatch.setenv("DATABASE_URL", pgauthkit_url)
    return Config(PROJECT / "alembic.ini")


@pytest.fixture
def tables(pgauthkit_engine: Engine) -> Callable[[], tuple[set[str], set[str]]]:
    """Tell the application's tables and pgauthkit's."""
    return lambda: (
        set(inspect(pgauthkit_engine).get_table_names()),
        set(inspect(pgauthkit_engine).get_table_names(schema="pgauthkit")),
    )


def test_alembic_finds_nothing_to_do(alembic: Config) -> None:
    """`alembic check` agrees, though its env.py says nothing of pgauthkit's tables."""
    command.check(alembic)


def test_autogenerate_finds_what_is_the_application_s(pgauthkit_engine: Engine) -> None:
    """A column that the application lacks is the only change, also where all schemas are looked at."""
    with pgauthkit_engine.connect() as connection:
        connection.execute(text("ALTER TABLE notes DROP COLUMN text"))
        connection.execute(text("ALTER TABLE pgauthkit.users DROP COLUMN role"))
        looking = MigrationContext.configure(connection, opts={"include_schemas": True})
        ((change, _, table, column),) = compare_metadata(looking, Base.metadata)
    assert (change, table, column.name) == ("add_column", "notes", "text")


def test_down_and_up_again(alembic: Config, tables: Callable[[], tuple[set[str], set[str]]]) -> None:
    """Alembic takes its own table away and makes it again, and leaves pgauthkit's alone."""
    before = tables()
    command.downgrade(alembic, "base")
    assert tables() == (before[0] - {"notes"}, before[1])
    command.upgrade(alembic, "head")
    assert tables() == before


def test_reset(pgauthkit_url: str, pgauthkit_engine: Engine) -> None:
    """A reset empties both, and makes both again."""
    with Session(pgauthkit_engine) as db, db.begin():
        user = User(email="ada@example.com")
        db.add(user)
        db.flush()
        db.add(Note(text="gone soon", owner_id=user.id))
    pgauthkit_engine.dispose()
    host = find_host(PROJECT)
    reset(pgauthkit_url, name=pgauthkit_engine.url.database or "", host=host)
    with Session(pgauthkit_engine) as db:
        assert db.query(User).count() == 0
        assert db.query(Note).count() == 0
    assert status(pgauthkit_url, host=host).in_sync
