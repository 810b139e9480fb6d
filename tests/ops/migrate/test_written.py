"""What `migrate new` writes can be applied and undone: types of any module, schemas, cycles of keys, order of drops."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgauthkit.errors import MigrationError
from pgauthkit.migrations.types import NamedType
from pgauthkit.ops.migrate import deploy, develop, rollback
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.catalog import describe
from pgauthkit.ops.server.connection import engine_for

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ops.migrate.conftest import Project

    from pgauthkit.ops.migrate import Hazard, Rename

HEAD = """
from sqlalchemy import *
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.orm import DeclarativeBase, mapped_column

class Base(DeclarativeBase):
    pass
"""
TYPES = '''
"""Types as applications and libraries have them."""
from sqlalchemy import BigInteger, Numeric, Text
from sqlalchemy.types import TypeDecorator, UserDefinedType

class Cents(TypeDecorator):
    impl, cache_ok = BigInteger, True

class Money(TypeDecorator):
    """Its repr is that of the type below it, which its own __init__ does not take."""
    impl, cache_ok = Numeric(12, 2), True
    def __init__(self, currency):
        super().__init__()
        self.currency = currency

class Cube(UserDefinedType):
    cache_ok = True
    def __init__(self, size=None):
        self.size = size
    def get_col_spec(self, **_):
        return f"varchar({self.size})" if self.size else "text"

class Shy(Cube):
    """One that says nothing of itself."""
    def __repr__(self):
        return "<Shy>"

class Boxed(TypeDecorator):
    impl, cache_ok = Shy, True
    def __init__(self, label):
        super().__init__(7)

def made_in_a_function():
    class Hidden(Cents):
        pass
    return Hidden()
'''
TYPED = """
from sqlmodel.sql.sqltypes import AutoString
from blog_types import Boxed, Cents, Cube, Money, Shy, made_in_a_function

class Thing(Base):
    __tablename__ = "things"
    id = mapped_column(Integer, primary_key=True)
    auto = mapped_column(AutoString(length=20))
    cents = mapped_column(Cents)
    many = mapped_column(ARRAY(Cents))
    other = mapped_column(String().with_variant(Cents(), "postgresql"))
    money = mapped_column(Money("EUR"))
    cube = mapped_column(Cube(9))
    shy = mapped_column(Shy(8))
    boxed = mapped_column(Boxed("x"))
    hidden = mapped_column(made_in_a_function())
"""
SCHEMAS = """
class Item(Base):
    __tablename__, __table_args__ = "items", {"schema": "shop"}
    id = mapped_column(Integer, primary_key=True)

class Plain(Base):
    __tablename__ = "items"
    id = mapped_column(Integer, primary_key=True)
    kind = mapped_column(Enum("a", name="kind", schema="kinds"))
"""
MORE_IN_SCHEMAS = """
    size = mapped_column(Enum("s", name="size", schema="Sizes"))
"""
CYCLES = """
class A(Base):
    __tablename__ = "aa"
    id = mapped_column(Integer, primary_key=True)
    b_id = mapped_column(ForeignKey("bb.id", name="fk_a_b", use_alter=True))
    parent = mapped_column(ForeignKey("aa.id"))

class B(Base):
    __tablename__ = "bb"
    id = mapped_column(Integer, primary_key=True)
    a_id = mapped_column(ForeignKey("aa.id"), index=True)

class C(Base):
    __tablename__ = "a_table_whose_name_is_so_long_that"
    id = mapped_column(Integer, primary_key=True)
    the_name_of_the_key_of_this_column_is_cut = mapped_column(ForeignKey("dd.id", ondelete="CASCADE"))

class D(Base):
    __tablename__ = "dd"
    id = mapped_column(Integer, primary_key=True)
    c_id = mapped_column(ForeignKey(C.id))
    b_id = mapped_column(ForeignKey(B.id))
"""
STAYS = """
class Stays(Base):
    __tablename__ = "stays"
    id = mapped_column(Integer, primary_key=True)
