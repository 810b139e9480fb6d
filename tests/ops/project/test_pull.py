"""Models written from a database: nothing is lost that `migrate dev` would miss."""

import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import datetime
from importlib import import_module
from pathlib import Path
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy import orm
from tests.ops.project.schemas import PRISMA, made_schema

from pgauthkit.errors import ConfigError
from pgauthkit.models import User
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.deployment import deploy
from pgauthkit.ops.migrate.scaffold import scaffold
from pgauthkit.ops.project.mapped import mapped_classes
from pgauthkit.ops.project.pull import BaseKind, pull
from pgauthkit.ops.project.reflection import mapped_tables, reflect
from pgauthkit.ops.revisions.tracks import host_track

THEN = datetime(2026, 1, 1)  # noqa: DTZ001 - Prisma keeps no zone


@pytest.fixture
def name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of a module of models, which is forgotten after the test with all that it has mapped."""
    monkeypatch.syspath_prepend(tmp_path)
    name = f"pulled_{abs(hash(tmp_path))}"
    yield name
    sys.modules.pop(name).Base.registry.dispose()


def run(url: str, *statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement.encode())


def difference(url: str, project: Path, models: str) -> str | None:
    """Return what `migrate dev` would write."""
    scaffold(project, models=models)
    env = project / "migrations" / "env.py"
    env.write_text(env.read_text().replace(".metadata)", ".metadata, include_schemas=True)"))
    track = host_track(project, "migrations")
    deploy(url, host=track)
    told: list[str] = []
    written = new_revision(url, track, "Nothing", on_by_hand=told.extend)
    assert [one for one in told if "(in table 'pairs', column 'one')" not in one] == []
    return written.read_text() if written else None


def difference_elsewhere(url: str, project: Path, models: str) -> str:
    """Return the same, found by an interpreter of its own: what is on our Base stays there."""
    scaffold(project, models=models)
    code = (
        "import sys, pathlib, warnings; warnings.simplefilter('ignore'); sys.path.insert(0, '.')\n"
        "from pgauthkit.ops.migrate.deployment import deploy\n"
        "from pgauthkit.ops.migrate.authoring import new_revision\n"
        "from pgauthkit.ops.revisions.tracks import host_track\n"
        "track = host_track(pathlib.Path.cwd(), 'migrations')\n"
        "deploy(sys.argv[1], host=track)\n"
        "written = new_revision(sys.argv[1], track, 'Nothing', on_by_hand=print)\n"
        "print(written and written.read_text())\n"
    )
    env = project / "migrations" / "env.py"
    env.write_text(env.read_text().replace(".metadata)", ".metadata, include_schemas=True)"))
    command = [sys.executable, "-c", code, url]
    return subprocess.run(command, cwd=project, capture_output=True, text=True, check=True).stdout


UNKNOWN = (
    "ignore:Did not recognize type:sqlalchemy.exc.SAWarning",
    "ignore:Cannot correctly sort:sqlalchemy.exc.SAWarning",
)


@pytest.mark.filterwarnings(*UNKNOWN)
@pytest.mark.parametrize(("tables", "seed"), [(48, 1), (12, 2)])
def test_every_kind(pgauthkit_url: str, tmp_path: Path, name: str, tables: int, seed: int) -> None:
    """Models of a schema of up to 60 tables are what the database has, and can be mapped."""
    run(pgauthkit_url, *made_schema(tables, seed))

    pulled = pull(pgauthkit_url)
    (tmp_path / f"{name}.py").write_text(pulled.code)

    assert pulled.tables > tables
    assert any("one" in note for note in pulled.notes)
    assert len(mapped_classes(f"{name}:Base")) > tables
    assert difference(pgauthkit_url, tmp_path, f"{name}:Base") is None


def test_the_schema_of_prisma(pgauthkit_url: str, tmp_path: Path, name: str) -> None:
    """Of what Prisma has made, the models are the tables, whose names may be those of ours."""
    run(pgauthkit_url, PRISMA)

    pulled = pull(pgauthkit_url)
    (tmp_path / f"{name}.py").write_text(pulled.code)

    assert pulled.tables == 4
    assert difference(pgauthkit_url, tmp_path, f"{name}:Base") is None
    module = import_module(name)
    with orm.Session(sa.create_engine(pgauthkit_url, poolclass=sa.NullPool)) as session:
        session.add(module.User(id="u1", email="ada@example.com", updatedAt=THEN))
        session.flush()
        session.add(module.Session(id="s1", accessToken="a", refreshToken="r", expiresAt=THEN, userId="u1"))
        session.flush()
        assert session.scalars(sa.select(module.Session)).one().User_.email == "ada@example.com"


KEYS = """
    CREATE TABLE given (id int PRIMARY KEY);
    CREATE TABLE given_large (id bigint PRIMARY KEY);
    CREATE TABLE given_small (id smallint PRIMARY KEY);
    CREATE TABLE given_noted (id int PRIMARY KEY, "n)" int);
    COMMENT ON COLUMN given_noted.id IS 'a number (of theirs)';
    CREATE TABLE always (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY);
    CREATE TABLE usually (id bigint GENERATED BY DEFAULT AS IDENTITY (START 5) PRIMARY KEY);
    CREATE TABLE series (id serial PRIMARY KEY);
    CREATE TABLE series_small (id smallserial PRIMARY KEY);
    CREATE TABLE series_large (id bigserial PRIMARY KEY);
    CREATE SEQUENCE shared;
    CREATE TABLE sharing (id int PRIMARY KEY DEFAULT nextval('shared'));
    CREATE TABLE seven (id int PRIMARY KEY DEFAULT 7);
    CREATE TABLE twice (n int NOT NULL, id int GENERATED ALWAYS AS (n * 2) STORED PRIMARY KEY);
    CREATE TABLE random (id uuid PRIMARY KEY DEFAULT gen_random_uuid());
    CREATE TABLE given_uuid (id uuid PRIMARY KEY);
    CREATE TABLE given_number (id numeric(10, 0) PRIMARY KEY);
    CREATE TABLE two (a int, b int, PRIMARY KEY (a, b));
    CREATE TABLE two_of_a_series (a serial, b int, PRIMARY KEY (a, b));
    CREATE TABLE theirs (id int PRIMARY KEY REFERENCES given);
    CREATE TABLE theirs_of_two (a int PRIMARY KEY, b int, FOREIGN KEY (a, b) REFERENCES two);
    CREATE TABLE links (a int REFERENCES given, b int REFERENCES always, PRIMARY KEY (a, b));
