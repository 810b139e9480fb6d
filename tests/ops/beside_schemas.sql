-- One of every kind of object that pg_dump of PostgreSQL 16 writes and that is in no schema, beside roles and tablespaces.
-- Run after every_kind.sql, in the same schema.
CREATE USER MAPPING FOR PUBLIC SERVER every_kind_server OPTIONS (user 'nobody');
CREATE CAST (composite_type AS integer) WITH FUNCTION hash_of(composite_type) AS ASSIGNMENT;
CREATE CAST (bigint AS time) WITHOUT FUNCTION;
CREATE CAST (json AS point) WITH INOUT;
CREATE FUNCTION language_handler() RETURNS language_handler LANGUAGE c AS '$libdir/plpgsql', 'plpgsql_call_handler';
CREATE TRUSTED LANGUAGE plain_language HANDLER language_handler;
CREATE FUNCTION transform_function(internal) RETURNS internal LANGUAGE internal IMMUTABLE AS 'prsd_lextype';
CREATE TRANSFORM FOR integer LANGUAGE plain_language (FROM SQL WITH FUNCTION transform_function(internal));
CREATE FUNCTION method_handler(internal) RETURNS index_am_handler LANGUAGE internal AS 'bthandler';
CREATE ACCESS METHOD plain_method TYPE INDEX HANDLER method_handler;
CREATE FUNCTION watching_function() RETURNS event_trigger LANGUAGE plpgsql AS 'BEGIN END';
CREATE EVENT TRIGGER plain_event_trigger ON ddl_command_end WHEN TAG IN ('CREATE AGGREGATE')
    EXECUTE FUNCTION watching_function();
CREATE PUBLICATION plain_publication FOR TABLE partitioned_table, parent_table WHERE (id > 0);
ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO PUBLIC;
SELECT lo_from_bytea(4711, 'kept');
COMMENT ON LARGE OBJECT 4711 IS 'A large object''s comment';
CREATE SUBSCRIPTION plain_subscription CONNECTION 'dbname=nowhere' PUBLICATION theirs
    WITH (connect = false, enabled = false, slot_name = NONE, create_slot = false);
