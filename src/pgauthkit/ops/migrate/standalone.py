"""The catalog's words for what stands alone in a schema: types, routines, sequences, operators, text search."""

from typing import Final

__all__ = ["STANDALONE"]

# Part of the query in catalog.py, which defines `schemas`, `extensions` and `relations`. Names are given with their
# arguments where several may share one. Every `::reg…` is written with its schema, as the search path is pg_catalog.
_TYPES: Final = """
    SELECT 'type', NULL, format('%s.%s', nspname, typname), CASE typtype
        WHEN 'e' THEN format('ENUM (%s)', (SELECT string_agg(quote_literal(enumlabel), ', ' ORDER BY enumsortorder)
                                           FROM pg_enum WHERE enumtypid = pg_type.oid))
        WHEN 'd' THEN concat_ws(' ', 'DOMAIN', format_type(typbasetype, typtypmod),
            CASE WHEN typcollation <> 0 THEN format('COLLATE %s', typcollation::regcollation) END,
            CASE WHEN typnotnull THEN 'NOT NULL' END, 'DEFAULT ' || typdefault,
            (SELECT string_agg(format('CONSTRAINT %I %s', conname, pg_get_constraintdef(oid)), ' ' ORDER BY conname)
             FROM pg_constraint WHERE contypid = pg_type.oid AND contype = 'c'))
        WHEN 'r' THEN (SELECT format('RANGE (%s, %s, %s, %s, %s)', rngsubtype::regtype, rngcollation::regcollation,
            rngcanonical::regproc, rngsubdiff::regproc, rngmultitypid::regtype)
            FROM pg_range WHERE rngtypid = pg_type.oid)
        WHEN 'c' THEN format('COMPOSITE (%s)', (SELECT string_agg(concat_ws(' ', quote_ident(attname),
            format_type(atttypid, atttypmod),
            CASE WHEN attcollation <> 0 THEN format('COLLATE %s', attcollation::regcollation) END), ', '
            ORDER BY attnum) FROM pg_attribute WHERE attrelid = typrelid AND attnum > 0 AND NOT attisdropped))
        WHEN 'b' THEN format('BASE (%s, %s, %s, %s, %s, %s, %s)', typinput, typoutput, typreceive, typsend, typlen,
            typalign, typstorage)
        ELSE 'SHELL' END
    FROM pg_type JOIN schemas ON schemas.oid = typnamespace LEFT JOIN pg_class ON pg_class.oid = typrelid
    WHERE pg_type.oid NOT IN (SELECT objid FROM extensions) AND typname <> ALL(:ignored)
    -- Without arrays, multiranges, and the row types of tables and views, which come with what they are of.
    AND typtype <> 'm' AND typcategory <> 'A' AND (typtype <> 'c' OR relkind = 'c')
"""
_SEQUENCES: Final = """
    SELECT 'sequence', NULL, name, concat_ws(' ', CASE relpersistence WHEN 'u' THEN 'UNLOGGED' END,
        format('AS %s INCREMENT BY %s', format_type(seqtypid, NULL), seqincrement),
        CASE WHEN seqmin <> CASE WHEN seqincrement > 0 THEN 1 ELSE lowest END THEN format('MINVALUE %s', seqmin) END,
        CASE WHEN seqmax <> CASE WHEN seqincrement > 0 THEN -(lowest + 1) ELSE -1 END
             THEN format('MAXVALUE %s', seqmax) END,
        CASE WHEN seqstart <> CASE WHEN seqincrement > 0 THEN seqmin ELSE seqmax END
             THEN format('START WITH %s', seqstart) END,
        CASE WHEN seqcache <> 1 THEN format('CACHE %s', seqcache) END, CASE WHEN seqcycle THEN 'CYCLE' END,
        (SELECT format('OWNED BY %s.%s', refobjid::regclass, attname) FROM pg_depend
         JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid
         WHERE classid = 'pg_class'::regclass AND objid = relations.oid AND deptype IN ('a', 'i')))
    FROM relations JOIN pg_sequence ON seqrelid = relations.oid
    CROSS JOIN LATERAL (SELECT -(2 ^ (CASE seqtypid WHEN 'int2'::regtype THEN 15 WHEN 'int4'::regtype THEN 31
                                      ELSE 63 END)::numeric)::numeric(20, 0) AS lowest) AS bounds
"""
_ROUTINES: Final = """
    SELECT 'function', NULL, pg_proc.oid::regprocedure::text, CASE prokind WHEN 'a' THEN (
        SELECT format('AGGREGATE (%s) RETURNS %s STYPE %s MSTYPE %s SORTOP %s PARALLEL %s %s',
            pg_get_function_arguments(pg_proc.oid), prorettype::regtype, aggtranstype::regtype,
            aggmtranstype::regtype, aggsortop::regoperator, proparallel,
            to_jsonb(pg_aggregate) - ARRAY['aggfnoid', 'aggtranstype', 'aggmtranstype', 'aggsortop'])
        FROM pg_aggregate WHERE aggfnoid = pg_proc.oid) ELSE pg_get_functiondef(pg_proc.oid) END
    FROM pg_proc JOIN schemas ON schemas.oid = pronamespace
    WHERE pg_proc.oid NOT IN (SELECT objid FROM extensions) AND proname <> ALL(:ignored)
"""
_OPERATORS: Final = """
    SELECT 'operator', NULL, pg_operator.oid::regoperator::text, format(
        'FUNCTION = %s, COMMUTATOR = %s, NEGATOR = %s, RESTRICT = %s, JOIN = %s, HASHES = %s, MERGES = %s',
        oprcode, oprcom::regoperator, oprnegate::regoperator, oprrest, oprjoin, oprcanhash, oprcanmerge)
    FROM pg_operator JOIN schemas ON schemas.oid = oprnamespace
    WHERE pg_operator.oid NOT IN (SELECT objid FROM extensions) AND oprname <> ALL(:ignored)
    UNION ALL
    SELECT 'operator family', NULL, format('%s.%s USING %s', nspname, opfname, amname), format('(%s) (%s)',
        (SELECT string_agg(format('OPERATOR %s %s', amopstrategy, amopopr::regoperator), ', '
                           ORDER BY amopstrategy, amopopr::regoperator::text) FROM pg_amop
         WHERE amopfamily = pg_opfamily.oid),
        (SELECT string_agg(format('FUNCTION %s %s', amprocnum, amproc::regprocedure), ', '
                           ORDER BY amprocnum, amproc::regprocedure::text) FROM pg_amproc
         WHERE amprocfamily = pg_opfamily.oid))
    FROM pg_opfamily JOIN schemas ON schemas.oid = opfnamespace JOIN pg_am ON pg_am.oid = opfmethod
    WHERE pg_opfamily.oid NOT IN (SELECT objid FROM extensions) AND opfname <> ALL(:ignored)
    UNION ALL
    SELECT 'operator class', NULL, format('%s.%s USING %s', nspname, opcname, amname), concat_ws(' ',
        CASE WHEN opcdefault THEN 'DEFAULT' END, format('FOR TYPE %s FAMILY %s', opcintype::regtype, opfname),
        CASE WHEN opckeytype <> 0 THEN format('STORAGE %s', opckeytype::regtype) END)
    FROM pg_opclass JOIN schemas ON schemas.oid = opcnamespace JOIN pg_am ON pg_am.oid = opcmethod
    JOIN pg_opfamily ON pg_opfamily.oid = opcfamily
    WHERE pg_opclass.oid NOT IN (SELECT objid FROM extensions) AND opcname <> ALL(:ignored)
"""
_TEXTS: Final = """
    SELECT 'collation', NULL, format('%s.%s', nspname, collname),
        (to_jsonb(pg_collation) - ARRAY['oid', 'collnamespace', 'collowner', 'collversion', 'collname'])::text
    FROM pg_collation JOIN schemas ON schemas.oid = collnamespace
    WHERE pg_collation.oid NOT IN (SELECT objid FROM extensions) AND collname <> ALL(:ignored)
    UNION ALL
    SELECT 'conversion', NULL, format('%s.%s', nspname, conname), format('%s%s TO %s FROM %s',
        CASE WHEN condefault THEN 'DEFAULT ' END, pg_encoding_to_char(conforencoding),
        pg_encoding_to_char(contoencoding), conproc)
    FROM pg_conversion JOIN schemas ON schemas.oid = connamespace
    WHERE pg_conversion.oid NOT IN (SELECT objid FROM extensions) AND conname <> ALL(:ignored)
    UNION ALL
    SELECT 'text search parser', NULL, format('%s.%s', nspname, prsname),
        format('START = %s, GETTOKEN = %s, END = %s, LEXTYPES = %s, HEADLINE = %s', prsstart, prstoken, prsend,
               prslextype, prsheadline)
    FROM pg_ts_parser JOIN schemas ON schemas.oid = prsnamespace
    WHERE pg_ts_parser.oid NOT IN (SELECT objid FROM extensions) AND prsname <> ALL(:ignored)
    UNION ALL
    SELECT 'text search template', NULL, format('%s.%s', nspname, tmplname),
        format('INIT = %s, LEXIZE = %s', tmplinit, tmpllexize)
    FROM pg_ts_template JOIN schemas ON schemas.oid = tmplnamespace
    WHERE pg_ts_template.oid NOT IN (SELECT objid FROM extensions) AND tmplname <> ALL(:ignored)
    UNION ALL
    SELECT 'text search dictionary', NULL, format('%s.%s', nspname, dictname), concat_ws(' ', 'TEMPLATE',
        (SELECT tmplname FROM pg_ts_template WHERE oid = dicttemplate), dictinitoption)
    FROM pg_ts_dict JOIN schemas ON schemas.oid = dictnamespace
    WHERE pg_ts_dict.oid NOT IN (SELECT objid FROM extensions) AND dictname <> ALL(:ignored)
    UNION ALL
    SELECT 'text search configuration', NULL, format('%s.%s', nspname, cfgname), concat_ws(' ', 'PARSER',
        (SELECT prsname FROM pg_ts_parser WHERE oid = cfgparser),
        (SELECT string_agg(format('%s: %s', maptokentype, mapdict::regdictionary), ', '
                           ORDER BY maptokentype, mapseqno) FROM pg_ts_config_map WHERE mapcfg = pg_ts_config.oid))
    FROM pg_ts_config JOIN schemas ON schemas.oid = cfgnamespace
    WHERE pg_ts_config.oid NOT IN (SELECT objid FROM extensions) AND cfgname <> ALL(:ignored)
"""
STANDALONE: Final = f"{_TYPES}UNION ALL{_SEQUENCES}UNION ALL{_ROUTINES}UNION ALL{_OPERATORS}UNION ALL{_TEXTS}"