"""
KEY = '    d_id = mapped_column(ForeignKey("dd.id"))\n'


def write(project: Project, models: str) -> None:
    (project.path / "blog_models.py").write_text(HEAD + models)
    sys.modules.pop("blog_models", None)


def applied(project: Project, url: str, models: str) -> str:
    """Write models, develop, and return the new revision's text; nothing where none is written."""
    write(project, models)
    path = develop(url, project.track, "Change").written
    return path.read_text() if path else ""


def there(url: str) -> dict[str, str]:
    """Return what is there in the schemas of the models, by its full name."""
    with engine_for(url).connect() as connection:
        found = describe(connection, ["public", "shop", "kinds", "Sizes"], ignored=["alembic_version"])
    return {item.name: definition for item, definition in found.items()}


class TestTypes:
    def test_of_every_kind(self, project: Project, pgauthkit_url: str) -> None:
        """Each type is imported, or written as the type below it, or by its name: it makes the same column."""
        (project.path / "blog_types.py").write_text(TYPES)

        text = applied(project, pgauthkit_url, TYPED)

        assert "\nimport sqlmodel.sql.sqltypes\n" in text
        assert "'auto', sqlmodel.sql.sqltypes.AutoString(length=20)" in text
        assert "\nimport blog_types\n" in text
        assert "'many', postgresql.ARRAY(blog_types.Cents())" in text
        assert "'other', sa.String().with_variant(blog_types.Cents(), 'postgresql')" in text
        assert "'money', sa.Numeric(precision=12, scale=2)" in text
        assert "'cube', blog_types.Cube(size=9)" in text
        assert "'shy', pgauthkit.migrations.types.NamedType('varchar(8)')" in text
        assert "'boxed', pgauthkit.migrations.types.NamedType('varchar(7)')" in text
        assert "'hidden', sa.BigInteger()" in text
        assert applied(project, pgauthkit_url, TYPED) == ""

    def test_whatever_the_template(self, alembic_project: Project, pgauthkit_url: str) -> None:
        """A template without a place for imports gets them all the same; an env.py that writes types is asked first."""
        template = alembic_project.versions.parent / "script.py.mako"
        template.write_text(template.read_text().replace('${imports if imports else ""}', ""))
        (alembic_project.path / "blog_types.py").write_text(TYPES)
        env = alembic_project.versions.parent / "env.py"
        told = 'render_item=lambda kind, item, _: "sa.Text()" if repr(item) == "<Shy>" else False, target_metadata='
        env.write_text(env.read_text().replace("target_metadata=", told))

        text = applied(alembic_project, pgauthkit_url, TYPED)

        assert text.index("import blog_types\n") < text.index("def upgrade")
        assert "'shy', sa.Text()" in text

    def test_with_a_prefix(self, alembic_project: Project, pgauthkit_url: str) -> None:
        """An env.py with `user_module_prefix` has the imports in its template, and is left to it."""
        env = alembic_project.versions.parent / "env.py"
        env.write_text(env.read_text().replace("target_metadata=", 'user_module_prefix="kinds.", target_metadata='))
        (alembic_project.path / "blog_types.py").write_text(TYPES)
        write(alembic_project, f"from blog_types import Cents\n{STAYS}    cents = mapped_column(Cents)\n")
        deploy(pgauthkit_url, host=alembic_project.track)

        path = new_revision(pgauthkit_url, alembic_project.track, "Types")

        assert path is not None
        assert "kinds.Cents()" in path.read_text()

        with pytest.raises(MigrationError, match=r"name 'kinds' is not defined .* Write the import of its module"):
            deploy(pgauthkit_url, host=alembic_project.track)

    def test_unknown_to_sqlalchemy(self, project: Project, pgauthkit_url: str) -> None:
        """A column of a type that SQLAlchemy does not know is dropped."""
        applied(project, pgauthkit_url, STAYS)
        tell(pgauthkit_url, "CREATE TYPE pair AS (a int, b int); ALTER TABLE stays ADD COLUMN two pair")

        with pytest.warns(match="Did not recognize type 'pair'"):
            assert "op.drop_column('stays', 'two')" in applied(project, pgauthkit_url, STAYS)

    def test_by_name(self) -> None:
        """A type by its name shows it."""
        assert repr(NamedType("hstore")) == "NamedType('hstore')"


