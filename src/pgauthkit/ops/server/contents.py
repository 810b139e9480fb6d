"""What is in a database beside PostgreSQL's own and its extensions': to tell that it is empty, and to empty it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

__all__ = ["statements_to_empty", "statements_to_empty_schemas"]

# The schema public stays, with its owner and grants, and what is in it goes piece by piece; the others go whole.
_WHOLE: Final = text("""
    WITH kept AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype IN ('e', 'i'))
    SELECT format('DROP PUBLICATION %I', pubname), 0 AS turn FROM pg_catalog.pg_publication
    UNION ALL
    SELECT format('DROP EVENT TRIGGER %I', evtname), 0 FROM pg_catalog.pg_event_trigger
    WHERE (CAST('pg_event_trigger' AS regclass), oid) NOT IN (TABLE kept)
    UNION ALL
    SELECT format('DROP SCHEMA %I CASCADE', nspname), 1 FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^(pg_|information_schema$|public$)'
    AND (CAST('pg_namespace' AS regclass), oid) NOT IN (TABLE kept)
    UNION ALL
    SELECT format('SELECT pg_catalog.lo_unlink(%s)', oid), 2 FROM pg_catalog.pg_largeobject_metadata
    ORDER BY 2, 1
""")
_PIECES: Final = text("""
    WITH kept AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype IN ('e', 'i')),
    schemas AS (SELECT oid, nspname FROM pg_catalog.pg_namespace WHERE nspname = ANY(:schemas)
                AND (CAST('pg_namespace' AS regclass), oid) NOT IN (TABLE kept))
    SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE relkind WHEN 'v' THEN 'VIEW' WHEN 'm' THEN 'MATERIALIZED VIEW'
                  WHEN 'S' THEN 'SEQUENCE' WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname), 0 AS turn
    FROM pg_catalog.pg_class JOIN schemas ON schemas.oid = relnamespace
    WHERE relkind IN ('r', 'p', 'v', 'm', 'S', 'f') AND (CAST('pg_class' AS regclass), pg_class.oid) NOT IN (TABLE kept)
    UNION ALL
    SELECT format('DROP ROUTINE IF EXISTS %s CASCADE', pg_proc.oid::regprocedure), 1
    FROM pg_catalog.pg_proc JOIN schemas ON schemas.oid = pronamespace
    WHERE (CAST('pg_proc' AS regclass), pg_proc.oid) NOT IN (TABLE kept)
    UNION ALL
    SELECT format('DROP TYPE IF EXISTS %I.%I CASCADE', nspname, typname), 2
    FROM pg_catalog.pg_type LEFT JOIN pg_catalog.pg_class ON pg_class.oid = typrelid
    JOIN schemas ON schemas.oid = typnamespace
    WHERE (typtype IN ('e', 'd') OR relkind = 'c' OR (typtype = 'r' AND typarray <> 0))
    AND (CAST('pg_type' AS regclass), pg_type.oid) NOT IN (TABLE kept)
    ORDER BY 2, 1
""")


def statements_to_empty(connection: Connection) -> tuple[str, ...]:
    """Return the statements that drop everything in a database but what belongs to its extensions. Reads only.

    Example:
        >>> statements_to_empty(connection)  # doctest: +SKIP
        ('DROP SCHEMA pgauthkit CASCADE', 'DROP TABLE IF EXISTS public.posts CASCADE')
    """
    return (*connection.scalars(_WHOLE), *statements_to_empty_schemas(connection, ["public"]))


def statements_to_empty_schemas(connection: Connection, schemas: Sequence[str]) -> tuple[str, ...]:
    """Return the statements that drop what is in schemas, which stay, with their owners and grants. Reads only.

    What belongs to an extension stays as well.

    Example:
        >>> statements_to_empty_schemas(connection, ["public"])  # doctest: +SKIP
        ('DROP TABLE IF EXISTS public.posts CASCADE',)
    """
    return tuple(connection.scalars(_PIECES, {"schemas": list(schemas)}))
