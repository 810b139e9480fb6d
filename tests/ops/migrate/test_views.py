"""A view that says something else is made again, with what belonged to it, and with what stands on it."""

from __future__ import annotations

import secrets
import sys
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

from pgauthkit.ops.migrate import deploy, rollback
from pgauthkit.ops.migrate.authoring import new_revision

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ops.migrate.conftest import Project

    from pgauthkit.testing import TestServer

# What a host has on its views beside what its models say: of a reader, and of somebody who owns one.
BY_HAND = """
    CREATE UNIQUE INDEX "by hand" ON totals (lower(title)) INCLUDE (id) WHERE id > 0;
    CREATE INDEX gone ON totals (size);
    ALTER MATERIALIZED VIEW totals CLUSTER ON ours;
    CREATE STATISTICS pair ON id, title FROM totals;
    COMMENT ON INDEX "by hand" IS 'it''s 100 % ours: $1';
    COMMENT ON MATERIALIZED VIEW totals IS 'sums';
    COMMENT ON COLUMN totals.title IS 'of a post';
    COMMENT ON COLUMN totals.size IS 'in letters';
    GRANT SELECT ON totals TO PUBLIC;
    CREATE VIEW above AS SELECT id, title FROM totals;
    ALTER VIEW above ALTER title SET DEFAULT 'none';
    CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
    CREATE TRIGGER instead INSTEAD OF INSERT ON above FOR EACH ROW EXECUTE FUNCTION public.nothing();
    CREATE RULE never AS ON DELETE TO above DO INSTEAD NOTHING;
    COMMENT ON TRIGGER instead ON above IS 'drops rows';
    CREATE MATERIALIZED VIEW unfilled AS SELECT a.id, t.title FROM above a JOIN totals t USING (id) WITH NO DATA;
    CREATE INDEX ON unfilled (id);
    GRANT SELECT (id), UPDATE (title) ON above TO {reader};
    GRANT INSERT ON above TO {reader} WITH GRANT OPTION;
    ALTER VIEW above OWNER TO {owner};
"""
# All that the catalog has of these views, by names.
SEEN = """
    SELECT c.relname, c.relowner::regrole::text, relispopulated, description, pg_get_viewdef(c.oid),
        (SELECT array_agg(a::text ORDER BY a::text) FROM unnest(relacl) AS a) AS acl,
        ARRAY(SELECT concat(attname, attacl, pg_get_expr(adbin, adrelid), col_description(c.oid, attnum))
              FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
              WHERE attrelid = c.oid AND attnum > 0 ORDER BY attnum),
        ARRAY(SELECT concat(pg_get_indexdef(indexrelid), indisclustered, obj_description(indexrelid, 'pg_class'))
              FROM pg_index WHERE indrelid = c.oid ORDER BY 1),
        ARRAY(SELECT concat(pg_get_triggerdef(oid), obj_description(oid, 'pg_trigger'))
              FROM pg_trigger WHERE tgrelid = c.oid),
        ARRAY(SELECT pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = c.oid AND rulename <> '_RETURN'),
        ARRAY(SELECT pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = c.oid)
    FROM pg_class c LEFT JOIN pg_description ON classoid = 'pg_class'::regclass AND objoid = c.oid AND objsubid = 0
    WHERE relkind IN ('v', 'm') AND relnamespace = 'public'::regnamespace ORDER BY 1
"""
MODELS = """
totals = CreateView(select(Post.id, Post.title, func.length(Post.title).label("size")),
    "totals", metadata=Base.metadata, materialized=True).table
Index("ours", totals.c.id)
late = CreateView(select(totals.c.id), "late", metadata=Base.metadata).table
"""


def seen(url: str) -> dict[str, tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return {str(row[0]): row[1:] for row in connection.execute(SEEN).fetchall()}


@pytest.fixture
def roles(server: TestServer) -> Iterator[dict[str, str]]:
    """Names of two roles of this server: of a reader and of an owner."""
    names = {kind: f"{kind} {secrets.token_hex(4)}" for kind in ("reader", "owner")}
    with server.database() as url, psycopg.connect(url, autocommit=True) as connection:
        for name in names.values():
            connection.execute(f'CREATE ROLE "{name}"'.encode())
        yield {kind: f'"{name}"' for kind, name in names.items()}
        for name in names.values():
            connection.execute(f'DROP ROLE "{name}"'.encode())


def write(project: Project, models: str) -> None:
    head = (project.path / "blog_models.py").read_text().partition("from sqlalchemy import CreateView")[0]
    imports = "from sqlalchemy import CreateView, Index, func, select\n"
    (project.path / "blog_models.py").write_text(f"{head}{imports}{models}")
    sys.modules.pop("blog_models", None)


@pytest.mark.pg18
def test_nothing_is_lost(project: Project, server: TestServer, roles: dict[str, str]) -> None:
    """What is on a materialized view, and the views on it, are as before, on the way up and on the way down."""
    by_hand: list[str] = []
    with server.database() as url:
        write(project, MODELS)
        new_revision(url, project.track, "One")
        deploy(url, host=project.track)
        with psycopg.connect(url) as connection:
            connection.execute(BY_HAND.format(**roles).encode())
        before = seen(url)
        write(project, MODELS.replace('"size")),', '"size")).where(Post.id > 0),'))
        new_revision(url, project.track, "Two")
        deploy(url, host=project.track)
        changed = seen(url)
        write(project, MODELS.replace(', func.length(Post.title).label("size")', ""))
        new_revision(url, project.track, "Three", on_by_hand=by_hand.extend)
        deploy(url, host=project.track)
        narrow = seen(url)
        assert new_revision(url, project.track, "Four") is None
        rollback(url, "-1", host=project.track, backup_to=None)
        again = seen(url)
        rollback(url, "-1", host=project.track, backup_to=None)
        after = seen(url)

    assert after == before
    assert again == changed
    assert {name: row[:3] + row[4:] for name, row in changed.items()} == {
        name: row[:3] + row[4:] for name, row in before.items()
    }
    assert {name for name in before if before[name] != changed[name]} == {"totals"}
    assert {name for name in before if before[name] != narrow[name]} == {"totals"}
    assert len(before["totals"][6]) == 3
    assert len(narrow["totals"][6]) == 2
    assert by_hand[:2] == [
        "The index public.gone goes with the view public.totals, which is made again without size.",
        "The comment size goes with the view public.totals, which is made again without size.",
    ]