class TestSchemas:
    def test_there_and_back(self, project: Project, pgauthkit_url: str) -> None:
        """Schemas of tables and types are made once, and dropped by the way down; nothing is written twice."""
        text = applied(project, pgauthkit_url, SCHEMAS)

        assert text.count("CREATE SCHEMA IF NOT EXISTS") == 2
        assert applied(project, pgauthkit_url, SCHEMAS) == ""
        assert 'CREATE SCHEMA IF NOT EXISTS "Sizes"' in applied(project, pgauthkit_url, SCHEMAS + MORE_IN_SCHEMAS)
        assert {"shop.items", "public.items", "kinds.kind", "Sizes.size"} <= there(pgauthkit_url).keys()
        rollback(pgauthkit_url, "base", host=project.track, backup_to=None)
        assert there(pgauthkit_url) == {}
        assert tell(pgauthkit_url, "SELECT count(*) FROM pg_namespace WHERE nspname IN ('shop', 'kinds')") == [(0,)]

    def test_made_by_hand(self, project: Project, pgauthkit_url: str) -> None:
        """What others keep in a schema is let be; one that is there, and empty, is made elsewhere and never dropped."""
        tell(pgauthkit_url, 'CREATE SCHEMA kinds; CREATE SCHEMA shop; CREATE TABLE shop."Theirs" (id int)')

        text = applied(project, pgauthkit_url, SCHEMAS)

        assert ('EXISTS "kinds"' in text, 'EXISTS "shop"' in text, "DROP SCHEMA" in text) == (True, False, False)
        assert applied(project, pgauthkit_url, SCHEMAS) == ""

    def test_the_last_model_goes(self, project: Project, pgauthkit_url: str) -> None:
        """A table that a revision has made goes with its model, also where no model is in its schema any more."""
        applied(project, pgauthkit_url, SCHEMAS)

        text = applied(project, pgauthkit_url, SCHEMAS.replace('"items", {"schema": "shop"}', '"others", {}'))

        assert "op.drop_table('items', schema='shop')" in text
        assert "shop.items" not in there(pgauthkit_url)

    def test_the_env_py_says_so(self, alembic_project: Project, pgauthkit_url: str) -> None:
        """An env.py that includes schemas looks at what it likes, and a filter of its own is kept where it has one."""
        env = alembic_project.versions.parent / "env.py"
        before = env.read_text()
        keeps = "include_name=lambda name, kind, _: name != 'aside', target_metadata="
        env.write_text(before.replace("target_metadata=", keeps))
        applied(alembic_project, pgauthkit_url, SCHEMAS)
        tell(pgauthkit_url, "CREATE TABLE aside (id int); CREATE TABLE shop.theirs (id int)")
        assert applied(alembic_project, pgauthkit_url, SCHEMAS) == ""

        env.write_text(before.replace("target_metadata=", f"include_schemas=True, {keeps}"))

        assert "op.drop_table('theirs', schema='shop')" in applied(alembic_project, pgauthkit_url, SCHEMAS)


class TestCycles:
    def test_there_and_back(self, project: Project, pgauthkit_url: str) -> None:
        """Every key of a cycle is made, under the name that the server would give it, and all of it is undone."""
        applied(project, pgauthkit_url, CYCLES)

        keys = {name.split(".")[2] for name, said in there(pgauthkit_url).items() if said.startswith("FOREIGN KEY")}
        long = "a_table_whose_name_is_so_long_the_name_of_the_key_of_this_c_fkey"
        assert len(keys) == 6
        assert {"fk_a_b", "aa_parent_fkey", "bb_a_id_fkey", "dd_b_id_fkey"} <= keys
        assert not {long} <= keys
        assert applied(project, pgauthkit_url, CYCLES) == ""
        rollback(pgauthkit_url, "base", host=project.track, backup_to=None)
        assert there(pgauthkit_url) == {}

    def test_all_models_go(self, project: Project, pgauthkit_url: str) -> None:
        """Tables that lead to one another are dropped in an order that the server takes, and come back."""
        applied(project, pgauthkit_url, CYCLES + STAYS + KEY)
        before = there(pgauthkit_url)

        applied(project, pgauthkit_url, STAYS)

        assert "public.aa" not in there(pgauthkit_url)
        rollback(pgauthkit_url, "-1", host=project.track, backup_to=None)
        assert there(pgauthkit_url) == before


