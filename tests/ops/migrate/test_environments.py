"""An env.py that takes its address from the application's settings, and one that raises."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from alembic import command
from tests.ops.migrate.conftest import Project

from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate import deploy, find_drift, rollback, status
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.rehearsal import rehearse_rollback
from pgauthkit.ops.migrate.review import pending_sql
from pgauthkit.ops.revisions.tracks import host_track

if TYPE_CHECKING:
    from pathlib import Path

START = """
import asyncio, os
import sqlalchemy as sa
from logging.config import fileConfig
from alembic import context
from sqlalchemy.ext.asyncio import create_async_engine
from blog_models import Base

fileConfig(context.config.config_file_name)
url = sa.make_url(os.environ["SETTINGS_URL"]).set(drivername="postgresql+psycopg")

def run(connection):
    context.configure(connection=connection, target_metadata=Base.metadata, {options})
    with context.begin_transaction():
        context.run_migrations()
"""
SYNC = """
with sa.create_engine(url, poolclass=sa.NullPool).connect() as connection:
    {first}
    run(connection)
"""
ASYNC = """
async def main():
    engine = create_async_engine(url, poolclass=sa.NullPool)
    async with engine.connect() as connection:
        await connection.run_sync(run)
    await engine.dispose()

if context.is_offline_mode():
    context.configure(url=url, target_metadata=Base.metadata)
    with context.begin_transaction():
        context.run_migrations()
else:
    asyncio.run(main())
"""
OWN_SCHEMA = "connection.execute(sa.text('CREATE SCHEMA IF NOT EXISTS ledger')); connection.commit()"
SHAPES = {
    "connect": (SYNC, "", "pass"),
    "begin": (SYNC.replace(".connect()", ".begin()"), "", "pass"),
    "async": (ASYNC, "", "pass"),
    "async begin": (ASYNC.replace(".connect()", ".begin()"), "", "pass"),
    "public": (SYNC, "version_table_schema='public', include_object=lambda *_: True", "pass"),
    "schema": (SYNC, "version_table_schema='ledger'", OWN_SCHEMA),
}


@pytest.fixture
def own(alembic_project: Project, pgauthkit_url: str, monkeypatch: pytest.MonkeyPatch) -> Project:
    """An application whose settings name the database."""
    monkeypatch.setenv("SETTINGS_URL", pgauthkit_url)
    return alembic_project


def use(project: Project, text: str, *, options: str = "", first: str = "pass") -> None:
    (project.path / "alembic" / "env.py").write_text((START + text).format(options=options, first=first))


def ask(url: str, query: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(query.encode()).fetchall()


@pytest.mark.parametrize("shape", SHAPES)
def test_the_address_of_the_settings(own: Project, pgauthkit_url: str, shape: str) -> None:
    """What works on another database than that of the settings works as well: the shadow, and the copy."""
    text, options, first = SHAPES[shape]
    use(own, text, options=options, first=first)
    assert new_revision(pgauthkit_url, own.track, "Add posts")

    assert deploy(pgauthkit_url, host=own.track).host
    assert find_drift(pgauthkit_url, host=own.track) == ()
    assert rehearse_rollback(pgauthkit_url, host=own.track).up.host
    assert new_revision(pgauthkit_url, own.track, "Nothing") is None
    assert status(pgauthkit_url, host=own.track).in_sync
    assert rollback(pgauthkit_url, host=own.track).undone


@pytest.mark.parametrize("shape", ["connect", "async", "schema"])
def test_another_database(own: Project, pgauthkit_url: str, pgauthkit_empty_url: str, shape: str) -> None:
    """The database that is asked for is migrated, and nothing happens in that of the settings."""
    text, options, first = SHAPES[shape]
    use(own, text, options=options, first=first)
    deploy(pgauthkit_empty_url, host=own.track)
    with psycopg.connect(pgauthkit_empty_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE notes ()")

    written = new_revision(pgauthkit_empty_url, own.track, "Make posts of notes")
    deploy(pgauthkit_empty_url, host=own.track)

    tables = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' AND tablename IN ('posts', 'notes')"
    assert written
    assert "drop_table('notes')" in written.read_text()
    assert ask(pgauthkit_empty_url, tables) == [("posts",)]
    assert ask(pgauthkit_url, tables) == []


def test_reading_makes_no_schema(own: Project, pgauthkit_empty_url: str) -> None:
    """Asking where another database is makes no schema for the version table there."""
    use(own, SYNC, options="version_table_schema='ledger'", first=OWN_SCHEMA)
    own.posts()

    assert not status(pgauthkit_empty_url, host=own.track).in_sync
    assert ask(pgauthkit_empty_url, "SELECT to_regnamespace('ledger')::text") == [(None,)]


def test_search_path(own: Project, pgauthkit_empty_url: str) -> None:
    """The search path that an env.py sets on its own connection goes for ours as well."""
    use(own, SYNC, first="connection.execute(sa.text('SET search_path TO app')); connection.commit()")
    own.write("a1", None, "CREATE TABLE posts ()")
    with psycopg.connect(pgauthkit_empty_url, autocommit=True) as connection:
        connection.execute("CREATE SCHEMA app")

    deploy(pgauthkit_empty_url, host=own.track)

    assert ask(pgauthkit_empty_url, "SELECT to_regclass('app.posts')::text") == [("app.posts",)]


def test_no_connection(own: Project, pgauthkit_url: str) -> None:
    """An env.py that hands over no connection gets ours."""
    use(own, "run(None)")
    own.posts()

    assert deploy(pgauthkit_url, host=own.track).host == ("posts1",)


def test_several_databases(own: Project, pgauthkit_url: str, pgauthkit_empty_url: str) -> None:
    """An env.py of several databases is refused before anything runs."""
    elsewhere = SYNC.replace("create_engine(url", f"create_engine(sa.make_url({pgauthkit_empty_url!r}).set("
                             'drivername="postgresql+psycopg")')  # fmt: skip
    use(own, SYNC + elsewhere)
    own.posts()

    with pytest.raises(MigrationError, match="connects to more than one database"):
        deploy(pgauthkit_url, host=own.track)

    assert ask(pgauthkit_url, "SELECT to_regclass('posts')::text") == [(None,)]


def test_plain_alembic(own: Project, pgauthkit_url: str) -> None:
    """Alembic's own command finds no version table to drop where its schema is named and is the usual one."""
    use(own, SYNC, options="version_table_schema='public'")
    engine = sa.create_engine(pgauthkit_url)
    with engine.connect() as connection:
        command.revision(own.track.config(connection), "Add posts", autogenerate=True)
        command.upgrade(own.track.config(connection), "head")
        command.check(own.track.config(connection))
    engine.dispose()


