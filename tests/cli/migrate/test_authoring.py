"""`pgauthkit migrate init`, `new` and `dev`: from models to revisions, and into the database."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgauthkit.cli.migrate.authoring import NOT_COMPARED
from pgauthkit.models.base import SCHEMA, Base as OurBase
from pgauthkit.ops.migrate import status
from pgauthkit.ops.revisions.bundled import bundled_revisions
from pgauthkit.ops.revisions.tracks import host_track
from pgauthkit.ops.server.presence import database_name

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.conftest import Blog

AGREE = "Nothing to write. The models and the database agree.\n"


def revisions(blog: Blog) -> list[Path]:
    return sorted((blog.path / "migrations" / "versions").glob("*.py"))


class TestInit:
    def test_from_settings(self, blog: Blog) -> None:
        """The folder is made where the settings say, and what was written is told."""
        result = blog.migrate("init")

        assert result.exit_code == 0
        assert result.stdout.startswith("Wrote migrations/env.py, migrations/script.py.mako. Next: pgauthkit migrate")
        assert "from blog.models import Base" in (blog.path / "migrations" / "env.py").read_text()

    def test_without_settings(self, blog: Blog) -> None:
        """Options do as well, and the settings are then written; the rest of the file stays as it is."""
        (blog.path / "pyproject.toml").write_text('[project]\nname = "blog"\n\n[tool.pgauthkit] # ours\nseed = "x:y"\n')

        result = blog.migrate("init", "--models", "blog.models:Base", "--migrations", "db", "--json")

        written = ["db/env.py", "db/script.py.mako", "pyproject.toml"]
        assert json.loads(result.stdout) == {"written": written}
        expected = '[tool.pgauthkit] # ours\nmodels = "blog.models:Base"\nmigrations = "db"\nseed = "x:y"\n'
        assert (blog.path / "pyproject.toml").read_text() == f'[project]\nname = "blog"\n\n{expected}'

    @pytest.mark.parametrize("models", ["blog.models:ext.db.Model", "blog.models:metadata", "blog.models:mapped"])
    def test_what_frameworks_have(self, models: str, blog: Blog) -> None:
        """A base with a dotted name, a `MetaData` and a registry do as well, and `dev` works with them."""
        path = blog.path / "blog" / "models.py"
        path.write_text(
            path.read_text() + "class ext:\n    class db:\n        Model = Base\n"
            "metadata = Base.metadata\nmapped = Base.registry\n"
        )

        assert blog.migrate("init", "--models", models).exit_code == 0
        result = blog.migrate("dev", "-m", "Add posts")

        assert result.exit_code == 0, result.output
        assert "CREATE TABLE posts" in result.stdout

    @pytest.mark.parametrize(
        "models",
        ["blog.models", "blog.models:Base, blog.more:metadata", "blog.models:several", "blog.more, blog.models"],
    )
    def test_whatever_holds_models(self, models: str, blog: Blog, monkeypatch: pytest.MonkeyPatch) -> None:
        """A module, a list in it and several of these do as well; metadata with our tables alone adds nothing."""
        # What other tests of this process have put on our base is not this application's.
        ours = {name: table for name, table in OurBase.metadata.tables.items() if table.schema == SCHEMA}
        monkeypatch.setattr(OurBase.metadata, "tables", ours)
        more = "from sqlalchemy import Column, Integer, MetaData, Table\nfrom pgauthkit.models import User\n"
        (blog.path / "blog" / "more.py").write_text(
            f"{more}metadata = MetaData()\nTable('tags', metadata, Column('id', Integer, primary_key=True))\n"
        )
        path = blog.path / "blog" / "models.py"
        path.write_text(f"{path.read_text()}from blog import more\nseveral = [Base, (more.metadata,)]\n")

        assert blog.migrate("init", "--models", models).exit_code == 0
        result = blog.migrate("dev", "-m", "Add posts")

        assert result.exit_code == 0, result.output
        assert "CREATE TABLE posts" in result.stdout
        assert ("CREATE TABLE tags" in result.stdout) == (models != "blog.models")

    def test_no_models(self, blog: Blog) -> None:
        """Without models nothing can be made: wrong use."""
        (blog.path / "pyproject.toml").write_text("")

        result = blog.migrate("init")

        assert result.exit_code == 2
        assert "--models blog.models:Base" in result.stderr

    @pytest.mark.parametrize(
        ("models", "sentence"),
        [
            (
                "blog.model:Base",
                "models: blog.model:Base cannot be imported: No module named 'blog.model'. It is looked for",
            ),
            ("blog.models:Bas", "models: blog.models:Bas cannot be imported: "),
            ("blog.models:Mapped", "models: blog.models:Mapped is not a declarative base"),
            ("blog", "models: blog is not a declarative base"),
        ],
    )
    def test_mistyped(self, models: str, sentence: str, blog: Blog) -> None:
        """Mistyped models are refused before anything is written, also where the settings have them."""
        (blog.path / "pyproject.toml").write_text(f'[tool.pgauthkit]\nmodels = "{models}"\nmigrations = "migrations"\n')

        for result in (blog.migrate("init"), blog.migrate("new", "-m", "Add posts")):
            assert result.exit_code == 1
            assert sentence in result.stderr
        assert not (blog.path / "migrations").exists()

    def test_again(self, blog: Blog) -> None:
        """A second time it is refused, with where to change what the first has written."""
        blog.migrate("init")

        result = blog.migrate("init", "--models", "blog.models:Base")

        assert result.exit_code == 1
        assert "migrations/env.py" in result.stderr
        assert "`models` in [tool.pgauthkit] of pyproject.toml" in result.stderr


class TestNew:
    def test_makes_the_folder(self, blog: Blog) -> None:
        """A project that only has the settings gets its folder with its first revision."""
        result = blog.migrate("new", "-m", "Add posts")

        (path,) = revisions(blog)
        assert result.exit_code == 0
        assert result.stdout == f"Wrote migrations/versions/{path.name}. Read it before you deploy it.\n"
        assert "Made migrations: migrations/env.py" in result.stderr
        assert "op.create_table('posts'" in path.read_text()
        assert status(blog.url, host=host_track(blog.path, "migrations")).host is not None

    def test_nothing(self, blog: Blog) -> None:
        """Where models and database agree nothing is written, unless an empty one is asked for."""
        blog.migrate("dev", "-m", "Add posts")

        agreed = blog.migrate("new", "-m", "Nothing")
        as_json = blog.migrate("new", "-m", "Nothing", "--json")
        empty = blog.migrate("new", "-m", "By hand", "--empty", "--json")

        assert agreed.stdout == AGREE
        assert agreed.stderr == f"{NOT_COMPARED}\n"
        assert json.loads(as_json.stdout) == {"written": None, "by_hand": [], "warnings": []}
        assert len(revisions(blog)) == 2
        assert json.loads(empty.stdout)["written"].endswith("_by_hand.py")

    def test_pending(self, new_blog: Blog) -> None:
        """On a database that is behind, it says to deploy first."""
        result = new_blog.migrate("new", "-m", "Add posts")

        assert result.exit_code == 1
        assert "run `pgauthkit migrate deploy` first" in result.stderr

    def test_no_settings(self, blog: Blog) -> None:
        """An application without migrations is told how to begin."""
        (blog.path / "pyproject.toml").write_text("")

        result = blog.migrate("new", "-m", "Add posts")

        assert result.exit_code == 1
        assert "`pgauthkit migrate init` makes the folder" in result.stderr


class TestDev:
    def test_from_nothing(self, new_blog: Blog) -> None:
        """On an empty database ours are applied, then the new revision is written, shown and applied."""
        result = new_blog.migrate("dev", "-m", "Add posts")

        (path,) = revisions(new_blog)
        id_ = path.name.split("_")[1]
        assert result.exit_code == 0
        assert "CREATE TABLE posts" in result.stdout
        assert f"Wrote migrations/versions/{path.name}.\nBEGIN;" in result.stdout
        assert result.stdout.endswith(f"Applied {', '.join((*bundled_revisions(), id_))}.\n")
        assert new_blog.migrate("status").exit_code == 0

    def test_again(self, blog: Blog) -> None:
        """A change of the models becomes the next revision; without one there is nothing to do."""
        blog.migrate("dev", "-m", "Add posts")
        blog.add("subtitle: Mapped[str | None]")

        changed = json.loads(blog.migrate("dev", "-m", "Add a subtitle", "--json").stdout)
        nothing = blog.migrate("dev", "-m", "Nothing")

        assert "ADD COLUMN subtitle" in changed["sql"][0]
        assert len(changed["applied"]) == 1
        assert nothing.stdout == AGREE

    def test_a_revision_that_is_refused(self, blog: Blog) -> None:
        """Where the rows that are there forbid the new revision it is not applied; its file stays, and is named."""
        blog.migrate("dev", "-m", "Add posts")
        with psycopg.connect(blog.url) as connection:
            connection.execute("INSERT INTO pgauthkit.users (id, email) VALUES ('ada', 'ada@example.com')")
            connection.execute("INSERT INTO posts (id, title, author_id) VALUES (1, 'One', 'ada')")
        blog.add("subtitle: Mapped[str]")

        refused = blog.migrate("dev", "-m", "Add a subtitle")
        again = blog.migrate("deploy")

        (path,) = (blog.path / "migrations" / "versions").glob("*_add_a_subtitle.py")
        assert refused.exit_code == 1
        assert refused.stdout.startswith(f"Wrote migrations/versions/{path.name}.\n")
        assert f"Error: {path.name} was written, and is not applied. posts.subtitle is NOT NULL" in refused.stderr
        assert 'column "subtitle" of relation "posts" contains null values' in again.stderr

    @pytest.mark.usefixtures("terminal")
    @pytest.mark.parametrize("command", ["new", "dev"])
    def test_a_new_name(self, command: str, blog: Blog) -> None:
        """On a terminal it asks whether a column has only a new name."""
        blog.migrate("dev", "-m", "Add posts")
        models = blog.path / "blog" / "models.py"
        models.write_text(models.read_text().replace("title", "headline"))

        renamed = blog.migrate(command, "-m", "Rename", answer="y\n")

        assert "Is posts.headline the column posts.title under a new name? [y/N]: y" in renamed.stdout
        (path,) = (blog.path / "migrations" / "versions").glob("*_rename.py")
        assert "new_column_name='headline'" in path.read_text()

    @pytest.mark.usefixtures("terminal")
    def test_cancelled(self, blog: Blog) -> None:
        """Who ends the command at the question has cancelled it, and nothing is written."""
        blog.migrate("dev", "-m", "Add posts")
        models = blog.path / "blog" / "models.py"
        models.write_text(models.read_text().replace("title", "headline"))

        cancelled = blog.migrate("new", "-m", "Rename", answer="")

        assert (cancelled.exit_code, cancelled.stderr.endswith("cancelled\n")) == (130, True)
        assert not [*(blog.path / "migrations" / "versions").glob("*_rename.py")]

    def test_no_migrations(self, blog: Blog, pgauthkit_empty_url: str) -> None:
        """Without a folder of migrations nothing is written, and ours are not applied either."""
        (blog.path / "pyproject.toml").write_text("")

        refused = blog.migrate("dev", "-m", "Add posts", DATABASE_URL=pgauthkit_empty_url)

        assert refused.exit_code == 1
        assert "`pgauthkit migrate init` makes the folder; --models blog.models:Base" in refused.stderr
        assert "pgauthkit is at nothing yet." in blog.migrate("status", DATABASE_URL=pgauthkit_empty_url).stdout

    def test_nobody_to_ask_for_a_new_name(self, blog: Blog) -> None:
        """Where nobody can answer, it says what is lost, and takes the new name as an option, which is checked."""
        blog.migrate("dev", "-m", "Add posts")
        models = blog.path / "blog" / "models.py"
        models.write_text(models.read_text().replace("title", "headline"))

        warned = blog.migrate("new", "-m", "Drop")
        next((blog.path / "migrations" / "versions").glob("*_drop.py")).unlink()
        wrong = blog.migrate("dev", "-m", "Rename", "--rename", "title=headline")
        renamed = blog.migrate("dev", "-m", "Rename", "--rename", "posts.title=headline", "--json")

        assert "\nWarning: posts.title is dropped with its values, and posts.headline of the same type" in warned.stdout
        assert wrong.exit_code == 2
        assert "A rename is written TABLE.OLD=NEW, such as posts.title=headline" in wrong.stderr
        assert "RENAME title TO headline" in json.loads(renamed.stdout)["sql"][0]

    @pytest.mark.usefixtures("terminal")
    @pytest.mark.parametrize(("answer", "left"), [("n\n", [1, 2]), ("y\n", [])])
    def test_what_is_dropped(self, blog: Blog, answer: str, left: list[int]) -> None:
        """On a terminal it asks before anything is dropped, and after a no both file and data are as they were."""
        blog.add("subtitle: Mapped[str | None]")
        blog.migrate("dev", "-m", "Add posts")
        with psycopg.connect(blog.url) as connection:
            connection.execute('CREATE TABLE "by hand" AS SELECT 1 AS id UNION SELECT 2')
        models = blog.path / "blog" / "models.py"
        models.write_text(models.read_text().replace("    subtitle: Mapped[str | None]\n", ""))

        result = blog.migrate("dev", "-m", "Tidy", answer=answer)

        assert 'This drops posts.subtitle, "by hand", with all that is in there. Apply it? [y/N]' in result.stdout
        assert (result.exit_code, len(revisions(blog))) == ((130, 1) if left else (0, 2))
        with psycopg.connect(blog.url) as connection:
            there = connection.execute("SELECT to_regclass('\"by hand\"') IS NOT NULL").fetchone() == (True,)
            assert there == bool(left)
            assert not left or [row[0] for row in connection.execute('SELECT id FROM "by hand" ORDER BY 1')] == left

    @pytest.mark.parametrize("option", [[], ["--json"]])
    def test_nobody_to_ask(self, blog: Blog, option: list[str]) -> None:
        """Where nobody can answer, a table with its rows goes only with --yes; else files and data are as before."""
        blog.migrate("dev", "-m", "Add posts")
        with psycopg.connect(blog.url) as connection:
            connection.execute("CREATE TABLE manual AS SELECT 1 AS id")

        refused = blog.migrate("dev", "-m", "Tidy", *option)

        assert refused.exit_code == 2
        assert "This drops manual, with all that is in there, and nobody is there to be asked: give --yes" in " ".join(
            refused.stderr.split()
        )
        assert len(revisions(blog)) == 1
        with psycopg.connect(blog.url) as connection:
            assert connection.execute("SELECT id FROM manual").fetchall() == [(1,)]
        assert "DROP TABLE manual" in blog.migrate("dev", "-m", "Tidy", "--yes", *option).stdout
        with psycopg.connect(blog.url) as connection:
            assert connection.execute("SELECT to_regclass('manual')").fetchone() == (None,)

    @pytest.mark.usefixtures("terminal")
    def test_a_program_at_a_terminal(self, blog: Blog) -> None:
        """With --json nobody is asked, also at a terminal; and where nothing is lost there is nothing to ask."""
        blog.migrate("dev", "-m", "Add posts")
        with psycopg.connect(blog.url) as connection:
            connection.execute("CREATE TABLE manual (id int)")
            connection.execute("INSERT INTO manual DEFAULT VALUES")

        assert blog.migrate("dev", "-m", "Tidy", "--json").exit_code == 2
        with psycopg.connect(blog.url) as connection:
            connection.execute("DELETE FROM manual")
        assert blog.migrate("dev", "-m", "Tidy", "--json").exit_code == 0

    def test_a_column_that_holds_something(self, blog: Blog) -> None:
        """A column goes without a yes where each row has NULL in it, and both commands warn where one has not."""
        blog.migrate("dev", "-m", "Add posts")
        with psycopg.connect(blog.url) as connection:
            connection.execute("ALTER TABLE posts ADD note text")
            connection.execute("INSERT INTO pgauthkit.users (id, email) VALUES ('ada', 'ada@example.com')")
            connection.execute("INSERT INTO posts (title, author_id, note) VALUES ('One', 'ada', 'kept')")

        said = "posts.note is dropped, and all that is in it is lost."
        assert "This drops posts.note, with" in " ".join(blog.migrate("dev", "-m", "Tidy").stderr.split())
        new = json.loads(blog.migrate("new", "-m", "Tidy", "--json").stdout)
        assert new["warnings"] == [said]
        (blog.path / new["written"]).unlink()
        with psycopg.connect(blog.url) as connection:
            connection.execute("UPDATE posts SET note = NULL")
        done = blog.migrate("dev", "-m", "Tidy")
        assert done.exit_code == 0
        assert said not in done.stdout

    @pytest.mark.parametrize(
        ("model", "sentence"),
        [
            ("class Tag(Base):\n    __tablename__ = 'tags'\n", "could not assemble any primary key columns"),
            ("class Tag(Base):\n    pass\n", "does not have a __table__ or __tablename__"),
            ("class Tag(Base):\n    __tablename__ = 'tags'\n    id: Mapped[Nope]\n", "Nope"),
        ],
    )
    def test_a_model_that_is_wrong(self, blog: Blog, model: str, sentence: str) -> None:
        """A model that cannot be mapped is told in the words of SQLAlchemy, which name it."""
        with (blog.path / "blog" / "models.py").open("a") as file:
            file.write(f"\n\n{model}")

        result = blog.migrate("dev", "-m", "Add tags")

        assert result.exit_code == 1
        assert result.stderr.startswith("Error: ") or "\nError: " in result.stderr
        assert sentence in result.stderr

    def test_a_check_that_says_something_else(self, blog: Blog) -> None:
        """A CHECK that says something else is written, with the way back."""
        models = blog.path / "blog" / "models.py"
        models.write_text(models.read_text().replace("import ForeignKey", "import CheckConstraint, ForeignKey"))
        blog.add("__table_args__ = (CheckConstraint('id > 0', name='positive'),)")
        blog.migrate("dev", "-m", "Add posts")
        models.write_text(models.read_text().replace("id > 0", "id > 1"))

        changed = blog.migrate("dev", "-m", "More")
        back = blog.migrate("rollback", "-1", "--sql")

        assert "ADD CONSTRAINT positive CHECK ((id > 1));" in changed.stdout
        assert "ADD CONSTRAINT positive CHECK ((id > 0));" in back.stdout
        assert blog.migrate("dev", "-m", "Nothing").stdout == AGREE

    def test_by_hand(self, blog: Blog) -> None:
        """What no statement can be written for is named, and then nobody says that models and database agree."""
        blog.add("__table_args__ = {'prefixes': ['UNLOGGED']}")
        blog.migrate("dev", "-m", "Add posts")
        models = blog.path / "blog" / "models.py"
        models.write_text(models.read_text().replace("'UNLOGGED'", ""))

        told = blog.migrate("dev", "-m", "Logged")

        sentence = "The table public.posts: the models make TABLE; there is UNLOGGED TABLE."
        assert told.stdout == (
            "Not written. Where a line says nothing else, write it by hand (pgauthkit migrate new --empty):\n"
            f"  {sentence}\n"
        )
        as_json = json.loads(blog.migrate("new", "-m", "Logged", "--json").stdout)
        assert as_json == {"written": None, "by_hand": [sentence], "warnings": []}

    def test_seed(self, new_blog: Blog) -> None:
        """A fresh database is seeded, unless that is not wanted."""
        with (new_blog.path / "pyproject.toml").open("a") as file:
            file.write('seed = "blog.seed:main"\n')
        (new_blog.path / "blog" / "seed.py").write_text("def main(db):\n    pass\n")

        told = new_blog.migrate("dev", "-m", "Add posts")
        reset = new_blog.migrate("reset", "--force", database_name(new_blog.url))
        without = new_blog.migrate("reset", "--no-seed", "--json", "--force", database_name(new_blog.url))

        assert told.stdout.endswith("Seeded by blog.seed:main.\n")
        assert reset.stdout.endswith("Seeded by blog.seed:main.\n")
        assert json.loads(without.stdout)["seed"] is None

    def test_production(self, blog: Blog) -> None:
        """In production nothing is developed."""
        result = blog.migrate("dev", "-m", "Add posts", PGAUTHKIT_ENV="production")

        assert result.exit_code == 1
        assert "`pgauthkit migrate deploy` is for it" in result.stderr
