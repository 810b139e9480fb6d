"""Models and database: each construct of PostgreSQL that a model can have, alone, is seen when it changes."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pgauthkit.ops.migrate import deploy, rollback
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.catalog import describe
from pgauthkit.ops.server.connection import engine_for

if TYPE_CHECKING:
    from tests.ops.migrate.conftest import Project

MODELS = """
from sqlalchemy import *
from sqlalchemy.dialects.postgresql import *
from sqlalchemy.orm import DeclarativeBase, mapped_column
from pgauthkit.models import User

class Base(DeclarativeBase):
    pass

class Note(Base):
    __tablename__ = "Notes"
    id = mapped_column(Integer, Identity(always=True), primary_key=True)
    body = mapped_column(Text, nullable=False)
    price = mapped_column(Numeric)
    total = mapped_column(Numeric(10, 2))
    at = mapped_column(TIMESTAMP(precision=3))
    size = mapped_column(String(10))
    code = mapped_column(Text(collation="C"))
    twice = mapped_column(Integer, Computed("id * 2", persisted=True))
    mood = mapped_column(ENUM("fine", "bad", name="mood"))
    moods = mapped_column(ARRAY(ENUM("fine", "bad", name="mood")))
    tiny = mapped_column(DOMAIN("tiny", Integer, check="VALUE < 10"))
    data = mapped_column(JSONB, server_default=text("'{}'::jsonb"))
    during = mapped_column(INT4RANGE)
    key = mapped_column(UUID, server_default=text("gen_random_uuid()"))
    gone = mapped_column(TIMESTAMP(timezone=True))
    owner = mapped_column(ForeignKey(User.id, name="fk_owner", ondelete="CASCADE"))
    parent = mapped_column(ForeignKey("Notes.id", name="fk_parent"))
    __table_args__ = (
        CheckConstraint("body <> 'x'", name="filled"),
        UniqueConstraint("size", name="uq_size", postgresql_nulls_not_distinct=True),
        ExcludeConstraint(("during", "&&"), using="gist", name="apart"),
        Index("ix_body", "body", unique=True, postgresql_where=text("gone IS NULL")),
        Index("ix_data", "data", postgresql_using="gin"),
        Index("ix_at", "at", postgresql_include=["price"]),
        Index("ix_size", "size", postgresql_with={"fillfactor": 70}),
        Index("ix_code", "code", postgresql_ops={"code": "text_pattern_ops"}),
        Index("ix_low", text("lower(body)")),
    )

class Other(Base):
    __tablename__ = "others"
    id = mapped_column(Integer, primary_key=True)