def test_quiet(own: Project, pgauthkit_url: str, capfd: pytest.CaptureFixture[str]) -> None:
    """The logging of Alembic's template reports nothing among what we print."""
    use(own, ASYNC)
    new_revision(pgauthkit_url, own.track, "Add posts")
    pending_sql(pgauthkit_url, host=own.track)
    deploy(pgauthkit_url, host=own.track)
    find_drift(pgauthkit_url, host=own.track)

    assert "INFO" not in "".join(capfd.readouterr())


@pytest.mark.parametrize(("wanted", "reads"), [("false", False), ("true", True)])
def test_an_empty_revision(own: Project, pgauthkit_url: str, wanted: str, *, reads: bool) -> None:
    """An empty revision runs the env.py where the settings of Alembic say so, and no more often."""
    use(own, SYNC)
    ini = own.path / "alembic.ini"
    ini.write_text(ini.read_text().replace("[alembic]", f"[alembic]\nrevision_environment = {wanted}"))
    template = own.path / "alembic" / "script.py.mako"
    template.write_text(template.read_text() + "\n# ${config.attributes.get('seen')}\n")
    env = own.path / "alembic" / "env.py"
    env.write_text(env.read_text() + "\ncontext.config.attributes['seen'] = 'was here'\n")

    written = new_revision(pgauthkit_url, own.track, "By hand", empty=True)

    assert written
    assert ("was here" in written.read_text()) is reads


def test_revisions_of_a_framework(tmp_path: Path, pgauthkit_url: str) -> None:
    """Revisions that a framework runs without an env.py are deployed by one in a folder of its own."""
    (tmp_path / "alembic").mkdir()
    (tmp_path / "migrations").mkdir()
    (tmp_path / "alembic.ini").write_text(
        "[alembic]\nscript_location = %(here)s/alembic\nversion_locations = %(here)s/migrations\npath_separator = os\n"
    )
    (tmp_path / "alembic" / "env.py").write_text(
        "import sqlalchemy as sa\nfrom pgauthkit.migrations.host import run_migrations\n"
        "run_migrations(sa.MetaData(), version_table='alembic_versions')\n"
    )
    track = host_track(tmp_path)
    assert track is not None
    Project(tmp_path, track, tmp_path / "migrations").posts()

    assert deploy(pgauthkit_url, host=track).host == ("posts1",)
    assert find_drift(pgauthkit_url, host=track) == ()
    assert ask(pgauthkit_url, "SELECT version_num FROM alembic_versions") == [("posts1",)]


