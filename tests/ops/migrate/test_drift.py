"""Drift: every hand-made change of a table is found, told in words with both definitions, and nothing is touched."""

from __future__ import annotations

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit.errors import MigrationError
from pgauthkit.ops.migrate import deploy, status
from pgauthkit.ops.migrate.drift import find_drift

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ops.migrate.conftest import Project

    from pgauthkit.testing import TestServer

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "drift.md"
FUNCTION = "CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END'"

# What somebody did by hand, the thing that differs, and how many differences that is.
HAND_MADE = [
    ("ALTER TABLE pgauthkit.users ADD COLUMN nickname text", "column pgauthkit.users.nickname"),
    ("ALTER TABLE pgauthkit.users DROP COLUMN last_login_at", "column pgauthkit.users.last_login_at"),
    ("ALTER TABLE pgauthkit.magic_links ALTER COLUMN attempts TYPE bigint", "column pgauthkit.magic_links.attempts"),
    ("ALTER TABLE pgauthkit.users ALTER COLUMN is_active DROP NOT NULL", "column pgauthkit.users.is_active"),
    ("ALTER TABLE pgauthkit.users ALTER COLUMN is_active SET DEFAULT false", "column pgauthkit.users.is_active"),
    ("DROP INDEX pgauthkit.ix_sessions_user_id", "index pgauthkit.ix_sessions_user_id"),
    ("CREATE INDEX by_role ON pgauthkit.users (role)", "index pgauthkit.by_role"),
    ("ALTER TABLE pgauthkit.users DROP CONSTRAINT uq_users_email", "constraint pgauthkit.users.uq_users_email"),
    (
        (
            "ALTER TABLE pgauthkit.sessions DROP CONSTRAINT fk_sessions_user_id_users,"
            " ADD CONSTRAINT fk_sessions_user_id_users FOREIGN KEY (user_id) REFERENCES pgauthkit.users (id)"
        ),
        "constraint pgauthkit.sessions.fk_sessions_user_id_users",
    ),
    ("CREATE TABLE pgauthkit.notes (id int)", "table pgauthkit.notes"),
    ("ALTER TABLE pgauthkit.users DROP CONSTRAINT ck_users_role", "constraint pgauthkit.users.ck_users_role"),
    (
        (
            "ALTER TABLE pgauthkit.users DROP CONSTRAINT ck_users_role,"
            " ADD CONSTRAINT ck_users_role CHECK (role IN ('USER', 'ADMIN', 'ROOT'))"
        ),
        "constraint pgauthkit.users.ck_users_role",
    ),
    (
        (
            "DROP INDEX pgauthkit.ix_magic_links_email;"
            " CREATE INDEX ix_magic_links_email ON pgauthkit.magic_links (email) WHERE used_at IS NULL"
        ),
        "index pgauthkit.ix_magic_links_email",
    ),
    (
        (
            "DROP INDEX pgauthkit.ix_sessions_user_id;"
            " CREATE INDEX ix_sessions_user_id ON pgauthkit.sessions USING hash (user_id)"
        ),
        "index pgauthkit.ix_sessions_user_id",
    ),
    (
        (
            f"{FUNCTION};"
            " CREATE TRIGGER spy BEFORE UPDATE ON pgauthkit.users FOR EACH ROW EXECUTE FUNCTION public.nothing()"
        ),
        "trigger pgauthkit.users.spy",
    ),
    (
        "ALTER TABLE pgauthkit.rate_limits DROP CONSTRAINT pk_rate_limits",
        "constraint pgauthkit.rate_limits.pk_rate_limits",
    ),
    ("ALTER TABLE pgauthkit.users ENABLE ROW LEVEL SECURITY", "table pgauthkit.users"),
    (
        "UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'pgauthkit.ix_sessions_user_id'::regclass",
        "index pgauthkit.ix_sessions_user_id",
    ),
    (
        (
            "ALTER TABLE pgauthkit.users DROP CONSTRAINT uq_users_email,"
            " ADD CONSTRAINT uq_users_email UNIQUE (email) DEFERRABLE"
        ),
        "constraint pgauthkit.users.uq_users_email",
    ),
]
MORE = [
    ("ALTER TABLE pgauthkit.sessions SET (fillfactor = 100)", "table pgauthkit.sessions"),
    ("CREATE POLICY own ON pgauthkit.users USING (id = current_user)", "policy pgauthkit.users.own"),
    ("CREATE TYPE pgauthkit.mood AS ENUM ('good', 'bad')", "type pgauthkit.mood"),
    ("CREATE DOMAIN pgauthkit.short AS text CHECK (length(VALUE) < 9)", "type pgauthkit.short"),
    (
        "CREATE TABLE pgauthkit.log (at date) PARTITION BY RANGE (at)",
        "table pgauthkit.log",
    ),
    ("CREATE VIEW pgauthkit.people AS SELECT id FROM pgauthkit.users", "view pgauthkit.people"),
    ("CREATE SEQUENCE pgauthkit.numbers", "sequence pgauthkit.numbers"),
    (
        "CREATE FUNCTION pgauthkit.one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "function pgauthkit.one()",
    ),
    ('ALTER TABLE pgauthkit.users ALTER COLUMN email TYPE text COLLATE "C"', "column pgauthkit.users.email"),
]


