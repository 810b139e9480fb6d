"""What Alembic's autogenerate drops or takes for done, and `migrate new` neither drops nor takes for done."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import psycopg
import pytest

from pgauthkit.ops.migrate import deploy
from pgauthkit.ops.migrate.authoring import new_revision

if TYPE_CHECKING:
    from tests.ops.migrate.conftest import Project

MODELS = """
from sqlalchemy import Index, text
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

class Base(DeclarativeBase):
    pass

class Event(Base):
    __tablename__ = "events"
    __table_args__ = {"postgresql_partition_by": "RANGE (id)"}
    id: Mapped[int] = mapped_column(primary_key=True)

class Member(Base):
    __tablename__ = "members"
    __table_args__ = (Index("one", "email", unique=True, postgresql_where=text("id > 0")),)
    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str]
"""
MADE = [
    "DROP INDEX public.one",
    "CREATE UNIQUE INDEX one ON public.members USING btree (email) WHERE (id > 0)",
]


def again(project: Project, url: str) -> list[str]:
    """Return what a revision does from here, which is not kept."""
    path = new_revision(url, project.track, "Again")
    assert path is not None
    up = path.read_text().partition("def downgrade")[0]
    path.unlink()
    return [line.split("'")[1] for line in up.splitlines() if "op." in line]


def test_partitions_and_indexes(project: Project, pgauthkit_url: str) -> None:
    """A partition that no model has is left, and an index with another WHERE, or an invalid one, is made again."""
    (project.path / "blog_models.py").write_text(MODELS)
    sys.modules.pop("blog_models", None)
    assert new_revision(pgauthkit_url, project.track, "One")
    deploy(pgauthkit_url, host=project.track)
    with psycopg.connect(pgauthkit_url, autocommit=True) as connection:
        connection.execute("CREATE TABLE events_low PARTITION OF events FOR VALUES FROM (0) TO (50)")
        assert new_revision(pgauthkit_url, project.track, "Nothing") is None

        connection.execute("DROP INDEX one")
        connection.execute("CREATE UNIQUE INDEX one ON members (email) WHERE id > 1000")
        assert again(project, pgauthkit_url) == MADE

        connection.execute("DROP INDEX one")
        connection.execute("INSERT INTO members (email) VALUES ('ada@example.com'), ('ada@example.com')")
        with pytest.raises(psycopg.errors.UniqueViolation):
            connection.execute("CREATE UNIQUE INDEX CONCURRENTLY one ON members (email) WHERE id > 0")
        assert again(project, pgauthkit_url) == MADE
