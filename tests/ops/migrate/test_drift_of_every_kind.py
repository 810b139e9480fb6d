"""Drift over one object of every kind: none against itself, and each change by hand is noticed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
import sqlalchemy as sa

from pgauthkit.ops.migrate.catalog import describe
from pgauthkit.ops.server.connection import engine_for

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pgauthkit.ops.migrate.catalog import Item
    from pgauthkit.testing import TestServer

EVERY_KIND = (Path(__file__).parents[1] / "every_kind.sql").read_text()

# A change by hand, and what it is noticed on.
CHANGES = [
    ("ALTER TYPE enum_type ADD VALUE 'huge'", "type s.enum_type"),
    ("ALTER TYPE composite_type ADD ATTRIBUTE more text CASCADE", "type s.composite_type"),
    ("ALTER DOMAIN domain_type DROP DEFAULT", "type s.domain_type"),
    ("ALTER DOMAIN domain_type ADD CHECK (VALUE < 9)", "type s.domain_type"),
    ("ALTER TYPE base_type SET (STORAGE = external)", "type s.base_type"),
    ("CREATE TYPE other_range AS RANGE (subtype = int4)", "type s.other_range"),
    ("CREATE TYPE other_shell", "type s.other_shell"),
    ("ALTER FUNCTION plain_function(text) VOLATILE", "function s.plain_function(text)"),
    ("ALTER FUNCTION window_function() STABLE", "function s.window_function()"),
    (
        "CREATE OR REPLACE AGGREGATE plain_aggregate(integer) (SFUNC = int4mul, STYPE = integer, INITCOND = '0')",
        "function s.plain_aggregate(integer)",
    ),
    (
        "ALTER OPERATOR === (composite_type, composite_type) SET (RESTRICT = eqsel)",
        "operator s.===(s.composite_type,s.composite_type)",
    ),
    (
        "ALTER OPERATOR FAMILY operator_family USING hash ADD OPERATOR 1 = (integer, integer)",
        "operator family s.operator_family USING hash",
    ),
    ("ALTER OPERATOR CLASS operator_class USING hash RENAME TO renamed", "operator class s.renamed USING hash"),
    ("ALTER COLLATION collation_object RENAME TO renamed", "collation s.renamed"),
    ("DROP CONVERSION conversion_object", "conversion s.conversion_object"),
    ("ALTER TEXT SEARCH PARSER search_parser RENAME TO renamed", "text search parser s.renamed"),
    ("ALTER TEXT SEARCH TEMPLATE search_template RENAME TO renamed", "text search template s.renamed"),
    (
        "ALTER TEXT SEARCH DICTIONARY search_dictionary (stopwords = 'english')",
        "text search dictionary s.search_dictionary",
    ),
    (
        "ALTER TEXT SEARCH CONFIGURATION search_configuration DROP MAPPING FOR asciiword",
        "text search configuration s.search_configuration",
    ),
    ("ALTER SEQUENCE plain_sequence NO CYCLE", "sequence s.plain_sequence"),
    ("ALTER SEQUENCE plain_sequence MINVALUE -3 MAXVALUE 99 CACHE 5", "sequence s.plain_sequence"),
    ("ALTER SEQUENCE plain_sequence OWNED BY unlogged_table.id", "sequence s.plain_sequence"),
    ("ALTER TABLE plain_table REPLICA IDENTITY DEFAULT", "table s.plain_table"),
    ("ALTER TABLE child_table NO INHERIT parent_table", "table s.child_table"),
    ("ALTER TABLE typed_table NOT OF", "table s.typed_table"),
    ("ALTER TABLE unlogged_table SET LOGGED", "table s.unlogged_table"),
    ("ALTER FOREIGN TABLE foreign_table OPTIONS (SET name 'near')", "table s.foreign_table"),
    ("ALTER FOREIGN TABLE foreign_table ALTER id OPTIONS (SET place '2')", "column s.foreign_table.id"),
    ("ALTER TABLE plain_table ALTER sorted SET STORAGE MAIN", "column s.plain_table.sorted"),
    ("ALTER TABLE plain_table ALTER sorted SET COMPRESSION pglz", "column s.plain_table.sorted"),
    ("ALTER TABLE plain_table ALTER size SET STATISTICS 60", "column s.plain_table.size"),
    ("ALTER TABLE plain_table ALTER doubled DROP EXPRESSION", "column s.plain_table.doubled"),
    ("ALTER TABLE plain_table CLUSTER ON plain_table_pkey", "index s.plain_table_pkey"),
    ("DROP INDEX index_of_materialized_view", "index s.index_of_materialized_view"),
    ("DROP STATISTICS statistics_object", "statistics s.statistics_object"),
    ("ALTER STATISTICS statistics_object SET STATISTICS 7", "statistics s.statistics_object"),
    ("DROP TRIGGER instead_trigger ON view_with_trigger", "trigger s.view_with_trigger.instead_trigger"),
    ("ALTER TABLE plain_table ENABLE TRIGGER row_trigger", "trigger s.plain_table.row_trigger"),
    ("ALTER TABLE plain_table ENABLE REPLICA TRIGGER row_trigger", "trigger s.plain_table.row_trigger"),
    ("DROP RULE plain_rule ON child_table", "rule s.child_table.plain_rule"),
    ("ALTER TABLE child_table DISABLE RULE plain_rule", "rule s.child_table.plain_rule"),
    ("DROP RULE rule_of_view ON view_with_rule", "rule s.view_with_rule.rule_of_view"),
    ("ALTER VIEW plain_view RESET (security_barrier)", "view s.plain_view"),
    ("ALTER VIEW plain_view SET (check_option = 'local')", "view s.plain_view"),
    ("ALTER POLICY plain_policy ON plain_table USING (amount > 1)", "policy s.plain_table.plain_policy"),
]
# The same for what only PostgreSQL 18 has.
CHANGES_18 = [
    ("ALTER TABLE g ADD CONSTRAINT g_a_not_null NOT NULL a NOT VALID", "constraint s.g.g_a_not_null"),
    ("ALTER TABLE g DROP e, ADD e int GENERATED ALWAYS AS (a) STORED", "column s.g.e"),
    ("ALTER TABLE g ALTER CONSTRAINT g_k NOT ENFORCED", "constraint s.g.g_k"),
    (
        "ALTER TABLE g DROP CONSTRAINT g_u, ADD CONSTRAINT g_u UNIQUE (i, d WITHOUT OVERLAPS)",
        "constraint s.g.g_u",
    ),
]
OF_18 = """
    CREATE TABLE g (a int, i int4range, d daterange, e int GENERATED ALWAYS AS (a) VIRTUAL,
        f int UNIQUE, CONSTRAINT g_k FOREIGN KEY (a) REFERENCES g (f), CONSTRAINT g_u UNIQUE (i, d));
