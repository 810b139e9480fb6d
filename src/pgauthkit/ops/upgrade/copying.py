"""The copy: the schema once, then every row and every change, by the servers themselves."""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final, LiteralString

from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgauthkit.database.replication import written
from pgauthkit.errors import MigrationError
from pgauthkit.ops.dump.child import start
from pgauthkit.ops.dump.programs import Programs, find_programs
from pgauthkit.ops.dump.replay import Script, replay
from pgauthkit.ops.upgrade.planning import Plan, PlannedTable
from pgauthkit.ops.upgrade.sides import NAME, Report, Side, Sides, quoted

__all__ = ["PUBLISHED", "begin", "catch_up", "identify", "wait_for_tables"]

_PAUSE: Final = 0.02  # seconds between two questions
PUBLISHED: Final[LiteralString] = """
SELECT pg_catalog.obj_description(oid, 'pg_publication') FROM pg_catalog.pg_publication WHERE pubname = %(name)s
"""
_REPLAYED: Final[LiteralString] = """
SELECT coalesce(bool_or(replay_lsn >= %(position)s::pg_catalog.pg_lsn), false)
FROM pg_catalog.pg_stat_replication WHERE application_name = %(name)s
"""
_WAITING: Final[LiteralString] = """
SELECT count(*) FROM pg_catalog.pg_subscription_rel
WHERE srsubid = (SELECT oid FROM pg_catalog.pg_subscription WHERE subname = %(name)s) AND srsubstate <> 'r'
"""
_ERRORS: Final[LiteralString] = """
SELECT coalesce(sum(apply_error_count + sync_error_count), 0)
FROM pg_catalog.pg_stat_subscription_stats WHERE subname = %(name)s
"""
_FAILED: Final = (
    "The new server cannot apply what the old one sends: see its log. Where the schema was changed meanwhile, change it"
    " there as well, or begin again: pgauthkit upgrade cancel."
)


def begin(sides: Sides, plan: Plan, report: Report, *, binaries: Path | None = None) -> None:
    """Copy the schema, and let the new server follow the old one.

    Raises:
        MigrationError: the schema cannot be copied, or the servers do not reach each other.
        ConfigError: there is no pg_dump of the new version.
    """
    report("Copying the schema …")
    _copy_schema(sides, _programs(sides.new.major, binaries))
    report("Copying the rows …")
    if not sides.old.ask(PUBLISHED, name=NAME):
        _publish(sides.old, [table for table in plan.tables if not table.is_unlogged])
    address = sides.old.address
    conninfo = make_conninfo(**{**address.parameters, "application_name": NAME}, password=address.password or None)
    subscribe = sql.SQL("CREATE SUBSCRIPTION {} CONNECTION {} PUBLICATION {}")
    sides.new.run(subscribe.format(sql.Identifier(NAME), sql.Literal(conninfo), sql.Identifier(NAME)))


def identify(old: Side, table: str, by: LiteralString) -> None:
    """Say what tells the rows of a table apart, where they are changed: DEFAULT, or FULL for all columns."""
    old.run(sql.SQL("ALTER TABLE {} REPLICA IDENTITY ").format(quoted(table)) + sql.SQL(by))


def _publish(old: Side, tables: Sequence[PlannedTable]) -> None:
    """Publish tables by their names, as FOR ALL TABLES wants a superuser; those without a key by all of their columns.

    The publication has a comment with the names of the latter, for `part`: another table may have had its identity
    from the application. All at once, as a published table without a key refuses UPDATE and DELETE.
    """
    name, changed = sql.Identifier(NAME), [table.name for table in tables if not table.has_key]
    published = sql.SQL(", ").join(quoted(table.name) for table in tables)
    with old.connection.transaction():
        for table in changed:
            identify(old, table, "FULL")
        old.run(sql.SQL("CREATE PUBLICATION {} FOR TABLE {}").format(name, published))
        old.run(sql.SQL("COMMENT ON PUBLICATION {} IS {}").format(name, sql.Literal(json.dumps(changed))))


def wait_for_tables(sides: Sides, report: Report) -> None:
    """Wait until every table has been copied.

    Raises:
        MigrationError: the new server cannot apply something.
    """
    last = -1
    while waiting := sides.new.ask(_WAITING, name=NAME)[0][0]:
        _check_errors(sides)
        if waiting != last:
            report(f"Copying the rows: {waiting} tables to go …")
            last = waiting
        time.sleep(_PAUSE)


def catch_up(sides: Sides) -> None:
    """Wait until the new side has all that was written on the old one by now.

    Raises:
        MigrationError: the new server cannot apply something.
    """
    position = written(sides.old.connection)
    while not sides.old.ask(_REPLAYED, position=position, name=NAME)[0][0]:
        _check_errors(sides)
        time.sleep(_PAUSE)


def _check_errors(sides: Sides) -> None:
    if sides.new.ask(_ERRORS, name=NAME)[0][0]:
        raise MigrationError(_FAILED)


def _programs(major: int, binaries: Path | None) -> Programs:
    found = [programs for programs in find_programs(binaries=binaries) if programs.major >= major]
    if not found:
        raise MigrationError(f"There is no pg_dump of version {major} here: give its directory with --binaries.")
    return found[0]


def _copy_schema(sides: Sides, programs: Programs) -> None:
    old, new = sides.old.address, sides.new.address
    what = ("--schema-only", "--no-publications", "--no-subscriptions")
    dump = programs.command("pg_dump", *what, f"--dbname={programs.conninfo(old)}")
    with tempfile.TemporaryFile() as file:
        with start(dump, environment=old.environment, stdout=file) as child:
            if failure := child.wait():
                raise MigrationError(f"The schema cannot be copied, and the new database is as it was: {failure}")
        replay(Script(dump=file, format="plain"), programs, new, server=sides.new.major)
