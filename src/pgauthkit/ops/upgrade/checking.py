"""The check before the switch: each row of each table, on both sides."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final, LiteralString

import attrs
from psycopg import sql

from pgauthkit.errors import MigrationError
from pgauthkit.ops.upgrade.copying import begin, catch_up, wait_for_tables
from pgauthkit.ops.upgrade.planning import Plan, PlannedTable, look
from pgauthkit.ops.upgrade.sides import Report, Side, Sides, both, quoted

__all__ = ["Check", "TableCheck", "bring_up", "check", "compare"]

_ROUNDS: Final = 20
"""How often rows that differ are looked at again: a row that changes all the time is equal in one of them."""

_BATCH: Final = 10_000
_KEY: Final[LiteralString] = """
SELECT pg_catalog.quote_ident(a.attname)
FROM pg_catalog.pg_index i, pg_catalog.unnest(i.indkey::int2[]) WITH ORDINALITY AS k (number, place),
    pg_catalog.pg_attribute a
WHERE i.indrelid = %(table)s::pg_catalog.regclass AND a.attrelid = i.indrelid AND a.attnum = k.number
    AND i.indexrelid = (SELECT indexrelid FROM pg_catalog.pg_index WHERE indrelid = i.indrelid
        AND (indisprimary OR indisreplident) ORDER BY indisreplident DESC LIMIT 1)
ORDER BY k.place
"""


@attrs.frozen(kw_only=True)
class TableCheck:
    """A table on both sides.

    Attributes:
        name: with its schema.
        rows: how many were compared.
        different: how many are not the same on both, or on one alone.
    """

    name: str
    rows: int
    different: int


@attrs.frozen(kw_only=True)
class Check:
    """What a check found.

    Attributes:
        tables: each that is replicated.
    """

    tables: tuple[TableCheck, ...]

    @property
    def is_equal(self) -> bool:
        """Whether every row is on both sides, and the same."""
        return not any(table.different for table in self.tables)


def check(old: str, new: str, *, binaries: Path | None = None, report: Report = lambda _sentence: None) -> Check:
    """Bring the new side up, and compare every row with the old side, while the application goes on writing.

    The first time it copies the schema and the rows, which takes as long as a backup and a restore; it may be stopped
    at any moment, and be called again. Rows that differ are looked at again, as they may have changed in between.

    Args:
        old: the URL of the database that is left.
        new: the URL of the database on the new server.
        binaries: the directory of a pg_dump of the new version; None to find one.
        report: is given a sentence about each step.

    Raises:
        MigrationError: there is an obstacle (see `plan`), or the new server cannot apply something.
        DatabaseUnavailableError: one of the servers cannot be reached.

    Example:
        >>> check("postgresql://old.example/shop", "postgresql://new.example/shop").is_equal  # doctest: +SKIP
        True
    """
    with both(old, new) as sides:
        tables = bring_up(sides, report, binaries=binaries)
        return Check(tables=tuple(compare(sides, table, report) for table in tables if not table.is_unlogged))


def bring_up(sides: Sides, report: Report, *, binaries: Path | None = None) -> tuple[PlannedTable, ...]:
    """Begin where nothing was begun, and wait until the new side has caught up. Returns the tables."""
    found: Plan = look(sides)
    if found.obstacles:
        raise MigrationError(" ".join(["Nothing was changed.", *found.obstacles]))
    if not found.is_copying:
        begin(sides, found, report, binaries=binaries)
    wait_for_tables(sides, report)
    report("Catching up …")
    catch_up(sides)
    return found.tables


def compare(sides: Sides, table: PlannedTable, report: Report = lambda _sentence: None) -> TableCheck:
    """Compare the rows of a table."""
    report(f"Comparing {table.name} …")
    question = _question(sides.old, table)
    rows, different = _merge(_rows(sides.old, question), _rows(sides.new, question))
    for _ in range(_ROUNDS):
        if not different:
            break
        catch_up(sides)
        again = sql.SQL("SELECT * FROM ({}) AS r (k, h) WHERE k = ANY({})").format(question, sorted(different))
        _, different = _merge(_rows(sides.old, again), _rows(sides.new, again))
    return TableCheck(name=table.name, rows=rows, different=len(different))


def _question(old: Side, table: PlannedTable) -> sql.Composable:
    """What gives a text for each row, which tells it from the others, and a number that says what is in it.

    Without a key a row stands for all that are like it, and their count is the number.
    """
    name = quoted(table.name)
    key = sql.SQL(", ").join(quoted(column) for (column,) in old.ask(_KEY, table=table.name))
    hashed = sql.SQL("pg_catalog.hashtextextended(t::text, 0)")
    if not key.as_string():
        return sql.SQL("SELECT {}::text, pg_catalog.count(*) FROM {} AS t GROUP BY 1").format(hashed, name)
    return sql.SQL("SELECT ROW({})::text, {} FROM {} AS t").format(key, hashed, name)


def _rows(side: Side, question: sql.Composable) -> Iterator[tuple[str, int]]:
    ordered = sql.SQL('SELECT * FROM ({}) AS q (k, h) ORDER BY k COLLATE "C"').format(question)
    with side.connection.transaction(), side.connection.cursor(name="pgauthkit_rows") as cursor:
        cursor.itersize = _BATCH
        yield from cursor.execute(ordered)


def _merge(left: Iterator[tuple[str, int]], right: Iterator[tuple[str, int]]) -> tuple[int, set[str]]:
    """Walk through two ordered lists at once: how many there are, and the keys of those that are not on both."""
    rows, different = 0, set[str]()
    nothing: tuple[Any, Any] = (None, None)
    one, other = next(left, nothing), next(right, nothing)
    while one != nothing or other != nothing:
        rows += 1
        if one == other:
            one, other = next(left, nothing), next(right, nothing)
        elif other == nothing or (one != nothing and one[0].encode() < other[0].encode()):
            different.add(one[0])
            one = next(left, nothing)
        elif one == nothing or other[0].encode() < one[0].encode():
            different.add(other[0])
            other = next(right, nothing)
        else:
            different.add(one[0])
            one, other = next(left, nothing), next(right, nothing)
    return rows, different