class TestRaising:
    @pytest.mark.parametrize(
        ("line", "reason"),
        [
            (
                "import os; os.environ['SECRET_KEY_OF_NOBODY']",
                r"KeyError: 'SECRET_KEY_OF_NOBODY' \(.*env\.py, line 1\)\.",
            ),
            ("raise SystemExit('Set DEBUG.')", r"SystemExit: Set DEBUG \(.*env\.py, line 1\)\.$"),
            ("import blog_settings", r"ZeroDivisionError: division by zero \(.*blog_settings\.py, line 2\)\."),
            ("def", r"SyntaxError: invalid syntax \(.*env\.py, line 1\)\."),
            ("raise AssertionError", r"AssertionError \(.*env\.py, line 1\)\."),
        ],
    )
    def test_env(self, own: Project, pgauthkit_url: str, line: str, reason: str) -> None:
        """Whatever an env.py raises is reported as such, with file and line."""
        (own.path / "blog_settings.py").write_text("one = 1\none / 0\n")
        (own.path / "alembic" / "env.py").write_text(line)

        for ask_for in (status, find_drift, pending_sql):
            with pytest.raises(MigrationError, match=f"^The env.py of the application cannot be loaded: {reason}"):
                ask_for(pgauthkit_url, host=own.track)

    def test_settings(self, own: Project, pgauthkit_url: str) -> None:
        """Settings that are refused are named, and no value of them is repeated."""
        (own.path / "alembic" / "env.py").write_text(
            "from pydantic import BaseModel\n"
            "class Settings(BaseModel):\n    secret_key: int\n"
            "Settings(secret_key='correct horse')\n"
        )

        with pytest.raises(MigrationError, match=r"secret_key Input should be .* \(.*env\.py, line 4\)") as caught:
            status(pgauthkit_url, host=own.track)

        assert "correct horse" not in str(caught.value)

    def test_unreachable(self, own: Project, pgauthkit_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where the database of the settings cannot be reached, the way to take ours is shown."""
        monkeypatch.setenv("SETTINGS_URL", "postgresql://ada:horse@127.0.0.1:1/blog")
        use(own, SYNC)

        with pytest.raises(MigrationError, match=r"OperationalError: .*line \d+\)\. It may take the conn") as caught:
            status(pgauthkit_url, host=own.track)

        assert "horse" not in str(caught.value)

    def test_password_in_a_url(self, own: Project, pgauthkit_url: str) -> None:
        """A password in the message of an error is not repeated."""
        (own.path / "alembic" / "env.py").write_text("raise ValueError('postgresql://ada:horse@db.example/blog?')")

        with pytest.raises(MigrationError, match=r"ValueError: postgresql://\*\*\*@db\.example/blog\? \("):
            status(pgauthkit_url, host=own.track)

    def test_refused_by_the_database(self, own: Project, pgauthkit_url: str) -> None:
        """What the server refuses an env.py is said in the server's sentence, without the values in its DETAIL."""
        use(own, SYNC, first="connection.execute(sa.text(\"SELECT 'horse'::int\"))")

        with pytest.raises(MigrationError, match=r"DataError: invalid input syntax for type integer") as caught:
            status(pgauthkit_url, host=own.track)

        assert "SELECT" not in str(caught.value)

    def test_revision(self, own: Project, pgauthkit_url: str) -> None:
        """Whatever a revision raises is reported with file and line, and leaves nothing behind."""
        use(own, SYNC)
        path = own.posts()
        path.write_text(path.read_text().replace("def downgrade", "    {}['missing']\n\ndef downgrade"))

        with pytest.raises(
            MigrationError, match=r"^A revision of the application failed: KeyError: 'missing' \(.*posts1"
        ):
            deploy(pgauthkit_url, host=own.track)

        assert ask(pgauthkit_url, "SELECT to_regclass('posts')::text") == [(None,)]