"""


@pytest.fixture(scope="module")
def connection(pgauthkit_server: TestServer) -> Iterator[sa.Connection]:
    """A database with one object of every kind in the schema `s`; the server undoes each change."""
    with pgauthkit_server.database() as url:
        with psycopg.connect(url, autocommit=True) as admin:
            admin.execute("CREATE SCHEMA s; CREATE SCHEMA t")
            for schema in ("s", "t"):
                admin.execute(f"SET search_path = {schema}".encode())
                text = EVERY_KIND if schema == "s" else without_wrapper(EVERY_KIND)
                admin.execute((text + (OF_18 if admin.info.server_version >= 180000 else "")).encode())
        with engine_for(url).connect() as opened:
            yield opened


def without_wrapper(text: str) -> str:
    """Return it without the two things that are the database's."""
    return "\n".join(
        line for line in text.splitlines() if not line.startswith(("CREATE FOREIGN DATA WRAPPER", "CREATE SERVER"))
    )


def changed(connection: sa.Connection, sql: str) -> set[str]:
    """Return what differs after a change, which is undone."""
    before = describe(connection, ["s"])
    try:
        connection.execute(sa.text("SET search_path = s"))
        connection.exec_driver_sql(sql)
        after = describe(connection, ["s"])
    finally:
        connection.rollback()
    names = before.keys() | after.keys()
    return {f"{item.kind} {item.name}" for item in names if before.get(item) != after.get(item)}


def moved(found: Mapping[Item, str]) -> list[str]:
    """Return names and definitions as if they were of the schema `s`."""
    return sorted(f"{item.kind} {item.name} {text}".replace("t.", "s.") for item, text in found.items())


def test_of_itself(connection: sa.Connection) -> None:
    """The same statements twice are described the same."""
    one, other = describe(connection, ["s"]), describe(connection, ["t"])
    connection.rollback()

    assert [line.replace("t.", "s.") for line in moved(one)] == moved(other)
    assert len(one) > 100


@pytest.mark.parametrize(("sql", "what"), CHANGES)
def test_each_change(connection: sa.Connection, sql: str, what: str) -> None:
    """Each change by hand of an object of any kind is noticed."""
    assert what in changed(connection, sql)


def test_changes_of_18(connection: sa.Connection) -> None:
    """What PostgreSQL 18 can say is noticed there; an older server does not know it."""
    version = connection.dialect.server_version_info or (0,)
    known = CHANGES_18 if version >= (18,) else ()

    assert [what for sql, what in known if what not in changed(connection, sql)] == []
