"""What is in a database beside PostgreSQL's own and its extensions': to tell that it is empty, and to empty it."""

from collections.abc import Sequence
from typing import Final

from sqlalchemy import Connection, text

__all__ = ["find_subscriptions", "statements_to_empty", "statements_to_empty_schemas", "statements_to_reset_privileges"]

# Objects that PostgreSQL makes itself have lower numbers: FirstNormalObjectId of src/include/access/transam.h.
_FIRST: Final = 16_384
# The schema public stays, with its owner and grants, and what is in it goes piece by piece; the others go whole.
# Event triggers go first, or they would see the rest go.
_WHOLE: Final = text(f"""
    WITH kept AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype IN ('e', 'i')),
    found (kind, name, turn, class, oid) AS (
    SELECT 'EVENT TRIGGER', quote_ident(evtname), 0, CAST('pg_event_trigger' AS regclass), oid
    FROM pg_catalog.pg_event_trigger
    UNION ALL SELECT 'SUBSCRIPTION', quote_ident(subname), 1, 'pg_subscription', pg_subscription.oid
    FROM pg_catalog.pg_subscription JOIN pg_catalog.pg_database ON pg_database.oid = subdbid
    WHERE datname = current_database()
    UNION ALL SELECT 'PUBLICATION', quote_ident(pubname), 1, 'pg_publication', oid FROM pg_catalog.pg_publication
    UNION ALL SELECT 'CAST', format('(%s AS %s)', format_type(castsource, NULL), format_type(casttarget, NULL)), 1,
    'pg_cast', oid FROM pg_catalog.pg_cast
    UNION ALL SELECT 'TRANSFORM', format('FOR %s LANGUAGE %I', format_type(trftype, NULL), lanname), 1, 'pg_transform',
    pg_transform.oid FROM pg_catalog.pg_transform JOIN pg_catalog.pg_language ON pg_language.oid = trflang
    UNION ALL SELECT 'SCHEMA', quote_ident(nspname), 2, 'pg_namespace', oid FROM pg_catalog.pg_namespace
    WHERE nspname !~ '^(pg_|information_schema$|public$)'
    UNION ALL SELECT 'LANGUAGE', quote_ident(lanname), 3, 'pg_language', oid FROM pg_catalog.pg_language
    UNION ALL SELECT 'ACCESS METHOD', quote_ident(amname), 3, 'pg_am', oid FROM pg_catalog.pg_am
    UNION ALL SELECT 'SERVER', quote_ident(srvname), 3, 'pg_foreign_server', oid FROM pg_catalog.pg_foreign_server
    UNION ALL SELECT 'FOREIGN DATA WRAPPER', quote_ident(fdwname), 4, 'pg_foreign_data_wrapper', oid
    FROM pg_catalog.pg_foreign_data_wrapper)
    SELECT format('DROP %s IF EXISTS %s CASCADE', kind, name), turn
    FROM found WHERE oid >= {_FIRST} AND (class, oid) NOT IN (TABLE kept)
    UNION ALL SELECT format('SELECT pg_catalog.lo_unlink(%s)', oid), 5 FROM pg_catalog.pg_largeobject_metadata
    ORDER BY 2, 1
""")  # noqa: S608 - a number of ours
# Whatever is in a schema depends on it, of whichever kind it is: the server keeps that list itself.
# https://www.postgresql.org/docs/16/catalog-pg-depend.html
_PIECES: Final = text("""
    WITH kept AS (SELECT classid, objid FROM pg_catalog.pg_depend WHERE deptype = 'e'
                  OR (deptype = 'i' AND (classid, objid) <> (refclassid, refobjid))),
    found AS (SELECT DISTINCT classid, objid FROM pg_catalog.pg_depend
              JOIN pg_catalog.pg_namespace ON pg_namespace.oid = refobjid
              WHERE refclassid = CAST('pg_namespace' AS regclass) AND deptype = 'n' AND nspname = ANY(:schemas)
              AND classid <> CAST('pg_extension' AS regclass)
              AND (refclassid, refobjid) NOT IN (SELECT classid, objid FROM kept)
              AND (classid, objid) NOT IN (TABLE kept))
    SELECT format('DROP %s IF EXISTS %s CASCADE', CASE WHEN type IN ('function', 'procedure', 'aggregate')
                  THEN 'ROUTINE' WHEN type = 'statistics object' THEN 'STATISTICS' ELSE upper(type) END, identity),
    classid <> CAST('pg_class' AS regclass)
    FROM found, pg_catalog.pg_identify_object(classid, objid, 0) ORDER BY 2, 1
""")
# One that says what is usual is no entry any more: https://www.postgresql.org/docs/16/catalog-pg-default-acl.html
_PRIVILEGES: Final = text("""
    SELECT format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s %s', rolname,
                  CASE WHEN nspname IS NOT NULL THEN format(' IN SCHEMA %I', nspname) END, change)
    FROM pg_catalog.pg_default_acl JOIN pg_catalog.pg_roles ON pg_roles.oid = defaclrole
    LEFT JOIN pg_catalog.pg_namespace ON pg_namespace.oid = defaclnamespace,
    LATERAL (SELECT CASE defaclobjtype WHEN 'r' THEN 'TABLES' WHEN 'S' THEN 'SEQUENCES' WHEN 'f' THEN 'FUNCTIONS'
             WHEN 'T' THEN 'TYPES' ELSE 'SCHEMAS' END) AS named (kind),
    LATERAL (SELECT 0, format('REVOKE ALL ON %s FROM %s', kind,
                              CASE grantee WHEN 0 THEN 'PUBLIC' ELSE CAST(CAST(grantee AS regrole) AS text) END)
             FROM aclexplode(defaclacl)
             UNION SELECT 1, format('GRANT %s ON %s TO %s', privilege_type, kind,
                                    CASE grantee WHEN 0 THEN 'PUBLIC' ELSE CAST(CAST(grantee AS regrole) AS text) END)
             FROM aclexplode(acldefault(defaclobjtype, defaclrole)) WHERE defaclnamespace = 0) AS changes (turn, change)
    WHERE (nspname IS NULL OR nspname = 'public') AND pg_has_role(defaclrole, 'USAGE')
    ORDER BY rolname, nspname, kind, turn, change
""")
_SUBSCRIPTIONS: Final = text(
    "SELECT subname FROM pg_catalog.pg_subscription JOIN pg_catalog.pg_database ON pg_database.oid = subdbid"
    " WHERE datname = current_database() AND subslotname IS NOT NULL ORDER BY 1"
)


def statements_to_empty(connection: Connection) -> tuple[str, ...]:
    """Return the statements that drop everything in a database but what belongs to its extensions. Reads only.

    Example:
        >>> statements_to_empty(connection)  # doctest: +SKIP
        ('DROP SCHEMA IF EXISTS pgauthkit CASCADE', 'DROP TABLE IF EXISTS public.posts CASCADE')
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


def statements_to_reset_privileges(connection: Connection) -> tuple[str, ...]:
    """Return the statements that make the default privileges of a database the usual ones again. Reads only.

    Those of schemas that are dropped go with the schemas.

    Example:
        >>> statements_to_reset_privileges(connection)  # doctest: +SKIP
        ('ALTER DEFAULT PRIVILEGES FOR ROLE app REVOKE ALL ON TABLES FROM PUBLIC', …)
    """
    return tuple(connection.scalars(_PRIVILEGES))


def find_subscriptions(connection: Connection) -> tuple[str, ...]:
    """Return the subscriptions that no transaction can drop, as they have a slot on another server. Reads only.

    Example:
        >>> find_subscriptions(connection)  # doctest: +SKIP
        ('orders_of_the_other_shop',)
    """
    return tuple(connection.scalars(_SUBSCRIPTIONS))
