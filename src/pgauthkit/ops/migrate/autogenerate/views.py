"""The views of a database, with all that goes when one is dropped: what stands on them, and what belongs to them."""

from collections.abc import Mapping, Sequence
from typing import Final

import attrs
from sqlalchemy import Connection, text

__all__ = ["Part", "View", "above", "read_views"]

# A view stands on another by the rule that is its query. The depth is that of the longest way down.
_VIEWS: Final = text("""
    WITH RECURSIVE edges AS (
        SELECT DISTINCT ev_class AS above, refobjid AS below
        FROM pg_rewrite JOIN pg_depend ON classid = 'pg_rewrite'::regclass AND objid = pg_rewrite.oid
        AND refclassid = 'pg_class'::regclass AND refobjid <> ev_class
    ),
    ways AS (
        SELECT oid, 0 AS depth FROM pg_class WHERE relkind IN ('v', 'm')
        UNION SELECT above, depth + 1 FROM ways JOIN edges ON below = oid
    )
    SELECT pg_class.oid, format('%s.%s', nspname, relname) AS name, format('%I.%I', nspname, relname) AS quoted,
        (SELECT max(depth) FROM ways WHERE ways.oid = pg_class.oid) AS depth,
        concat_ws(' ', CASE relkind WHEN 'm' THEN 'MATERIALIZED' END,
            'WITH (' || array_to_string(reloptions, ', ') || ')', pg_get_viewdef(pg_class.oid)) AS said,
        relkind = 'm' AND NOT relispopulated AS is_empty,
        ARRAY(SELECT format('%s.%s', space.nspname, other.relname)
              FROM edges JOIN pg_class AS other ON other.oid = below
              JOIN pg_namespace AS space ON space.oid = other.relnamespace
              WHERE above = pg_class.oid AND other.relkind IN ('v', 'm')) AS below
    FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
    WHERE relkind IN ('v', 'm') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
""")
# A role need not be in each database that the revision is applied to, nor need whoever applies it be its member.
_PARTS: Final = text(r"""
    WITH views AS (
        SELECT pg_class.*, format('%I.%I', nspname, relname) AS quoted
        FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE relkind IN ('v', 'm') AND nspname <> 'information_schema' AND nspname !~ '^pg_'
    ),
    parts AS (
        SELECT 1 AS place, 'pg_class'::regclass AS catalog, indexrelid AS part, indrelid AS view, 'index' AS kind,
            format('%s.%s', nspname, relname) AS name, pg_get_indexdef(indexrelid) AS statement,
            format('INDEX %I.%I', nspname, relname) AS target
        FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace
        UNION ALL
        SELECT 2, 'pg_statistic_ext'::regclass, oid, stxrelid, 'statistics', stxname, pg_get_statisticsobjdef(oid),
            format('STATISTICS %s', format('%I.%I', stxnamespace::regnamespace, stxname))
        FROM pg_statistic_ext
        UNION ALL
        SELECT 2, 'pg_trigger'::regclass, oid, tgrelid, 'trigger', tgname, pg_get_triggerdef(oid),
            format('TRIGGER %I ON %s', tgname, tgrelid::regclass)
        FROM pg_trigger WHERE NOT tgisinternal
        UNION ALL
        SELECT 2, 'pg_rewrite'::regclass, oid, ev_class, 'rule', rulename, rtrim(pg_get_ruledef(oid), ';'),
            format('RULE %I ON %s', rulename, ev_class::regclass)
        FROM pg_rewrite WHERE rulename <> '_RETURN'
    ),
    needs AS (
        SELECT parts.*, quoted, ARRAY(
            SELECT attname::text FROM pg_depend JOIN pg_attribute ON attrelid = view AND attnum = refobjsubid
            WHERE classid = catalog AND objid = part AND refclassid = 'pg_class'::regclass AND refobjid = view
            AND refobjsubid > 0) AS columns
        FROM parts JOIN views ON views.oid = view
    ),
    columns AS (
        SELECT views.oid AS view, quoted, attnum, attname, attacl, adbin, adrelid
        FROM views JOIN pg_attribute ON attrelid = views.oid AND attnum > 0
        LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
    ),
    rights AS (
        SELECT oid AS view, quoted, NULL AS attname, relowner, acl.* FROM views, aclexplode(relacl) AS acl
        UNION ALL
        SELECT view, columns.quoted, attname, relowner, acl.*
        FROM columns JOIN views ON views.oid = view, aclexplode(attacl) AS acl
    )
    SELECT view, place, kind, name, statement, columns FROM needs
    UNION ALL
    SELECT view, 3, 'comment', name, format('COMMENT ON %s IS %L', target, description), columns
    FROM needs JOIN pg_description ON classoid = catalog AND objoid = part AND objsubid = 0
    UNION ALL
    SELECT view, 3, 'mark', name, format('ALTER MATERIALIZED VIEW %s CLUSTER ON %I', quoted, relname), columns
    FROM needs JOIN pg_index ON indexrelid = part JOIN pg_class ON pg_class.oid = part
    WHERE kind = 'index' AND indisclustered
    UNION ALL
    SELECT oid, 4, 'comment', relname, format('COMMENT ON %s %s IS %L',
        CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' ELSE 'VIEW' END, quoted, description), ARRAY[]::text[]
    FROM views JOIN pg_description ON classoid = 'pg_class'::regclass AND objoid = oid AND objsubid = 0
    UNION ALL
    SELECT view, 4, 'comment', attname, format('COMMENT ON COLUMN %s.%I IS %L', quoted, attname, description),
        ARRAY[attname::text]
    FROM columns JOIN pg_description ON classoid = 'pg_class'::regclass AND objoid = view AND objsubid = attnum
    UNION ALL
    SELECT view, 4, 'default', attname, format('ALTER VIEW %s ALTER COLUMN %I SET DEFAULT %s', quoted, attname,
        pg_get_expr(adbin, adrelid)), ARRAY[attname::text]
    FROM columns WHERE adbin IS NOT NULL
    UNION ALL
    SELECT view, 5, 'grant', coalesce(rolname, 'PUBLIC'), CASE WHEN grantee = 0 THEN said ELSE format(
        'DO $body$BEGIN IF to_regrole(%L) IS NOT NULL THEN %s; END IF; END$body$', quote_ident(rolname), said) END,
        CASE WHEN attname IS NULL THEN ARRAY[]::text[] ELSE ARRAY[attname::text] END
    FROM rights LEFT JOIN pg_roles ON pg_roles.oid = grantee,
    LATERAL (SELECT format('GRANT %s%s ON %s TO %s%s', privilege_type, ' (' || quote_ident(attname) || ')', quoted,
        CASE grantee WHEN 0 THEN 'PUBLIC' ELSE quote_ident(rolname) END,
        CASE WHEN is_grantable THEN ' WITH GRANT OPTION' ELSE '' END) AS said) AS words
    WHERE grantee <> relowner
    UNION ALL
    SELECT views.oid, 6, 'owner', rolname, format('DO $body$BEGIN IF pg_has_role(to_regrole(%L)::oid, ''SET'') THEN'
        ' ALTER TABLE %s OWNER TO %I; END IF; END$body$', quote_ident(rolname), quoted, rolname), ARRAY[]::text[]
    FROM views JOIN pg_roles ON pg_roles.oid = relowner WHERE rolname <> current_user
    ORDER BY 1, 2, 4, 5
""")


