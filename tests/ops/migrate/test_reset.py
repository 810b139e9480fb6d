"""Reset: everything is dropped and made again, and a whole row of reasons not to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.migrate.development import develop
from pgauthkit.ops.migrate.reset import reset
from pgauthkit.ops.server.presence import database_name

if TYPE_CHECKING:
    from tests.ops.migrate.conftest import Project


def run(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def exists(url: str, name: str) -> bool:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT to_regclass(%s)", [name]).fetchone() != (None,)


def test_ours(pgauthkit_url: str) -> None:
    """Without an application only our schema starts over."""
    run(pgauthkit_url, "INSERT INTO pgauthkit.users (id, email) VALUES ('a', 'a@example.com')")
    run(pgauthkit_url, "CREATE TABLE public.others ()")

    done = reset(pgauthkit_url, name=database_name(pgauthkit_url))

    assert done.schemas == ("pgauthkit",)
    assert status(pgauthkit_url).in_sync
    assert exists(pgauthkit_url, "public.others")
    with psycopg.connect(pgauthkit_url) as connection:
        assert connection.execute("SELECT count(*) FROM pgauthkit.users").fetchone() == (0,)


@pytest.mark.parametrize("kind", ["project", "alembic_project", "async_project"])
def test_application(kind: str, request: pytest.FixtureRequest, pgauthkit_url: str) -> None:
    """The application's schemas are emptied, of types, functions and views too, and its revisions run again."""
    project: Project = request.getfixturevalue(kind)
    project.posts()
    deploy(pgauthkit_url, host=project.track)
    run(pgauthkit_url, "CREATE TYPE public.mood AS ENUM ('good'); CREATE VIEW public.v AS SELECT 1")
    run(pgauthkit_url, "CREATE FUNCTION public.f() RETURNS int LANGUAGE sql AS 'SELECT 1'; CREATE SEQUENCE public.s")

    done = reset(pgauthkit_url, name=database_name(pgauthkit_url), host=project.track)

    assert done.schemas == ("pgauthkit", "public")
    assert done.deployment.host == ("posts1",)
    assert not exists(pgauthkit_url, "public.v")
    run(pgauthkit_url, "CREATE TYPE public.mood AS ENUM ('good')")


def test_every_kind(project: Project, pgauthkit_url: str) -> None:
    """Of every kind of object in the application's schemas none is left, so that its revisions can make each again."""
    sql = (Path(__file__).parents[1] / "every_kind.sql").read_text()
    project.posts()
    deploy(pgauthkit_url, host=project.track)
    run(pgauthkit_url, f'{sql}; CREATE TABLE "100%" ()')

    reset(pgauthkit_url, name=database_name(pgauthkit_url), host=project.track)

    run(pgauthkit_url, "DROP FOREIGN DATA WRAPPER every_kind_wrapper CASCADE")  # It is in no schema.
    run(pgauthkit_url, f'{sql}; CREATE TABLE "100%" ()')


def test_all_or_nothing(project: Project, pgauthkit_url: str) -> None:
    """Where the server refuses to drop one object, every other is still there."""
    project.posts()
    deploy(pgauthkit_url, host=project.track)
    role = f"{database_name(pgauthkit_url)}_owner"
    run(pgauthkit_url, f"CREATE ROLE {role} LOGIN; CREATE TABLE public.zoo ()")
    run(pgauthkit_url, f"ALTER TABLE public.posts OWNER TO {role}; GRANT ALL ON SCHEMA pgauthkit TO {role}")
    run(pgauthkit_url, f"GRANT ALL ON ALL TABLES IN SCHEMA pgauthkit, public TO {role}")
    url = sa.make_url(pgauthkit_url).set(username=role).render_as_string(hide_password=False)
    try:
        with pytest.raises(MigrationError, match="must be owner of table"):
            reset(url, name=database_name(pgauthkit_url), host=project.track, force=True)
        assert exists(pgauthkit_url, "public.posts")
    finally:
        run(pgauthkit_url, f"DROP OWNED BY {role} CASCADE; DROP ROLE {role}")


class TestSeed:
    @pytest.fixture
    def seed(self, project: Project) -> str:
        """A seed of the application's, which makes a user."""
        text = "import sqlalchemy as sa\n\ndef main(db):\n    db.execute(sa.text(INSERT))\n"
        insert = "INSERT INTO pgauthkit.users (id, email) VALUES ('a', 'admin@example.com')"
        (project.path / "blog_seed.py").write_text(f"INSERT = {insert!r}\n{text}")
        return "blog_seed:main"

    def test_run(self, seed: str, pgauthkit_url: str) -> None:
        """After the deployment the seed is run."""
        done = reset(pgauthkit_url, name=database_name(pgauthkit_url), seed=seed)

        assert done.seeding is not None
        assert done.seeding.function == seed
        with psycopg.connect(pgauthkit_url) as connection:
            assert connection.execute("SELECT email FROM pgauthkit.users").fetchall() == [("admin@example.com",)]

    def test_only_when_fresh(self, project: Project, seed: str, pgauthkit_empty_url: str) -> None:
        """A day's work seeds a database that had nothing, and no other."""
        first = develop(pgauthkit_empty_url, project.track, "Add posts", seed=seed)
        second = develop(pgauthkit_empty_url, project.track, "Nothing", seed=seed)

        assert first.seeding is not None
        assert second.seeding is None


class TestRefused:
    def test_other_name(self, pgauthkit_url: str) -> None:
        """Another name than the database's is refused, forced or not."""
        with pytest.raises(MigrationError, match='not "blog"'):
            reset(pgauthkit_url, name="blog", force=True)

    def test_production(self, pgauthkit_url: str) -> None:
        """Production is refused."""
        with pytest.raises(MigrationError, match="production"):
            reset(pgauthkit_url, name=database_name(pgauthkit_url), production=True)

    def test_connected(self, pgauthkit_url: str) -> None:
        """While somebody is connected it is refused, unless forced."""
        with psycopg.connect(pgauthkit_url, autocommit=True):
            with pytest.raises(MigrationError, match="Other sessions are connected to the database: 1"):
                reset(pgauthkit_url, name=database_name(pgauthkit_url))

            assert reset(pgauthkit_url, name=database_name(pgauthkit_url), force=True).deployment.applied

    def test_foreign_keys(self, pgauthkit_url: str) -> None:
        """While tables that stay refer to ours it is refused."""
        run(pgauthkit_url, "CREATE TABLE public.posts (author text CONSTRAINT fk REFERENCES pgauthkit.users)")

        with pytest.raises(MigrationError, match=r"Tables that stay refer to ours: .*posts \(fk\)"):
            reset(sa.create_engine(pgauthkit_url, poolclass=sa.NullPool), name=database_name(pgauthkit_url))