def by_hand(url: str, sql: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(sql.encode())


def row(sql: str, url: str) -> str:
    """Return the line of the table in the documentation."""
    (found,) = find_drift(url)
    cells = (f"`{sql}`", found.explanation, *(text and f"`{text}`" for text in (found.migrations, found.database)))
    return f"| {' | '.join(cell or 'nothing' for cell in cells)} |"


@pytest.mark.parametrize(("sql", "what"), HAND_MADE + MORE)
def test_hand_made(pgauthkit_url: str, sql: str, what: str) -> None:
    """Each of the hand-made changes is one difference, explained with both definitions and two ways out."""
    by_hand(pgauthkit_url, sql)

    (found,) = find_drift(pgauthkit_url)

    assert what == f"{found.kind} {found.name}"
    assert what in found.explanation
    assert found.migrations != found.database
    assert len(found.ways_out) == 2


def test_documented(pgauthkit_server: TestServer) -> None:
    """The table in the documentation is what the comparison really says."""
    rows = []
    for sql, _ in HAND_MADE:
        with pgauthkit_server.database() as url:
            by_hand(url, sql)
            rows.append(row(sql, url))

    assert [line for line in PAGE.read_text().splitlines() if line.startswith("| `")] == rows


def test_none(pgauthkit_url: str) -> None:
    """A database as deployed has no drift, nor has one with something pending, nor an empty one."""
    assert find_drift(pgauthkit_url) == ()


def test_empty(pgauthkit_empty_url: str) -> None:
    """What is pending is no drift."""
    assert find_drift(pgauthkit_empty_url) == ()
    assert status(pgauthkit_empty_url).current is None


def test_a_restored_constraint(pgauthkit_url: str) -> None:
    """PostgreSQL tells a CHECK of a varchar in other words once it has been dumped and restored: that is no drift."""
    as_dumped = "CHECK (((role)::text = ANY ((ARRAY['USER'::character varying, 'ADMIN'::character varying])::text[])))"
    with psycopg.connect(pgauthkit_url) as connection:
        asked = "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'ck_users_role'"
        assert connection.execute(asked).fetchone() == (as_dumped,)
        connection.execute("ALTER TABLE pgauthkit.users DROP CONSTRAINT ck_users_role")
        connection.execute(f"ALTER TABLE pgauthkit.users ADD CONSTRAINT ck_users_role {as_dumped}".encode())
        assert connection.execute(asked).fetchone() != (as_dumped,)

    assert find_drift(pgauthkit_url) == ()


def test_host(project: Project, pgauthkit_url: str) -> None:
    """The application's tables are compared as well, up to the revision that the database is at."""
    project.posts()
    project.index()
    deploy(pgauthkit_url, host=project.track)
    project.write("pending", "index2", "DROP TABLE public.posts")
    assert find_drift(pgauthkit_url, host=project.track) == ()
    by_hand(pgauthkit_url, "DROP INDEX public.ix_posts_title; CREATE TABLE public.prisma ()")

    found = find_drift(pgauthkit_url, host=project.track)

    assert [one.name for one in found] == ["public.ix_posts_title", "public.prisma"]
    assert len(find_drift(pgauthkit_url, host=project.track, ignored=["prisma"])) == 1


def test_ignored(pgauthkit_url: str) -> None:
    """What nobody should ask about is left out, with all that belongs to it."""
    by_hand(pgauthkit_url, "CREATE TABLE pgauthkit.old (id serial PRIMARY KEY); CREATE INDEX ON pgauthkit.old (id)")
    by_hand(pgauthkit_url, "CREATE TYPE pgauthkit.mood AS ENUM ('good'); CREATE DOMAIN pgauthkit.short AS text")
    by_hand(pgauthkit_url, FUNCTION.replace("public.", "pgauthkit."))

    assert find_drift(pgauthkit_url, ignored=["old", "old_id_seq", "mood", "short", "nothing"]) == ()


def test_host_of_alembic(alembic_project: Project, pgauthkit_url: str) -> None:
    """An application whose env.py connects on its own is compared with a shadow that it has connected to."""
    alembic_project.posts()
    deploy(pgauthkit_url, host=alembic_project.track)
    by_hand(pgauthkit_url, "ALTER TABLE public.posts ALTER title DROP NOT NULL")

    (found,) = find_drift(pgauthkit_url, host=alembic_project.track)

    assert (found.migrations, found.database) == ("text NOT NULL", "text")


def test_changes_nothing(somebodys_url: str) -> None:
    """Looking leaves no trace: neither in the database nor a shadow beside it."""
    assert find_drift(somebodys_url) == ()

    assert find_drift(somebodys_url) == ()


class TestRights:
    @pytest.fixture
    def limited_url(self, pgauthkit_url: str) -> Iterator[str]:
        """The URL of a role that may read, and may not create databases."""
        role = f"reader_{secrets.token_hex(6)}"
        by_hand(pgauthkit_url, f"CREATE ROLE {role} LOGIN PASSWORD 'made-up'")
        by_hand(pgauthkit_url, f"GRANT USAGE ON SCHEMA pgauthkit TO {role}")
        by_hand(pgauthkit_url, f"GRANT SELECT ON ALL TABLES IN SCHEMA pgauthkit TO {role}")
        url = sa.make_url(pgauthkit_url).set(username=role, password="made-up")
        yield url.render_as_string(hide_password=False)
        by_hand(pgauthkit_url, f"DROP OWNED BY {role}; DROP ROLE {role}")

    def test_refused(self, limited_url: str) -> None:
        """A role that may not create the shadow is told the two cures."""
        with pytest.raises(MigrationError, match=r"--shadow-url.*CREATEDB") as caught:
            find_drift(limited_url)

        assert "made-up" not in str(caught.value)

    def test_shadow_given(self, limited_url: str, pgauthkit_empty_url: str) -> None:
        """With an empty database for a shadow no right is needed."""
        assert find_drift(limited_url, shadow_url=pgauthkit_empty_url) == ()


def test_names(pgauthkit_url: str) -> None:
    """No explanation has a row's values: the catalog has none."""
    by_hand(pgauthkit_url, "ALTER TABLE pgauthkit.users DROP CONSTRAINT ck_users_role")

    assert not [one for one in find_drift(pgauthkit_url) if re.search("@", one.explanation)]