@attrs.frozen
class Part:
    """What belongs to a view, and goes with it.

    Attributes:
        kind: what it is, such as `index`.
        name: its name; of an index with its schema.
        statement: what makes it again.
        columns: those of the view that it needs.
    """

    kind: str
    name: str
    statement: str
    columns: frozenset[str]


@attrs.frozen(kw_only=True)
class View:
    """A view, or a materialized view.

    Attributes:
        name: with its schema.
        quoted: the same, as SQL has it.
        said: its definition, as the comparison has it.
        depth: 0 where it stands on no other view, and more than that of all on which it stands.
        below: the names of the views in its query.
        is_empty: it is materialized, and has not been filled.
        parts: what belongs to it, in the order in which it can be made.
    """

    name: str
    quoted: str
    said: str
    depth: int
    below: frozenset[str]
    is_empty: bool
    parts: tuple[Part, ...]


def read_views(connection: Connection) -> Mapping[str, View]:
    """Return the views of a database by their names. Reads only; the search path is that of `describe`.

    Example:
        >>> read_views(connection)["public.totals"].depth  # doctest: +SKIP
        0
    """
    parts: dict[int, list[Part]] = {}
    for row in connection.execute(_PARTS):
        parts.setdefault(row.view, []).append(Part(row.kind, row.name, row.statement, frozenset(row.columns)))
    return {
        row.name: View(
            name=row.name,
            quoted=row.quoted,
            said=row.said,
            depth=row.depth,
            below=frozenset(row.below),
            is_empty=row.is_empty,
            parts=tuple(parts.get(row.oid, ())),
        )
        for row in connection.execute(_VIEWS)
    }


def above(views: Mapping[str, View], names: Sequence[str]) -> list[View]:
    """Return these views and all that stand on them, so that each can be dropped before the next.

    Example:
        >>> above({}, [])
        []
    """
    found = set(names)
    for view in sorted(views.values(), key=lambda one: one.depth):
        if view.below & found:
            found.add(view.name)
    return sorted((views[name] for name in found), key=lambda one: (-one.depth, one.name))
