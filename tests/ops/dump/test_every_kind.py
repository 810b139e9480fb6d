"""One of every kind of object: nothing is lost in a backup and a restore, and nothing is left of what is dropped."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pgauthkit.errors import RestoreError
from pgauthkit.ops.backup import backup
from pgauthkit.ops.dump.verification import rehearse
from pgauthkit.ops.restore import restore

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.ops.conftest import Database

    from pgauthkit.ops.dump.manifest import Format

SQL = Path(__file__).parents[1]
# What pg_depend knows, of whichever kind: all that somebody has made, as the server describes it. Triggers of foreign
# keys are named after the key's number.
KINDS = """
    SELECT CAST(CAST(classid AS regclass) AS text),
    regexp_replace(pg_describe_object(classid, objid, 0), 'RI_ConstraintTrigger_(.)_\\d+', 'of a key, \\1') FROM (
        SELECT classid, objid FROM pg_depend UNION SELECT refclassid, refobjid FROM pg_depend) AS found
    WHERE objid >= 16384 AND (classid, objid) NOT IN (
        SELECT classid, objid FROM pg_depend WHERE deptype = 'e' OR (deptype = 'i' AND classid = 'pg_class'::regclass
        AND objid <> refobjid)) AND classid NOT IN ('pg_extension'::regclass, 'pg_database'::regclass)
    AND pg_describe_object(classid, objid, 0) !~ 'pg_toast|of statistics object'
    ORDER BY 1, 2
"""
PRIVILEGES = "SELECT defaclnamespace::regnamespace::text, defaclobjtype, defaclacl::text FROM pg_default_acl ORDER BY 1"
SLOT = "ALTER SUBSCRIPTION plain_subscription SET (slot_name = {})"
# Every catalog whose objects a dump can write: https://www.postgresql.org/docs/16/catalogs-overview.html
CATALOGS = {
    *("pg_am", "pg_attrdef", "pg_cast", "pg_class", "pg_collation", "pg_constraint", "pg_conversion", "pg_default_acl"),
    *("pg_event_trigger", "pg_foreign_data_wrapper", "pg_foreign_server", "pg_language", "pg_namespace", "pg_opclass"),
    *("pg_operator", "pg_opfamily", "pg_policy", "pg_proc", "pg_publication_rel", "pg_rewrite", "pg_statistic_ext"),
    *("pg_transform", "pg_trigger", "pg_ts_config", "pg_ts_dict", "pg_ts_parser", "pg_ts_template", "pg_type"),
    *("pg_user_mapping", "pg_publication", "pg_amop", "pg_amproc"),
}

# The kinds within a catalog that a dump writes, as each says it: https://www.postgresql.org/docs/16/catalog-pg-class.html
# and the pages beside it. Not a toast table (`t`), which nobody makes, nor a trigger's row in pg_constraint of 9.0.
WITHIN = {
    "SELECT relkind FROM pg_class": "rpvmfSiIc",
    "SELECT relpersistence FROM pg_class": "pu",
    "SELECT typtype FROM pg_type": "bcdepmr",
    "SELECT prokind FROM pg_proc": "fpaw",
    "SELECT aggkind FROM pg_aggregate JOIN pg_proc ON pg_proc.oid = aggfnoid": "noh",
    "SELECT contype FROM pg_constraint": "cfputx",
    "SELECT partstrat FROM pg_partitioned_table JOIN pg_class ON pg_class.oid = partrelid": "rlh",
    "SELECT attidentity FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE attidentity <> ''": "ad",
    "SELECT attgenerated FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE attgenerated <> ''": "s",
    "SELECT tgenabled FROM pg_trigger": "OADR",
    "SELECT ev_type FROM pg_rewrite JOIN pg_class ON pg_class.oid = ev_class": "1234",
    "SELECT polcmd FROM pg_policy": "*rawd",
    "SELECT unnest(stxkind) FROM pg_statistic_ext": "dfme",
    "SELECT relreplident FROM pg_class": "dfni",
}


@pytest.fixture
def every_kind(database: Database) -> Iterator[Database]:
    """A migrated database with one of every kind of object."""
    database.run((SQL / "every_kind.sql").read_text(), (SQL / "beside_schemas.sql").read_text())
    database.run(
        'CREATE TABLE public."100%" ()', "CREATE OPERATOR %% (FUNCTION = int4pl, LEFTARG = int, RIGHTARG = int)"
    )
    yield database
    # No database with a subscription can be dropped.
    database.run(SLOT.format("NONE"), "DROP SUBSCRIPTION plain_subscription")


def kinds(database: Database) -> list[tuple[object, ...]]:
    return database.ask(KINDS)


def test_there_is_one_of_each(every_kind: Database) -> None:
    """The SQL that the other tests stand on misses no kind that the server's catalogs know and a dump has."""
    assert CATALOGS - {kind for kind, _ in kinds(every_kind)} == set()


