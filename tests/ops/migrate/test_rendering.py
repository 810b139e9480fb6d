"""SQL with colons, backslashes and percent signs: written and undone as it is in the model."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from alembic.autogenerate.api import AutogenContext
from alembic.runtime.migration import MigrationContext
from sqlalchemy.types import NullType

from pgauthkit.ops.migrate import deploy, rollback
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.catalog import Item, describe
from pgauthkit.ops.migrate.rendering import escaped
from pgauthkit.ops.revisions.rendering import Rendering
from pgauthkit.ops.server.connection import engine_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.ops.migrate.conftest import Project

FEWER = r"""
from sqlalchemy import *
from sqlalchemy.dialects.postgresql import *
from sqlalchemy.orm import DeclarativeBase, mapped_column

class Base(DeclarativeBase):
    pass

class Sign(Base):
    __tablename__ = "signs"
    id = mapped_column(Integer, primary_key=True)
"""
MODELS = (
    FEWER
    + r"""
    body = mapped_column(Text)
    part = mapped_column(Text, server_default=text(r"'50%' || '\:half'"))
    whole = mapped_column(Text, server_default="100% :all \\ done")
    both = mapped_column(Text, Computed(r"body || '\:v%'", persisted=True))
    short = mapped_column(DOMAIN("short", Text, check=r"VALUE <> '\:v%'"))
    __table_args__ = (
        CheckConstraint(r"body <> '\:x%'", name="by_text"),
        CheckConstraint(literal_column("body") != literal_column("':x%'"), name="by_column"),
        CheckConstraint(r"body <> E'\\\:x'", name="by_backslash"),
        CheckConstraint(r"body NOT LIKE '%:x:' AND id::text <> ':'", name="by_colon"),
        Index("ix_where", "body", postgresql_where=text(r"body <> '\:x%'")),
        Index("ix_text", text(r"(body || '\:x%')")),
        Index("ix_column", literal_column("(body || ':y%')")),
        ExcludeConstraint((text(r"(body || '\:x')"), "="), using="btree", name="apart", where=text(r"body <> '\:x%'")),
        {"comment": "100% :all"},
    )
"""
)


@pytest.mark.parametrize(
    ("sql", "argument"),
    [
        ("body <> ':x' AND at::date = ':' || ':y:'", r"body <> '\:x' AND at::date = ':' || ':y:'"),
        (r"E'\\:x' = E'\:'", r"E'\\\:x' = E'\\:'"),
    ],
)
def test_escaped(sql: str, argument: str) -> None:
    """What SQLAlchemy would take for a parameter or for an escape gets a backslash, and nothing else does."""
    assert escaped(sql) == argument


def write(project: Project, url: str, models: str) -> bool:
    """Write models, deploy what differs, and say whether anything did."""
    (project.path / "blog_models.py").write_text(models)
    sys.modules.pop("blog_models", None)
    told: list[str] = []
    path = new_revision(url, project.track, "Signs", on_by_hand=told.extend)
    deploy(url, host=project.track)
    assert told == []
    return path is not None


def described(url: str) -> Mapping[Item, str]:
    with engine_for(url).connect() as connection:
        return describe(connection, ["public"])


@pytest.mark.parametrize("first", [MODELS, FEWER])
def test_signs(project: Project, pgauthkit_url: str, first: str) -> None:
    """Made with its table or added to it, everything is as the model has it; what is changed or dropped comes back."""
    written = [write(project, pgauthkit_url, models) for models in (first, MODELS, MODELS)]
    before = described(pgauthkit_url)
    write(project, pgauthkit_url, MODELS.replace(":x", ":z").replace("50%", "60%"))
    changed = described(pgauthkit_url)
    write(project, pgauthkit_url, FEWER[: FEWER.index("class Sign")])
    rollback(pgauthkit_url, "-1", host=project.track, backup_to=None)
    again = described(pgauthkit_url)
    rollback(pgauthkit_url, "-1", host=project.track, backup_to=None)

    assert written == [True, first == FEWER, False]
    assert again == changed
    assert described(pgauthkit_url) == before


def test_a_type_without_a_name() -> None:
    """A type of which SQL has no word, as of a column without one, is left to Alembic."""
    context = AutogenContext(MigrationContext.configure(dialect_name="postgresql"))
    assert Rendering(None)("type", NullType(), context) is False