"""


@pytest.mark.parametrize("base", ["plain", "pgauthkit"])
def test_keys(pgauthkit_url: str, tmp_path: Path, base: BaseKind) -> None:
    """Only a key that has a sequence gets one by the models: not one of numbers that the application gives."""
    run(pgauthkit_url, KEYS)

    code = pull(pgauthkit_url, base=base).code

    assert sorted(re.findall(r"__tablename__ = '(\w+)'(?:(?!\nclass ).)*autoincrement=False", code, re.DOTALL)) == [
        "given",
        "given_large",
        "given_noted",
        "given_small",
    ]
    (tmp_path / "keys.py").write_text(code)
    assert difference_elsewhere(pgauthkit_url, tmp_path, "keys:Base") == "None\n"


@pytest.mark.parametrize("schema", [PRISMA, "\n;".join(made_schema(5, 3))])
def test_on_our_base(pgauthkit_url: str, tmp_path: Path, schema: str) -> None:
    """Models on our `Base` are what the database has too, though it has a convention for names."""
    run(pgauthkit_url, schema)
    (tmp_path / "on_ours.py").write_text(pull(pgauthkit_url, base="pgauthkit").code)
    assert difference_elsewhere(pgauthkit_url, tmp_path, "on_ours:Base").endswith("None\n")


class TestOurs:
    def test_user(self, pgauthkit_url: str, tmp_path: Path, name: str) -> None:
        """A foreign key to our users is one to our class, and its relation leads to users."""
        run(
            pgauthkit_url,
            "CREATE TABLE posts (id int PRIMARY KEY, author_id text NOT NULL REFERENCES pgauthkit.users)",
            "INSERT INTO pgauthkit.users (id, email) VALUES ('c1', 'ada@example.com')",
            "INSERT INTO posts VALUES (1, 'c1')",
        )
        pulled = pull(pgauthkit_url)
        (tmp_path / f"{name}.py").write_text(pulled.code)

        assert "from pgauthkit.models import User\n" in pulled.code
        assert "class User" not in pulled.code
        post = import_module(name).Post
        with orm.Session(sa.create_engine(pgauthkit_url, poolclass=sa.NullPool)) as session:
            author = session.scalars(sa.select(post)).one().author
            assert isinstance(author, User)
            assert author.email == "ada@example.com"

    def test_another_class_of_that_name(self, pgauthkit_url: str) -> None:
        """Where the application has users of its own, ours are imported by another name."""
        run(pgauthkit_url, "CREATE TABLE users (id int PRIMARY KEY, account text REFERENCES pgauthkit.users)")

        code = pull(pgauthkit_url).code

        assert "from pgauthkit.models import User as AuthUser\n" in code
        assert "class User(Base)" in code
        assert "relationship(AuthUser" in code


class TestSchemas:
    def test_chosen(self, pgauthkit_url: str) -> None:
        """Only the tables of the schemas that are asked for are read."""
        run(
            pgauthkit_url,
            "CREATE SCHEMA shop; CREATE TABLE shop.carts (id int PRIMARY KEY); CREATE TABLE notes (id int)",
        )

        code = pull(pgauthkit_url, schemas=["shop"]).code

        assert "{'schema': 'shop'}" in code
        assert "notes" not in code

    def test_without_keys(self, pgauthkit_url: str) -> None:
        """Tables without a primary key are written as tables."""
        run(pgauthkit_url, "CREATE TABLE notes (line text, said text)")

        assert "t_notes = Table(" in pull(pgauthkit_url).code

    @pytest.mark.parametrize(
        ("schemas", "where"), [([], "no table but"), (["shop", "till"], "no table in shop, till but")]
    )
    def test_nothing_there(self, pgauthkit_url: str, schemas: list[str], where: str) -> None:
        """A database without tables, or without such a schema, is refused."""
        with pytest.raises(ConfigError, match=where):
            pull(pgauthkit_url, schemas=schemas)


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the extra is not installed, the message is what to install."""
    monkeypatch.delitem(sys.modules, "pgauthkit.ops.project.models_code", raising=False)
    monkeypatch.setitem(sys.modules, "sqlacodegen.generators", None)

    with pytest.raises(ConfigError, match=r"pip install 'pgauthkit\[cli,pull\]'"):
        pull("postgresql://127.0.0.1:1/nothing")


