"""What SQLAlchemy does not read of constraints, indexes and tables: put into what it has read, or named."""

from collections.abc import Iterator
from typing import Any, Final

from sqlalchemy import (
    CheckConstraint,
    Connection,
    MetaData,
    PrimaryKeyConstraint,
    Row,
    Table,
    TextClause,
    UniqueConstraint,
    literal_column,
    text,
)
from sqlalchemy.schema import Constraint

__all__ = ["complete"]

# NOT ENFORCED, and what has a period, are new in PostgreSQL 18. Of a CHECK that is not enforced SQLAlchemy reads the
# name alone; of a UNIQUE not that it is deferrable; and what is NOT VALID it does not put where it belongs.
_CONSTRAINTS: Final = text("""
    SELECT nspname, relname, conname AS name, definition, pg_catalog.pg_get_expr(conbin, conrelid) AS condition,
    condeferrable, condeferred, definition LIKE '% NOT VALID' AS is_not_valid, definition LIKE '% NOT ENFORCED'
    OR contype = 'c' AND connoinherit
    OR contype IN ('p', 'u', 'f') AND definition ~ '[(,] ?PERIOD | WITHOUT OVERLAPS[)]' AS is_unsaid
    FROM pg_catalog.pg_constraint JOIN pg_catalog.pg_class ON pg_class.oid = conrelid
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace
    CROSS JOIN LATERAL pg_catalog.pg_get_constraintdef(pg_constraint.oid) AS definition
    WHERE contype IN ('c', 'f', 'p', 'u') ORDER BY CAST(conrelid AS pg_catalog.regclass), conname
""")
# Keys with a collation of their own, and with an order or a class of operators where SQLAlchemy has no place for it:
# an order only of columns, a class only of what has none. https://www.postgresql.org/docs/16/catalog-pg-index.html
_INDEXES: Final = text("""
    WITH keys AS (
    SELECT indexrelid, indrelid, place, indkey[place - 1] = 0 AS is_expression, opcdefault, flags,
    pg_catalog.pg_get_indexdef(indexrelid, CAST(place AS int), false) AS said,
    CASE WHEN collation_ <> coalesce(attcollation, 100) AND collation_ <> 0
         THEN ' COLLATE ' || CAST(CAST(collation_ AS regcollation) AS text) END AS collated,
    CASE WHEN NOT opcdefault THEN ' ' || CASE WHEN pg_catalog.pg_opclass_is_visible(pg_opclass.oid) THEN ''
         ELSE pg_catalog.format('%I.', opcnamespace::regnamespace) END || pg_catalog.quote_ident(opcname) END AS class,
    CASE flags WHEN 1 THEN ' DESC NULLS LAST' WHEN 2 THEN ' NULLS FIRST' WHEN 3 THEN ' DESC' END AS turn
    FROM pg_catalog.pg_index CROSS JOIN LATERAL unnest(CAST(indclass AS oid[]), CAST(indcollation AS oid[]),
         CAST(indoption AS int2[])) WITH ORDINALITY AS each (class_, collation_, flags, place)
    JOIN pg_catalog.pg_opclass ON pg_opclass.oid = class_
    LEFT JOIN pg_catalog.pg_attribute ON attrelid = indrelid AND attnum = indkey[place - 1] AND attnum <> 0)
    SELECT nspname, pg_class.relname, of_it.relname AS name,
    array_agg(concat(said, collated, class, turn) ORDER BY place) AS parts
    FROM keys JOIN pg_catalog.pg_class ON pg_class.oid = indrelid
    JOIN pg_catalog.pg_class AS of_it ON of_it.oid = indexrelid
    JOIN pg_catalog.pg_namespace ON pg_namespace.oid = pg_class.relnamespace GROUP BY 1, 2, 3
    HAVING bool_or(collated IS NOT NULL OR is_expression AND flags <> 0
                   OR NOT opcdefault AND (is_expression OR flags <> 0))
""")
_PARTITIONED: Final = text(
    "SELECT nspname, relname, pg_catalog.pg_get_partkeydef(pg_class.oid) AS definition"
    " FROM pg_catalog.pg_partitioned_table JOIN pg_catalog.pg_class ON pg_class.oid = partrelid"
    " JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace"
)
# Which SQLAlchemy takes for a default of the column.
_DEFAULTS: Final = text(
    "SELECT nspname, relname, attname AS name FROM pg_catalog.pg_attribute JOIN pg_catalog.pg_type"
    " ON pg_type.oid = atttypid JOIN pg_catalog.pg_class ON pg_class.oid = attrelid"
    " JOIN pg_catalog.pg_namespace ON pg_namespace.oid = relnamespace"
    " WHERE typtype = 'd' AND typdefault IS NOT NULL AND NOT atthasdef AND attnum > 0"
)
_HOME: Final = text("SELECT pg_catalog.current_schema()")


def complete(connection: Connection, metadata: MetaData) -> Iterator[str]:
    """Put what SQLAlchemy does not read into tables that were reflected, and name what a model cannot say.

    Args:
        connection: to the database; reads only.
        metadata: the tables; changed in place.

    Example:
        >>> list(complete(connection, metadata))  # doctest: +SKIP
        ['The constraint fk_parent is FOREIGN KEY … NOT ENFORCED: a model cannot say all of it.']
    """
    for row, table in _found(connection, metadata, _PARTITIONED):
        table.dialect_kwargs["postgresql_partition_by"] = row.definition
    for row, table in _found(connection, metadata, _DEFAULTS):
        table.columns[row.name].server_default = None
    for row, table in _found(connection, metadata, _INDEXES):
        for index in (one for one in table.indexes if one.name == row.name):
            index.expressions = list(map(literal_column, row.parts))
            index.dialect_kwargs["postgresql_ops"] = {}
    for row, table in _found(connection, metadata, _CONSTRAINTS):
        for constraint in (one for one in table.constraints if one.name == row.name):
            _complete(constraint, row)
            if row.is_unsaid:
                yield f"The constraint {row.name} is {row.definition}: a model cannot say all of it."


def _found(connection: Connection, metadata: MetaData, query: TextClause) -> Iterator[tuple[Row[Any], Table]]:
    home = connection.scalar(_HOME)
    for row in connection.execute(query):
        table = metadata.tables.get(row.relname if row.nspname == home else f"{row.nspname}.{row.relname}")
        if table is not None:
            yield row, table


def _complete(constraint: Constraint, row: Row[Any]) -> None:
    if isinstance(constraint, CheckConstraint) and row.is_unsaid:
        constraint.sqltext = text(row.condition)
    if isinstance(constraint, PrimaryKeyConstraint | UniqueConstraint) and row.condeferrable:
        constraint.deferrable, constraint.initially = True, "DEFERRED" if row.condeferred else None
    if row.is_not_valid:
        constraint.dialect_kwargs["postgresql_not_valid"] = True