RENAMED = """
class Post(Base):
    __tablename__ = "posts"
    id = mapped_column(Integer, primary_key=True)
    title = mapped_column(String(20), unique=True)
    body = mapped_column(Text, nullable=False, server_default="", index=True)
    size = mapped_column(Integer)
    __table_args__ = (CheckConstraint("length(title) > 2", name="ck_title"),)
"""
HEADLINE = RENAMED.replace("title", "headline")
ROWS = "INSERT INTO posts (id, title, body, size) VALUES (1, 'One', 'Body', NULL)"


class TestRenames:
    @pytest.fixture
    def posts(self, project: Project, pgauthkit_url: str) -> Project:
        """An application with one post."""
        applied(project, pgauthkit_url, RENAMED)
        tell(pgauthkit_url, ROWS)
        return project

    def test_the_answer_is_yes(self, posts: Project, pgauthkit_url: str) -> None:
        """A column that is renamed keeps its values, constraints and indexes follow it, and it can be undone."""
        before = there(pgauthkit_url)
        asked: list[Rename] = []
        write(posts, HEADLINE.replace("body", "text").replace('nullable=False, server_default="", ', ""))

        def agree(pair: Rename) -> bool:
            asked.append(pair)
            return True

        path = develop(pgauthkit_url, posts.track, "Rename", on_rename=agree).written

        assert path is not None
        assert [(one.table, one.old, one.new) for one in asked] == [
            ("posts", "body", "text"),
            ("posts", "title", "headline"),
        ]
        assert tell(pgauthkit_url, "SELECT headline, text FROM posts") == [("One", "Body")]
        told: list[str] = []
        assert new_revision(pgauthkit_url, posts.track, "Nothing", on_by_hand=told.extend) is None
        assert told == []
        rollback(pgauthkit_url, "-1", host=posts.track, backup_to=None)
        assert there(pgauthkit_url) == before
        assert tell(pgauthkit_url, "SELECT title, body FROM posts") == [("One", "Body")]

    def test_nobody_says_so(self, posts: Project, pgauthkit_url: str) -> None:
        """Where nobody says that it is a rename, the values go, which is said with how to say so."""
        write(posts, HEADLINE)

        (warning,) = develop(pgauthkit_url, posts.track, "Other").warnings

        assert warning.startswith(
            "posts.title is dropped with its values, and posts.headline of the same type is added"
        )
        assert warning.endswith("--rename posts.title=headline.")

    def test_said_beforehand(self, posts: Project, pgauthkit_url: str) -> None:
        """What is said beforehand is not asked, whatever the type; of what is left, each pair is."""
        models = HEADLINE.replace("size = mapped_column(Integer)", "width = mapped_column(BigInteger)")
        write(
            posts,
            models.replace("body", "text").replace(
                "headline = mapped_column(String(20)", "headline = mapped_column(Text"
            ),
        )
        asked: list[Rename] = []

        def decline(pair: Rename) -> bool:
            asked.append(pair)
            return False

        renames = {"posts.size": "width", "posts.title": "headline"}
        done = develop(pgauthkit_url, posts.track, "Rename", renames=renames, on_rename=decline)

        assert [(one.old, one.new) for one in asked] == [("body", "text")]
        assert [one.partition(" ")[0] for one in done.warnings] == ["posts.body"]
        assert tell(pgauthkit_url, "SELECT headline, text FROM posts") == [("One", "")]

    def test_no_such_change(self, posts: Project, pgauthkit_url: str) -> None:
        """A rename that is not among the changes is refused, as it may be mistyped, and nothing is written."""
        write(posts, HEADLINE)

        with pytest.raises(MigrationError, match=r"as posts\.title=headlin says"):
            new_revision(pgauthkit_url, posts.track, "Rename", renames={"posts.title": "headlin"})

        assert len([*posts.versions.glob("*.py")]) == 1