def test_there_is_one_of_each_within(every_kind: Database) -> None:
    """Nor does it miss a kind within a catalog: of relations, types, routines, constraints, rules and so on."""
    missing = {query: set(wanted) - _own(every_kind, query) for query, wanted in WITHIN.items()}
    assert {query: sorted(kinds) for query, kinds in missing.items() if kinds} == {}


def _own(database: Database, query: str) -> set[str]:
    """Return what a query finds among the objects that are not the server's own."""
    own = "aggfnoid" if "pg_aggregate" in query else "pg_class.oid" if "JOIN pg_class" in query else "oid"
    joined = f"{query} {'AND' if 'WHERE' in query else 'WHERE'} {own} >= 16384"
    return {str(kind) for (kind,) in database.ask(joined)}


@pytest.mark.parametrize("format_", ["custom", "plain"])
def test_nothing_is_lost_or_left(format_: Format, every_kind: Database, tmp_path: Path) -> None:
    """Over a database full of other objects, all comes back as it was, and nothing else is there any more."""
    before, rows, privileges = kinds(every_kind), every_kind.checksums(), every_kind.ask(PRIVILEGES)
    done = backup(every_kind.url, directory=tmp_path, format=format_)
    every_kind.run("CREATE TABLE late (day date) PARTITION BY RANGE (day)", 'CREATE COLLATION late FROM "C"')
    every_kind.run("ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT UPDATE ON SEQUENCES TO PUBLIC")

    restored = restore(done.file, every_kind.url, clean=True, name=every_kind.name)

    assert restored.discrepancies == ()
    assert kinds(every_kind) == before
    assert (every_kind.checksums(), every_kind.ask(PRIVILEGES)) == (rows, privileges)
    assert rehearse(done.file).discrepancies == ()


def test_clean_leaves_nothing(every_kind: Database, empty: Database, tmp_path: Path) -> None:
    """Restoring a dump of an empty database over it leaves none of any kind."""
    nothing = kinds(empty)
    done = backup(empty.url, directory=tmp_path)

    restore(done.file, every_kind.url, clean=True, name=every_kind.name)
    left = kinds(every_kind), every_kind.ask(PRIVILEGES)
    every_kind.run((SQL / "every_kind.sql").read_text(), (SQL / "beside_schemas.sql").read_text())

    assert left == (nothing, [])


def test_a_subscription_with_a_slot(every_kind: Database, tmp_path: Path) -> None:
    """A subscription with a slot on another server can be dropped by no transaction, which is said before."""
    done = backup(every_kind.url, directory=tmp_path)
    every_kind.run(SLOT.format("'theirs'"))
    checksums = every_kind.checksums()

    with pytest.raises(RestoreError, match=r"drop a subscription: plain_subscription\. The database was not touched"):
        restore(done.file, every_kind.url, clean=True, name=every_kind.name)
    assert every_kind.checksums() == checksums
