"""Defaults of columns: compared by the server's wording, never by evaluation."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg

from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.migrate.authoring import new_revision

if TYPE_CHECKING:
    from tests.ops.migrate.conftest import Project

MODELS = """
from sqlalchemy import BigInteger, DateTime, Enum, Identity, Integer, Numeric, Text, func, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Note(Base):
    __tablename__ = "notes"
    id = mapped_column(Integer, primary_key=True)
    key = mapped_column(Text, server_default=text("gen_random_uuid()::text"))
    no = mapped_column(BigInteger, server_default=text("nextval('numbers'::regclass)"))
    at = mapped_column(DateTime(timezone=True), server_default=func.now())
    said = mapped_column(Text, server_default="it's 100% :x")
    price = mapped_column(Numeric(10, 2), server_default="1.50")
    turn = mapped_column(Integer, Identity())
    old = mapped_column(Text, server_default="gone")
    fresh = mapped_column(Text)
    kind = mapped_column(Integer, server_default="0")
    state = mapped_column(Enum("OPEN", name="state"), server_default="OPEN")
"""


def write(project: Project, *changes: tuple[str, str]) -> None:
    """Write the models with some changes, to be imported anew."""
    text = MODELS
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    (project.path / "blog_models.py").write_text(text)
    sys.modules.pop("blog_models", None)


def last_value(url: str) -> object:
    with psycopg.connect(url) as connection:
        return connection.execute("SELECT last_value, is_called FROM numbers").fetchone()


def test_compared(project: Project, pgauthkit_url: str) -> None:
    """A volatile default is equal to itself and takes no value; one that cannot be what is there is a difference."""
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:
        connection.execute("CREATE SEQUENCE numbers")
    write(project)
    new_revision(pgauthkit_url, project.track, "Add notes")
    deploy(pgauthkit_url, host=project.track)

    again = new_revision(pgauthkit_url, project.track, "Nothing")

    assert again is None
    assert last_value(pgauthkit_url) == (1, False)

    write(
        project,
        ('(Text, server_default="gone")', "(Text)"),
        ("fresh = mapped_column(Text)", 'fresh = mapped_column(Text, server_default="new")'),
        ('(Integer, server_default="0")', '(Text, server_default="open")'),
        ('"OPEN", name="state"), server_default="OPEN"', '"OPEN", "DRAFT", name="state"), server_default="DRAFT"'),
    )
    new_revision(pgauthkit_url, project.track, "New labels, before a default may be one")
    deploy(pgauthkit_url, host=project.track)
    changed = new_revision(pgauthkit_url, project.track, "Other defaults")

    assert changed is not None
    way_up = changed.read_text().partition("def downgrade")[0]
    altered = [line for line in way_up.splitlines() if "op.alter_column" in line]
    assert [line.split("'")[3] for line in altered] == ["old", "fresh", "kind", "state"]
    defaults = [line.strip() for line in way_up.splitlines() if line.strip().startswith("server_default")]
    assert defaults == [
        "server_default=None,",
        "server_default='new',",
        "server_default='open',",
        "server_default='DRAFT',",
    ]