class TestHazards:
    @pytest.mark.parametrize(
        ("old", "new", "sentence", "refusal"),
        [
            (
                "size =",
                "more = mapped_column(Text, nullable=False)\n    size =",
                "posts.more is NOT NULL and without",
                "no value",
            ),
            (
                "mapped_column(Integer)",
                "mapped_column(Integer, nullable=False)",
                "posts.size becomes NOT NULL",
                "no value",
            ),
        ],
    )
    def test_refused(  # noqa: PLR0917 - what is changed, and what is said of it
        self, old: str, new: str, sentence: str, refusal: str, project: Project, pgauthkit_url: str
    ) -> None:
        """What the rows that are there forbid is said before anything is applied; the server's refusal says it too."""
        applied(project, pgauthkit_url, RENAMED)
        tell(pgauthkit_url, ROWS)
        told: list[Path] = []
        write(project, RENAMED.replace(old, new))

        with pytest.raises(MigrationError, match=f"was written, and is not applied. {sentence}.* three ways"):
            develop(pgauthkit_url, project.track, "Required", on_written=told.append)

        with pytest.raises(MigrationError, match=f"have {refusal} for it"):
            deploy(pgauthkit_url, host=project.track)
        told[0].unlink()

    def test_what_is_filled(self, project: Project, pgauthkit_url: str) -> None:
        """A default, an identity, a generated value and a counted key fill a column; an empty table needs nothing."""
        applied(project, pgauthkit_url, RENAMED + STAYS)
        tell(pgauthkit_url, ROWS)
        more = """
    a = mapped_column(Integer, nullable=False, server_default="1")
    b = mapped_column(Integer, Identity(), nullable=False)
    c = mapped_column(Integer, Computed("1", persisted=True), nullable=False)
"""
        stays = STAYS + "    d = mapped_column(Integer, nullable=False)\n"

        assert applied(project, pgauthkit_url, RENAMED + more + stays) != ""

    def test_time_zones(self, project: Project, pgauthkit_url: str) -> None:
        """A time that gets a time zone, or loses it, is read in that of the session: said, with the way to say it."""
        applied(project, pgauthkit_url, STAYS + "    at = mapped_column(DateTime)\n")
        write(project, STAYS + "    at = mapped_column(DateTime(timezone=True))\n")
        told: list[Hazard] = []
        warned: list[str] = []

        made = new_revision(pgauthkit_url, project.track, "Zone", on_hazards=told.extend)
        made.unlink() if made else None
        developed = develop(pgauthkit_url, project.track, "Zone", on_warnings=warned.extend)

        (hazard,) = told
        assert (hazard.message,) == (*warned,) == developed.warnings
        assert hazard.message.startswith("stays.at changes from timestamp to timestamptz, ")
        assert "postgresql_using=\"at AT TIME ZONE 'UTC'\"" in hazard.message
        assert not hazard.is_refused

    def test_cast(self, project: Project, pgauthkit_url: str) -> None:
        """A type that the server casts to when it is asked is asked for."""
        applied(project, pgauthkit_url, STAYS + "    at = mapped_column(Text)\n")
        tell(pgauthkit_url, "INSERT INTO stays (at) VALUES ('7')")

        applied(project, pgauthkit_url, STAYS + "    at = mapped_column(Integer)\n")

        assert tell(pgauthkit_url, "SELECT at + 1 FROM stays") == [(8,)]

    def test_no_cast(self, project: Project, pgauthkit_url: str) -> None:
        """A type that the old one cannot be cast to is refused with what to write."""
        applied(project, pgauthkit_url, STAYS + "    at = mapped_column(Integer)\n")

        with pytest.raises(MigrationError, match=r"SQLSTATE 42804.* Say how each value .* postgresql_using="):
            applied(project, pgauthkit_url, STAYS + "    at = mapped_column(Date)\n")


def tell(url: str, statement: str) -> list[tuple[object, ...]]:
    """Run a statement, and return its rows."""
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(statement.encode())
        return cursor.fetchall() if cursor.description else []
