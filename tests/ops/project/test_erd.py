"""The schema as a diagram, in Mermaid."""

import re
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Index, MetaData, Table, UniqueConstraint

from pgauthkit.ops.erd import diagram
from pgauthkit.ops.project.mapped import OURS

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "schema.md"
# https://mermaid.js.org/syntax/entityRelationshipDiagram.html
LINE = re.compile(
    r'erDiagram|    "[^"]+" \{|    \}|    "[^"]+" [|}][o|](--|\.\.)[o|][|{] "[^"]+" : "[^"]+"'
    r'|        [A-Za-z_][\w()\[\]-]* [A-Za-z_][\w()\[\]-]*( (PK|FK|UK)(, (PK|FK|UK))*)?( "null")?'
)


@pytest.fixture
def metadata() -> MetaData:
    """Users, their one profile, their posts, and the likes between both."""
    metadata = MetaData()
    Table("users", metadata, Column("id", sa.Integer, primary_key=True), Column("e mail", sa.String(20), unique=True))
    Table("profiles", metadata, Column("user_id", ForeignKey("users.id"), primary_key=True))
    Table(
        "posts",
        metadata,
        Column("id", sa.Integer, primary_key=True),
        Column("price", sa.Numeric(10, 2)),
        Column("made", sa.DateTime(timezone=True), nullable=False),
        Column("local", sa.DateTime, nullable=False),
        Column("labels", sa.ARRAY(sa.Text)),
        Column("unknown", sa.types.NullType()),
        Column("level", sa.Enum("a", "b", name="level")),
        Column("slug", sa.Text),
        Column("deleted", sa.Boolean),
        Column("author_id", ForeignKey("users.id"), nullable=False),
        Column("editor_id", ForeignKey("users.id")),
        Column("draft_of", ForeignKey("posts.id"), unique=True),
        Index("one_slug", "slug", unique=True),
        Index("one_label", "labels", unique=True, postgresql_where=sa.text("NOT deleted")),
        UniqueConstraint("price", "made"),
    )
    Table(
        "likes",
        metadata,
        Column("user_id", ForeignKey("users.id"), primary_key=True),
        Column("post_id", ForeignKey("posts.id"), primary_key=True),
    )
    Table(
        "notes",
        metadata,
        Column("user_id", sa.Integer),
        Column("post_id", sa.Integer),
        ForeignKeyConstraint(["user_id", "post_id"], ["likes.user_id", "likes.post_id"]),
        schema="other",
    )
    return metadata


def test_columns(metadata: MetaData) -> None:
    """A column has its type, its marks as a key, and whether it may be null."""
    lines = [line.strip() for line in diagram(metadata).splitlines()]

    for line in (
        "integer id PK",
        'varchar(20) e_mail UK "null"',
        "integer user_id PK, FK",
        'numeric(10-_2) price "null"',
        "timestamptz made",
        "timestamp local",
        'text[] labels "null"',
        'NullType unknown "null"',
        'level level "null"',
        'text slug UK "null"',
        'integer draft_of FK, UK "null"',
    ):
        assert line in lines


@pytest.mark.parametrize(
    "line",
    [
        '"users" ||--o| "profiles" : "user_id"',
        '"users" ||..o{ "posts" : "author_id"',
        '"users" |o..o{ "posts" : "editor_id"',
        '"posts" |o..o| "posts" : "draft_of"',
        '"users" ||--o{ "likes" : "user_id"',
        '"posts" ||--o{ "likes" : "post_id"',
        '"likes" |o..o{ "other.notes" : "user_id, post_id"',
    ],
)
def test_relations(metadata: MetaData, line: str) -> None:
    """A foreign key is a line that says how many rows may stand at each end."""
    assert f"    {line}\n" in diagram(metadata)


def test_every_line_is_mermaid(metadata: MetaData) -> None:
    """Every line is one that Mermaid's grammar knows, whatever the names and types."""
    lines = diagram([metadata, OURS[0].metadata]).splitlines()

    assert [line for line in lines if not LINE.fullmatch(line)] == []
    assert lines.count("erDiagram") == 1


def test_several(metadata: MetaData) -> None:
    """A table that several have is drawn once."""
    assert diagram(iter([metadata, metadata])) == diagram(metadata)


def test_the_documentation() -> None:
    """The page of the documentation has the diagram of our models as they are."""
    ours = MetaData()
    for model in OURS:
        model.metadata.tables[f"pgauthkit.{model.__tablename__}"].to_metadata(ours)

    assert f"```mermaid\n{diagram(ours)}```" in PAGE.read_text(encoding="utf-8")
