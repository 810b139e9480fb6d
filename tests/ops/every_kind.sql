-- One of every kind of object that pg_dump of PostgreSQL 16 writes in a schema, with several rows. For a superuser.
-- It is made in the first schema of the search path. Names say the kind. The foreign table needs a wrapper and a server,
-- which are the database's: they are all that is made outside the schema.
-- https://www.postgresql.org/docs/16/sql-commands.html

-- Types.
CREATE TYPE enum_type AS ENUM ('small', 'large');
CREATE TYPE composite_type AS (width integer, label text);
CREATE TYPE range_type AS RANGE (subtype = float8, multirange_type_name = multirange_type);
CREATE DOMAIN domain_type AS integer DEFAULT 1 NOT NULL CONSTRAINT positive CHECK (VALUE > 0);
CREATE TYPE shell_type;
CREATE TYPE base_type;
CREATE FUNCTION base_type_in(cstring) RETURNS base_type LANGUAGE internal IMMUTABLE STRICT AS 'textin';
CREATE FUNCTION base_type_out(base_type) RETURNS cstring LANGUAGE internal IMMUTABLE STRICT AS 'textout';
CREATE TYPE base_type (INPUT = base_type_in, OUTPUT = base_type_out, LIKE = text);
CREATE COLLATION collation_object (provider = libc, locale = 'POSIX');

-- Routines.
CREATE FUNCTION plain_function(a integer, VARIADIC more integer[] DEFAULT '{}') RETURNS integer
    LANGUAGE sql IMMUTABLE PARALLEL SAFE AS 'SELECT a';
CREATE FUNCTION plain_function(a text) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT a';
CREATE FUNCTION atomic_function() RETURNS integer LANGUAGE sql STABLE BEGIN ATOMIC SELECT 1; END;
CREATE FUNCTION set_function(OUT id integer, OUT label text) RETURNS SETOF record
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog AS 'SELECT 1, ''x''';
CREATE FUNCTION window_function() RETURNS bigint LANGUAGE internal WINDOW IMMUTABLE AS 'window_row_number';
CREATE PROCEDURE plain_procedure(INOUT a integer) LANGUAGE plpgsql AS 'BEGIN a := a + 1; END';
CREATE AGGREGATE plain_aggregate(integer) (SFUNC = int4pl, STYPE = integer, INITCOND = '0', PARALLEL = safe);
CREATE AGGREGATE ordered_aggregate(ORDER BY anyelement)
    (SFUNC = ordered_set_transition, STYPE = internal, FINALFUNC = mode_final, FINALFUNC_EXTRA);
CREATE FUNCTION trigger_function() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';

-- Operators.
CREATE FUNCTION is_less(composite_type, composite_type) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT $1.width < $2.width';
CREATE FUNCTION is_same(composite_type, composite_type) RETURNS boolean
    LANGUAGE sql IMMUTABLE AS 'SELECT $1.width = $2.width';
CREATE FUNCTION hash_of(composite_type) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.width';
CREATE OPERATOR <<< (FUNCTION = is_less, LEFTARG = composite_type, RIGHTARG = composite_type);
CREATE OPERATOR === (FUNCTION = is_same, LEFTARG = composite_type, RIGHTARG = composite_type, COMMUTATOR = ===, HASHES);
CREATE OPERATOR FAMILY operator_family USING hash;
CREATE OPERATOR CLASS operator_class FOR TYPE composite_type USING hash FAMILY operator_family AS
    OPERATOR 1 ===, FUNCTION 1 hash_of(composite_type);
CREATE OPERATOR FAMILY empty_family USING btree;

-- Text search and encodings.
CREATE TEXT SEARCH PARSER search_parser
    (START = prsd_start, GETTOKEN = prsd_nexttoken, END = prsd_end, LEXTYPES = prsd_lextype, HEADLINE = prsd_headline);
CREATE TEXT SEARCH TEMPLATE search_template (INIT = dsimple_init, LEXIZE = dsimple_lexize);
CREATE TEXT SEARCH DICTIONARY search_dictionary (TEMPLATE = search_template);
CREATE TEXT SEARCH CONFIGURATION search_configuration (PARSER = search_parser);
ALTER TEXT SEARCH CONFIGURATION search_configuration ADD MAPPING FOR asciiword WITH search_dictionary;
CREATE CONVERSION conversion_object FOR 'LATIN1' TO 'UTF8' FROM iso8859_1_to_utf8;

