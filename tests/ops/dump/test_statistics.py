"""Statistics after a restore: for every table that has rows and that the role may analyze, and never a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import sqlalchemy as sa

from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.statistics import gather_statistics
from pgauthkit.ops.restore import restore
from pgauthkit.ops.server.connection import engine_for, own_connection

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.ops.conftest import Database

ANALYZED = (
    "SELECT DISTINCT format('%I.%I', schemaname, tablename) FROM pg_stats"
    " WHERE schemaname !~ '^(pg_|information_schema$)' ORDER BY 1"
)
PARTED = (
    "CREATE TABLE parted (id int, label text) PARTITION BY RANGE (id)",
    "CREATE TABLE low PARTITION OF parted FOR VALUES FROM (0) TO (50)",
    "CREATE TABLE high PARTITION OF parted FOR VALUES FROM (50) TO (100)",
    "INSERT INTO parted SELECT n, 'label' || n FROM generate_series(0, 99) AS n",
)
# Whether a session is the one that gathers statistics, or one that made the table: psql and this test have other names.
IF_OURS = "IF current_setting('application_name') = 'pgauthkit migrate' THEN"


@pytest.fixture
def role(empty: Database) -> Iterator[str]:
    """A role without rights of its own, which may connect."""
    role = f"{empty.name}_clerk"
    empty.run(f"CREATE ROLE {role} LOGIN")
    yield role
    empty.run(f"REASSIGN OWNED BY {role} TO CURRENT_USER", f"DROP OWNED BY {role}", f"DROP ROLE {role}")


def gathered_as(role: str, database: Database) -> tuple[tuple[str, ...], dict[str, str]]:
    url = sa.make_url(database.url).set(username=role).render_as_string(hide_password=False)
    with own_connection(engine_for(url)) as connection:
        found = gather_statistics(connection)
    return found.tables, dict(found.missing)


@pytest.mark.pg18
def test_the_planner_knows_what_was_restored(filled: Database, empty: Database, tmp_path: Path) -> None:
    """A restored table, partitioned table and materialized view have statistics at once; empty ones are left alone."""
    filled.run(
        *PARTED,
        "CREATE TABLE bare (id int)",
        "CREATE MATERIALIZED VIEW counted AS SELECT count(*) FROM parted",
        "CREATE TABLE \"100%s\" AS SELECT 'x' AS x",
    )

    done = restore(backup(filled.url, directory=tmp_path).file, empty.url).statistics

    assert done is not None
    assert done.missing == {}
    assert {'public."100%s"', 'public."Odd ""name"', "public.counted", "public.parted"} <= {*done.tables}
    assert not {"public.low", "public.high", "public.bare"} & {*done.tables}
    assert [table for (table,) in empty.ask(ANALYZED)] == sorted({*done.tables, "public.low", "public.high"})
    assert empty.ask("SELECT reltuples FROM pg_class WHERE relname = 'bare'") == [(-1,)]
    estimate = empty.ask("EXPLAIN SELECT FROM parted WHERE label = 'label7'")[0][0]
    assert "rows=2 " in str(estimate), estimate
    assert 0 < done.duration.total_seconds() < 60


def test_without_rows(filled: Database, empty: Database, tmp_path: Path) -> None:
    """Where a dump has no rows there is nothing to analyze."""
    done = restore(backup(filled.url, directory=tmp_path, schema_only=True).file, empty.url).statistics

    assert done is not None
    assert (done.tables, done.missing) == ((), {})


@pytest.mark.pg18
def test_a_role_without_the_right(empty: Database, major: int, role: str) -> None:
    """What a role may not analyze is named; a partition that is its own is analyzed where its table is not."""
    empty.run(
        *PARTED,
        f"ALTER TABLE low OWNER TO {role}",
        "CREATE SCHEMA hidden",
        "CREATE TABLE hidden.own AS SELECT 1",
        f"ALTER TABLE hidden.own OWNER TO {role}",
        "CREATE TABLE lent AS SELECT 1",
    )
    if major >= 17:
        empty.run(f"GRANT MAINTAIN ON lent TO {role}")

    tables, missing = gathered_as(role, empty)

    assert tables == (("public.lent", "public.low") if major >= 17 else ("public.low",))
    others = {"hidden.own", "public.high", "public.lent", "public.parted"} - {*tables}
    assert missing == dict.fromkeys(others, "the role may not analyze it")


def test_the_owner_of_the_database(empty: Database, role: str) -> None:
    """Who owns the database may analyze whatever is in it."""
    empty.run(*PARTED, f"ALTER DATABASE {empty.name} OWNER TO {role}")

    assert gathered_as(role, empty) == (("public.parted",), {})


def test_tables_of_another_server(empty: Database) -> None:
    """No other server is asked for rows: a table that has a part there is named, and its other parts are analyzed."""
    empty.run(
        *PARTED,
        "CREATE FOREIGN DATA WRAPPER nothing",
        "CREATE SERVER far FOREIGN DATA WRAPPER nothing",
        "CREATE FOREIGN TABLE away PARTITION OF parted FOR VALUES FROM (100) TO (200) SERVER far",
    )

    with own_connection(engine_for(empty.url)) as connection:
        done = gather_statistics(connection)

    assert done.missing == {"public.parted": "a part of it is on another server"}
    assert done.tables == ("public.high", "public.low")


@pytest.mark.parametrize(
    ("body", "reasons"),
    [
        ("RAISE 'of ada@example.com'", {"public.b": "the server refused (SQLSTATE P0001)"}),
        (
            "PERFORM pg_terminate_backend(pg_backend_pid())",
            dict.fromkeys(["public.b", "public.c"], "the connection was lost"),
        ),
    ],
)
def test_failures(body: str, reasons: dict[str, str], database: Database, empty: Database, tmp_path: Path) -> None:
    """What fails in between, or loses the connection, fails no restore: what has no statistics is named."""
    database.run(
        *[f"CREATE TABLE {name} AS SELECT 1 AS id" for name in "abc"],
        f"CREATE FUNCTION f(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS"
        f" $$BEGIN {IF_OURS} {body}; END IF; RETURN 1; END$$",
        "CREATE INDEX ON b (f(id))",
    )

    restored = restore(backup(database.url, directory=tmp_path).file, empty.url)

    assert restored.statistics is not None
    assert restored.statistics.missing == reasons
    assert "public.a" in restored.statistics.tables
    assert restored.discrepancies == ()