"""
# What is changed, by what, and a part of what the revision has for it.
CHANGES = [
    ("Numeric)", "Numeric(10, 2))", "ALTER COLUMN price TYPE numeric(10,2)"),
    ("(Numeric(10, 2))", "(Numeric())", "ALTER COLUMN total TYPE numeric"),
    ("precision=3", "precision=6", "type_=postgresql.TIMESTAMP(precision=6)"),
    ("String(10)", "String(20)", "String(length=20)"),
    ('collation="C"', 'collation="POSIX"', "POSIX"),
    ("<> 'x'", "<> 'y'", "ADD CONSTRAINT filled CHECK"),
    ('"body", unique=True', 'text("(body || size)"), unique=True', "op.create_index("),
    ("__table_args__ = (", "__table_args__ = (CheckConstraint('id > 0', name='more'),", "ADD CONSTRAINT more"),
    (", postgresql_nulls_not_distinct=True", "", "uq_size"),
    ('"&&"', '"="', "ADD CONSTRAINT apart EXCLUDE USING gist (during WITH =)"),
    (', postgresql_where=text("gone IS NULL")', "", "CREATE UNIQUE INDEX ix_body"),
    ("gone IS NULL", "gone IS NOT NULL", "WHERE (gone IS NOT NULL)"),
    (', postgresql_using="gin"', "", "USING btree (data)"),
    ('["price"]', '["gone"]', "INCLUDE (gone)"),
    ("70", "80", "fillfactor="),
    (', postgresql_ops={"code": "text_pattern_ops"}', "", "CREATE INDEX ix_code"),
    ('ENUM("fine", "bad",', 'ENUM("best", "fine", "so so", "bad",', "ADD VALUE IF NOT EXISTS 'so so' AFTER 'fine'"),
    ('ondelete="CASCADE"', 'ondelete="SET NULL"', "ondelete='SET NULL'"),
    ('"fk_parent"', '"fk_parent", deferrable=True, initially="DEFERRED"', "fk_parent"),
    ('name="mood"', 'name="humour"', "CREATE TYPE public.humour"),
    ("nullable=False", "nullable=True", "nullable=True"),
    ("always=True", "always=False", "sa.Identity(always=False"),
    ("'{}'::jsonb", "'[]'::jsonb", "'[]'::jsonb"),
    ('"others"\n', '"others"\n    kind = mapped_column(ENUM("a", name="kind"))\n', "kind"),
    (
        '"others"\n',
        '"others"\n    kind = mapped_column(Enum("a", native_enum=False, create_constraint=True, name="kind"))\n',
        "create_constraint=True",
    ),
    ('"others"\n', '"others"\n    small = mapped_column(DOMAIN("small", Integer))\n', "CREATE DOMAIN public.small"),
    ('Index("ix_at", "at", postgresql_include=["price"]),', 'UniqueConstraint("at", name="ix_at"),', "ix_at"),
]
# Applied and undone together: none of them changes what another one changes.
TOGETHER = [CHANGES[number][:2] for number in (0, 1, 4, 5, 8, 9, 10, 12, 13, 14, 18, 23)]
LABELS = CHANGES[16][:2]
BY_HAND = [
    (
        '"others"\n',
        '"others"\n    __table_args__ = {"prefixes": ["UNLOGGED"]}\n',
        "The table public.others: the models make UNLOGGED TABLE; there is TABLE.",
    ),
    (
        '"others"\n',
        '"others"\n    no = mapped_column(Integer, primary_key=True)\n',
        # The id of a key of two columns is not counted any more.
        "The column public.others.id: the models make integer NOT NULL; there is integer NOT NULL DEFAULT nextval",
        "The constraint public.others.others_pkey: the models make PRIMARY KEY",
    ),
    (
        'CheckConstraint("body <> \'x\'", name="filled"),',
        "",
        "The constraint public.Notes.filled: the models make none; there is CHECK ((body <> 'x'::text)), which stays",
    ),
    ("id * 2", "id * 3", "The column public.Notes.twice: the models make integer GENERATED ALWAYS AS ((id * 3))"),
    ("VALUE < 10", "VALUE < 11", "The type public.tiny: the models make DOMAIN integer CHECK ((VALUE < 11))"),
    ('ENUM("fine", "bad",', 'ENUM("bad",', "The type public.mood: the models make ENUM ('bad')"),
]


# What was made by hand, none of which Alembic compares with the models: a column goes with its CHECK.
HAND_MADE = """
    ALTER TABLE "Notes" RENAME CONSTRAINT filled TO not_x;
    ALTER TABLE "Notes" RENAME CONSTRAINT fk_parent TO "Fk";
    ALTER SEQUENCE others_id_seq RENAME TO numbers;
    CREATE TYPE spare AS ENUM ('a');
    ALTER TABLE others ADD COLUMN kind text CHECK (kind IN ('a', ':b'));
"""
NEW_TABLE = """
class Newer(Base):
    __tablename__ = "newer"
    id = mapped_column(Integer, primary_key=True)
    small = mapped_column(DOMAIN("small", Integer))
    colour = mapped_column(ENUM("red", name="colour"))

class Other(Base):
    __tablename__ = "others"
    tag = mapped_column(Text)
    user = mapped_column(ForeignKey(User.id, name="fk_user"))
    __table_args__ = (UniqueConstraint("tag", name="uq_tag"),)