-- Tables.
CREATE SEQUENCE plain_sequence AS integer START 7 CYCLE;
CREATE TABLE plain_table (
    id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    old_id serial,
    size enum_type DEFAULT 'small',
    amount domain_type,
    span range_type,
    box composite_type,
    own base_type,
    sorted text COLLATE collation_object,
    doubled integer GENERATED ALWAYS AS (amount * 2) STORED,
    next integer DEFAULT nextval('plain_sequence'),
    CONSTRAINT even CHECK (doubled % 2 = 0),
    CONSTRAINT once UNIQUE NULLS NOT DISTINCT (size, amount),
    CONSTRAINT apart EXCLUDE USING btree (next WITH =)
);
CREATE TABLE "Odd ""name" ("User" integer REFERENCES plain_table ON DELETE CASCADE DEFERRABLE, "select" text);
CREATE UNLOGGED TABLE unlogged_table (id integer) WITH (fillfactor = 70);
CREATE TABLE typed_table OF composite_type (PRIMARY KEY (width));
CREATE TABLE parent_table (id integer, CONSTRAINT inherited CHECK (id > 0));
CREATE TABLE child_table (more integer) INHERITS (parent_table);
CREATE TABLE partitioned_table (id integer, at date NOT NULL, PRIMARY KEY (id, at)) PARTITION BY RANGE (at);
CREATE TABLE partition_of_range PARTITION OF partitioned_table
    FOR VALUES FROM ('2026-01-01') TO ('2027-01-01') PARTITION BY HASH (id);
CREATE TABLE partition_of_hash PARTITION OF partition_of_range FOR VALUES WITH (MODULUS 1, REMAINDER 0);
CREATE TABLE default_partition PARTITION OF partitioned_table DEFAULT;
CREATE TABLE empty_partitioned_table (id integer) PARTITION BY LIST (id);
CREATE TABLE refers_to_partitions (id integer, at date, FOREIGN KEY (id, at) REFERENCES partitioned_table);
CREATE FOREIGN DATA WRAPPER every_kind_wrapper;
CREATE SERVER every_kind_server FOREIGN DATA WRAPPER every_kind_wrapper;
CREATE FOREIGN TABLE foreign_table (id integer OPTIONS (place '1')) SERVER every_kind_server OPTIONS (name 'far');

-- What hangs on tables.
CREATE INDEX plain_index ON plain_table (lower(sorted), amount DESC) INCLUDE (next) WHERE amount > 1;
CREATE INDEX class_index ON plain_table USING hash (box operator_class);
CREATE INDEX partitioned_index ON partitioned_table (at);
CREATE STATISTICS statistics_object (ndistinct, dependencies) ON size, amount FROM plain_table;
CREATE TRIGGER row_trigger BEFORE UPDATE OF amount ON plain_table
    FOR EACH ROW WHEN (OLD.amount IS DISTINCT FROM NEW.amount) EXECUTE FUNCTION trigger_function();
CREATE CONSTRAINT TRIGGER deferred_trigger AFTER INSERT ON plain_table DEFERRABLE INITIALLY DEFERRED
    FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE TRIGGER always_trigger AFTER INSERT ON partitioned_table FOR EACH ROW EXECUTE FUNCTION trigger_function();
ALTER TABLE plain_table ENABLE ALWAYS TRIGGER row_trigger;
CREATE RULE plain_rule AS ON INSERT TO child_table WHERE NEW.id > 100 DO INSTEAD NOTHING;
CREATE POLICY plain_policy ON plain_table AS RESTRICTIVE FOR SELECT USING (amount > 0);
ALTER TABLE plain_table ENABLE ROW LEVEL SECURITY;
ALTER TABLE plain_table REPLICA IDENTITY FULL;
ALTER TABLE plain_table ALTER COLUMN sorted SET STORAGE EXTERNAL, ALTER COLUMN size SET STATISTICS 50;
CREATE VIEW plain_view WITH (security_barrier, security_invoker) AS SELECT id, amount FROM plain_table
    WHERE amount > 0 WITH CASCADED CHECK OPTION;
