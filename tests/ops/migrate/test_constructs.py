"""Models of every construct of SQLAlchemy's dialect: made by a revision, then alike, and a change of each is seen."""

from __future__ import annotations

import inspect
import re
import sys
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.sql.base import DialectKWArgConst
from sqlalchemy.types import TypeEngine
from tests.ops.migrate.constructs import EXTENSIONS, Construct, constructs, models

from pgauthkit.ops.migrate import deploy, rollback
from pgauthkit.ops.migrate.authoring import new_revision
from pgauthkit.ops.migrate.catalog import describe
from pgauthkit.ops.server.connection import engine_for

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tests.ops.migrate.conftest import Project

    from pgauthkit.ops.migrate.catalog import Item
    from pgauthkit.testing import TestServer

ONLY_READ = DialectKWArgConst.REFLECTED_ONLY
CONSTRUCTS = (
    sa.Computed, sa.Identity, sa.Sequence, sa.CheckConstraint, sa.UniqueConstraint, sa.PrimaryKeyConstraint,
    sa.ForeignKeyConstraint, postgresql.ExcludeConstraint, sa.CreateView, sa.Column, postgresql.DOMAIN, postgresql.ENUM,
)  # fmt: skip
SCHEMAS = ["public", "away", "Other Place", "numbers", "views"]


def write(project: Project, found: list[Construct], side: str) -> None:
    (project.path / "blog_models.py").write_text(models(found, side))
    sys.modules.pop("blog_models", None)


def described(url: str) -> Mapping[Item, str]:
    with engine_for(url).connect() as connection:
        return describe(connection, SCHEMAS)


def seen(found: list[Construct], text: str) -> set[str]:
    return {one.name for one in found if re.search(rf"(?<![a-z0-9]){one.name}(?![0-9])", text)}


@pytest.mark.pg18
@pytest.mark.filterwarnings("ignore:Did not recognize type 'jsonpath':sqlalchemy.exc.SAWarning")
def test_every_construct(project: Project, server: TestServer, major: int) -> None:
    """After the first revision nothing is left; each change is then written or named, applied, and undone."""
    found = [one for one in constructs() if one.section != "whole of 18" or major == 18]
    noted = [one for one in found if one.section != "unseen"]
    told: list[str] = []
    with server.database() as url:
        with psycopg.connect(url) as connection:
            connection.execute(EXTENSIONS.encode())
        write(project, found, "before")
        assert new_revision(url, project.track, "One")
        deploy(url, host=project.track)
        assert new_revision(url, project.track, "Nothing", on_by_hand=told.extend) is None
        said = "\n".join(told)  # Of what is temporary.
        before = described(url)

        write(project, found, "after")
        told.clear()
        path = new_revision(url, project.track, "Two", on_by_hand=told.extend)
        assert path is not None
        up = path.read_text().partition("def downgrade")[0]
        deploy(url, host=project.track)
        by_hand = told[:]
        told.clear()
        concurrent = new_revision(url, project.track, "Three", on_by_hand=told.extend)
        assert concurrent is not None
        up += concurrent.read_text().partition("def downgrade")[0]
        deploy(url, host=project.track)
        told.clear()
        left = new_revision(url, project.track, "Four", on_by_hand=told.extend)
        rollback(url, "-2", host=project.track, backup_to=None)
        after = described(url)

    assert {one.name for one in found if "TEMP" in one.before or "temporary" in one.before} == seen(found, said)
    named = seen(found, "\n".join(by_hand))
    assert {one.name for one in noted} - seen(noted, up) - named == set()
    assert named - seen(found, said) == {one.name for one in found if one.is_by_hand}
    assert [one for one in by_hand if not one.startswith("Indexes that are")] == told
    assert left is None
    assert after == before


# What says nothing in DDL, or is the same by another name.
SILENT = {
    "args", "kw", "metadata", "info", "quote", "quote_schema", "key", "doc", "system", "inherit_schema", "mustexist",
    "extend_existing", "keep_existing", "autoload_replace", "autoload_with", "listeners", "implicit_returning",
    "resolve_fks", "include_columns", "sqlite_on_conflict", "column_expressions", "for_update", "order", "on_null",
    "link_to_name", "table", "insert_default", "insert_sentinel", "type_", "or_replace", "selectable", "view_name",
    "elements", "columns", "refcolumns", "dialect_kw", "dialect_kwargs", "sqltext", "sequence_", "enums", "name",
}  # fmt: skip


def test_the_whole_dialect() -> None:
    """Each type and option that SQLAlchemy's dialect has is in the table: one that is new has to be added."""
    text = " ".join(f"{one.before} {one.after}" for one in constructs())
    exported = [getattr(postgresql, name) for name in postgresql.__all__]
    kinds = {one for one in exported if isinstance(one, type) and issubclass(one, TypeEngine)}
    missing = {kind.__name__ for kind in kinds if not re.search(rf"\b{kind.__name__}\b", text)}
    arguments = postgresql.dialect.construct_arguments
    assert arguments
    options = {name for _, named in arguments for name, value in named.items() if value is not ONLY_READ}
    missing |= {name for name in options if f"postgresql_{name}=" not in text}
    for construct in CONSTRUCTS:
        names = {name for name in inspect.signature(construct).parameters if not name.startswith("_")} - SILENT
        missing |= {f"{construct.__name__}({name})" for name in names if f"{name}=" not in text}
    # A type above others, and an option of reading.
    assert missing == {"NamedType", "ignore_search_path"}