"""


def write(project: Project, *changes: tuple[str, ...]) -> None:
    """Write the models with some changes, to be imported anew."""
    models = MODELS
    for before, after in changes:
        assert before in models, before
        models = models.replace(before, after)
    (project.path / "blog_models.py").write_text(models)
    sys.modules.pop("blog_models", None)


def changed(noted: Project, url: str, change: tuple[str, str], told: list[str]) -> str:
    """Return the revision that one change of the models makes, which is deleted; nothing where none is written."""
    write(noted, change)
    path = new_revision(url, noted.track, "Change", on_by_hand=told.extend)
    text = path.read_text() if path else ""
    if path:
        path.unlink()
    return text


@pytest.fixture
def noted(project: Project, pgauthkit_url: str) -> Project:
    """An application whose models are in the database."""
    write(project)
    assert new_revision(pgauthkit_url, project.track, "One")
    deploy(pgauthkit_url, host=project.track)
    return project


def test_every_construct(noted: Project, pgauthkit_url: str) -> None:
    """After the first revision nothing is left to write; each change alone is then written or named."""
    told: list[str] = []
    assert new_revision(pgauthkit_url, noted.track, "Nothing", on_by_hand=told.extend) is None
    assert told == []
    wrong: list[object] = []
    for before, after, expected in CHANGES:
        written = changed(noted, pgauthkit_url, (before, after), told)
        wrong += [(after, written, list(told))] * (told != [] or expected not in written.partition("def downgrade")[0])
        told.clear()
    for before, after, *sentences in BY_HAND:
        changed(noted, pgauthkit_url, (before, after), told)
        as_expected = [one.startswith(sentence) for one, sentence in zip(told, sentences, strict=False)]
        wrong += [(after, list(told))] * (as_expected != [True] * len(told) or len(told) != len(sentences))
        told.clear()
    assert wrong == []


def test_there_and_back(noted: Project, pgauthkit_url: str) -> None:
    """New labels get their own revision; all else comes with the next, after which nothing is left, and is undone."""
    told: list[str] = []
    write(noted, LABELS, *TOGETHER)
    for other in (["All else that differs"], [], None):
        path = new_revision(pgauthkit_url, noted.track, "Two", on_by_hand=told.extend)
        assert (path is None) == (other is None)
        assert [one.partition(":")[0] for one in told] == (other or [])
        told.clear()
        deploy(pgauthkit_url, host=noted.track)

    rollback(pgauthkit_url, "-1", host=noted.track, backup_to=None)
    max(noted.versions.glob("*.py"), key=lambda file: file.stat().st_mtime_ns).unlink()
    write(noted, LABELS)
    assert new_revision(pgauthkit_url, noted.track, "Nothing", on_by_hand=told.extend) is None
    assert told == []


def test_made_by_hand(noted: Project, pgauthkit_url: str) -> None:
    """Another name is changed back, what a column or a table brings is not written twice, and all of it is undone."""
    engine = engine_for(pgauthkit_url)
    with engine.begin() as connection:
        connection.exec_driver_sql(HAND_MADE)
        before = describe(connection, ["public"])
    write(noted, ('\nclass Other(Base):\n    __tablename__ = "others"\n', NEW_TABLE))
    told: list[str] = []

    path = new_revision(pgauthkit_url, noted.track, "Two", on_by_hand=told.extend)
    deploy(pgauthkit_url, host=noted.track)

    assert path is not None
    assert path.read_text().count("RENAME CONSTRAINT not_x TO filled") == 1
    assert new_revision(pgauthkit_url, noted.track, "Nothing", on_by_hand=told.extend) is None
    assert told == []
    rollback(pgauthkit_url, "-1", host=noted.track, backup_to=None)
    with engine.begin() as connection:
        assert describe(connection, ["public"]) == before


def test_not_made(noted: Project, pgauthkit_url: str) -> None:
    """Models that the server cannot make are told: not all was compared, so nobody says that they agree."""
    write(noted, ('server_default=text("gen_random_uuid()")', 'server_default=text("no_such_function()")'))
    told: list[str] = []

    new_revision(pgauthkit_url, noted.track, "Change", on_by_hand=told.extend)

    assert "SQLSTATE 42883" in told[0]
