"""The switch: a pause in which nobody writes, and what replication does not bring."""

import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, LiteralString

import attrs
from psycopg import sql

from pgauthkit.errors import MigrationError
from pgauthkit.ops.upgrade.cancelling import part
from pgauthkit.ops.upgrade.checking import bring_up, compare
from pgauthkit.ops.upgrade.copying import catch_up
from pgauthkit.ops.upgrade.planning import PlannedTable
from pgauthkit.ops.upgrade.sides import Report, Sides, both, quoted

__all__ = ["Switch", "switch"]

_SEQUENCES: Final[LiteralString] = """
SELECT pg_catalog.quote_ident(schemaname) || '.' || pg_catalog.quote_ident(sequencename), last_value
FROM pg_catalog.pg_sequences WHERE last_value IS NOT NULL ORDER BY 1
"""
_SET: Final[LiteralString] = "SELECT pg_catalog.setval(%(sequence)s::pg_catalog.regclass, %(value)s)"
_VIEWS: Final[LiteralString] = """
SELECT oid::pg_catalog.regclass::text FROM pg_catalog.pg_class WHERE relkind = 'm' AND relispopulated ORDER BY oid
"""
_END_OTHERS: Final[LiteralString] = """
SELECT pg_catalog.pg_terminate_backend(pid) FROM pg_catalog.pg_stat_activity
WHERE datname = pg_catalog.current_database() AND backend_type = 'client backend' AND pid <> pg_catalog.pg_backend_pid()
"""


@attrs.frozen(kw_only=True)
class Switch:
    """What a switch did.

    Attributes:
        pause: seconds from the last write on the old server to the moment when the new one can take the next.
        sequences: how many were set.
        unlogged: how many rows of UNLOGGED tables were copied.
        views: how many materialized views were refreshed.
        rows: how many rows were compared in the pause; 0 where that was not asked for.
    """

    pause: float
    sequences: int
    unlogged: int
    views: int
    rows: int


def switch(
    old: str,
    new: str,
    *,
    compare_rows: bool = False,
    binaries: Path | None = None,
    report: Report = lambda _sentence: None,
) -> Switch:
    """Let nobody write on the old side, give the new one the rest, and let it go. Then the application moves.

    What the application writes in the pause is refused with SQLSTATE 25006, `DatabaseUnavailableError` of the service.
    Afterwards the old side stays read only, so that nothing is written there by mistake, until it is switched off.

    Args:
        old: the URL of the database that is left.
        new: the URL of the database on the new server.
        compare_rows: whether every row is compared once more, in the pause, which then takes as long as that.
        binaries: see `check`.
        report: is given a sentence about each step.

    Raises:
        MigrationError: there is an obstacle, the new server cannot apply something, or rows differ. The old side
            takes writes again.
        DatabaseUnavailableError: one of the servers cannot be reached.

    Example:
        >>> switch("postgresql://old.example/shop", "postgresql://new.example/shop").pause  # doctest: +SKIP
        0.31
    """
    with both(old, new) as sides:
        tables = bring_up(sides, report, binaries=binaries)
        report("Letting nobody write on the old server …")
        began = time.monotonic()
        with _read_only(sides):
            catch_up(sides)
            rows = _compare(sides, tables) if compare_rows else 0
            sequences = _set_sequences(sides)
            unlogged = sum(_copy(sides, table) for table in tables if table.is_unlogged)
            views = _refresh(sides)
        pause = time.monotonic() - began
        report("Parting the servers …")
        part(sides)
        return Switch(pause=pause, sequences=sequences, unlogged=unlogged, views=views, rows=rows)


@contextmanager
def _read_only(sides: Sides) -> Generator[None]:
    database = sql.Identifier(str(sides.old.address.parameters["dbname"]))
    sides.old.run(sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(database))
    try:
        sides.old.ask(_END_OTHERS)
        yield
    except BaseException:
        sides.old.run(sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(database))
        sides.old.ask(_END_OTHERS)
        raise


def _compare(sides: Sides, tables: tuple[PlannedTable, ...]) -> int:
    found = [compare(sides, table) for table in tables if not table.is_unlogged]
    if wrong := [f"{table.name} ({table.different})" for table in found if table.different]:
        raise MigrationError(f"Rows differ, and the old server takes writes again: {', '.join(wrong)}.")
    return sum(table.rows for table in found)


def _set_sequences(sides: Sides) -> int:
    found = sides.old.ask(_SEQUENCES)
    for sequence, value in found:
        sides.new.ask(_SET, sequence=sequence, value=value)
    return len(found)


def _copy(sides: Sides, table: PlannedTable) -> int:
    name = quoted(table.name)
    with (
        sides.old.connection.cursor() as source,
        sides.new.connection.cursor() as target,
        source.copy(sql.SQL("COPY {} TO STDOUT").format(name)) as reader,
        target.copy(sql.SQL("COPY {} FROM STDIN").format(name)) as writer,
    ):
        for block in reader:
            writer.write(block)
    return source.rowcount


def _refresh(sides: Sides) -> int:
    found = sides.old.ask(_VIEWS)
    for (view,) in found:
        sides.new.run(sql.SQL("REFRESH MATERIALIZED VIEW {}").format(quoted(view)))
    return len(found)