CREATE RECURSIVE VIEW recursive_view (n) AS SELECT 1 UNION ALL SELECT n + 1 FROM recursive_view WHERE n < 3;
CREATE VIEW view_with_rule AS SELECT id FROM parent_table;
CREATE RULE rule_of_view AS ON INSERT TO view_with_rule DO INSTEAD INSERT INTO parent_table VALUES (NEW.id);
CREATE VIEW view_with_trigger AS SELECT plain_view.id FROM plain_view;
CREATE TRIGGER instead_trigger INSTEAD OF INSERT ON view_with_trigger
    FOR EACH ROW EXECUTE FUNCTION trigger_function();
CREATE MATERIALIZED VIEW materialized_view AS SELECT id, amount FROM plain_table;
CREATE UNIQUE INDEX index_of_materialized_view ON materialized_view (id);
CREATE MATERIALIZED VIEW unpopulated_view AS SELECT 1 AS id WITH NO DATA;
-- The other kinds of the same things.
CREATE TABLE other_table (id integer GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, label text);
CREATE STATISTICS other_statistics (mcv) ON label, (id % 2) FROM other_table;
CREATE RULE rule_of_update AS ON UPDATE TO other_table WHERE NEW.id > 100 DO INSTEAD NOTHING;
CREATE RULE rule_of_delete AS ON DELETE TO other_table WHERE OLD.id > 100 DO INSTEAD NOTHING;
CREATE POLICY policy_of_all ON other_table USING (true);
CREATE POLICY policy_of_insert ON other_table FOR INSERT WITH CHECK (id > 0);
CREATE POLICY policy_of_update ON other_table FOR UPDATE USING (id > 0) WITH CHECK (id > 1);
CREATE POLICY policy_of_delete ON other_table FOR DELETE USING (id > 0);
CREATE TRIGGER disabled_trigger AFTER TRUNCATE ON other_table FOR EACH STATEMENT EXECUTE FUNCTION trigger_function();
CREATE TRIGGER replica_trigger AFTER INSERT ON other_table
    REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION trigger_function();
ALTER TABLE other_table DISABLE TRIGGER disabled_trigger, ENABLE REPLICA TRIGGER replica_trigger;
ALTER TABLE other_table REPLICA IDENTITY NOTHING, FORCE ROW LEVEL SECURITY;
ALTER TABLE typed_table REPLICA IDENTITY USING INDEX typed_table_pkey;
CREATE AGGREGATE hypothetical_aggregate(VARIADIC "any" ORDER BY VARIADIC "any")
    (SFUNC = ordered_set_transition_multi, STYPE = internal, FINALFUNC = rank_final, FINALFUNC_EXTRA, HYPOTHETICAL);
-- A view and a function that need each other: pg_dump breaks the circle.
CREATE VIEW circular_view AS SELECT 1 AS id;
CREATE FUNCTION circular_function(circular_view) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT $1.id';
CREATE OR REPLACE VIEW circular_view AS SELECT 1 AS id, circular_function(NULL) AS again;

-- Comments and grants.
COMMENT ON TABLE plain_table IS 'A table''s comment';
COMMENT ON COLUMN plain_table.amount IS E'Two\nlines, and \\! a backslash';
COMMENT ON TYPE enum_type IS 'A type''s comment';
COMMENT ON CONSTRAINT even ON plain_table IS 'A constraint''s comment';
GRANT SELECT ON plain_table TO PUBLIC;
GRANT UPDATE (amount) ON plain_table TO PUBLIC;
GRANT EXECUTE ON FUNCTION atomic_function() TO PUBLIC;
GRANT USAGE ON SEQUENCE plain_sequence TO PUBLIC;
GRANT USAGE ON TYPE enum_type TO PUBLIC;

-- Rows.
INSERT INTO plain_table (amount, box, own, sorted, span)
    VALUES (1, '(1,a)', 'own', 'a2', '[1,2)'), (2, '(2,"\\!")', '\.', E'tab\t\\.\nline', 'empty');
INSERT INTO "Odd ""name" VALUES (1, E'\\! touch\n\\.\n\\connect');
INSERT INTO typed_table VALUES (1, 'x');
INSERT INTO child_table VALUES (1, 2);
INSERT INTO partitioned_table VALUES (1, '2026-05-01'), (2, '2030-01-01');
INSERT INTO refers_to_partitions VALUES (1, '2026-05-01');
INSERT INTO unlogged_table VALUES (1);
INSERT INTO other_table (label) VALUES ('a'), ('b');
REFRESH MATERIALIZED VIEW materialized_view;