class TestMappedTables:
    def test_relations(self, pgauthkit_url: str) -> None:
        """Each table with a primary key has a class, and each foreign key of one column a relation."""
        run(
            pgauthkit_url,
            "CREATE TABLE blogs (id int PRIMARY KEY, n int, UNIQUE (id, n))",
            'CREATE TABLE posts (id int PRIMARY KEY, blog_id int REFERENCES blogs, blog text, "otherId" int REFERENCES'
            " blogs, n int, by text REFERENCES pgauthkit.users, FOREIGN KEY (blog_id, n) REFERENCES blogs (id, n))",
            "CREATE TABLE log (line text)",
            "INSERT INTO blogs VALUES (7)",
            "INSERT INTO posts VALUES (1, 7, 'x', 7)",
        )
        engine = sa.create_engine(pgauthkit_url, poolclass=sa.NullPool)
        models = {model.__name__: model for model in mapped_tables(reflect(engine)[0])}
        relations = sa.inspect(models["posts"]).relationships.keys()

        assert sorted(models) == ["blogs", "posts"]
        assert sorted(relations) == ["blog_", "other"]
        with orm.Session(engine) as session:
            post: Any = session.scalars(sa.select(models["posts"])).one()
            assert post.blog_.id == 7

    @pytest.mark.filterwarnings(*UNKNOWN)
    def test_every_kind(self, pgauthkit_url: str) -> None:
        """A schema of every kind of table can be mapped as it is."""
        run(pgauthkit_url, *made_schema(9, 4))
        engine = sa.create_engine(pgauthkit_url, poolclass=sa.NullPool)

        models = mapped_tables(reflect(engine)[0])

        assert len(models) > 9
        sa.inspect(models[0]).registry.configure()
        with orm.Session(engine) as session:
            assert [session.scalars(sa.select(model)).all() for model in models if "one" not in model.__table__.c]
