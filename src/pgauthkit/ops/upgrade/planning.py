"""What an upgrade would do, and what is against it: read from both servers, with nothing changed."""

from collections.abc import Iterator
from typing import Final, LiteralString

import attrs

from pgauthkit.ops.upgrade.sides import Sides, both

__all__ = ["Plan", "PlannedTable", "look", "plan"]

_TABLES: Final[LiteralString] = """
SELECT c.oid::pg_catalog.regclass::text,
    pg_catalog.pg_total_relation_size(c.oid),
    c.relpersistence = 'u',
    c.relreplident = 'f' OR EXISTS (
        SELECT FROM pg_catalog.pg_index i
        WHERE i.indrelid = c.oid AND (i.indisprimary AND c.relreplident = 'd' OR i.indisreplident)
    )
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND c.relpersistence <> 't'
    AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname !~ '^pg_toast'
    AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend d
        WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""
_OLD: Final[LiteralString] = """
SELECT pg_catalog.current_setting('wal_level'),
    (SELECT rolsuper OR rolreplication FROM pg_catalog.pg_roles WHERE rolname = current_user),
    pg_catalog.current_setting('max_replication_slots')::int > (SELECT count(*) FROM pg_catalog.pg_replication_slots),
    pg_catalog.current_setting('max_wal_senders')::int > (SELECT count(*) FROM pg_catalog.pg_stat_replication),
    EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata),
    pg_catalog.pg_is_in_recovery()
"""
_NEW: Final[LiteralString] = """
SELECT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = current_user), pg_catalog.pg_is_in_recovery()
"""
_ENCODING: Final[LiteralString] = "SELECT pg_catalog.current_setting('server_encoding')"
_EXTENSIONS: Final[LiteralString] = "SELECT extname FROM pg_catalog.pg_extension ORDER BY 1"
_AVAILABLE: Final[LiteralString] = "SELECT name FROM pg_catalog.pg_available_extensions"
# Who owns what is in the database, and to whom something in it is granted.
_ROLES: Final[LiteralString] = """
SELECT DISTINCT r.rolname FROM pg_catalog.pg_shdepend d JOIN pg_catalog.pg_roles r ON r.oid = d.refobjid
WHERE d.refclassid = 'pg_catalog.pg_authid'::pg_catalog.regclass
    AND d.dbid = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ORDER BY 1
"""
_KNOWN_ROLES: Final[LiteralString] = "SELECT rolname FROM pg_catalog.pg_roles"
_SETTINGS: Final[LiteralString] = """
SELECT DISTINCT pg_catalog.split_part(setting, '=', 1)
FROM pg_catalog.pg_db_role_setting, pg_catalog.unnest(setconfig) AS setting
WHERE setdatabase = (SELECT oid FROM pg_catalog.pg_database WHERE datname = pg_catalog.current_database()) ORDER BY 1
"""


@attrs.frozen(kw_only=True)
class PlannedTable:
    """A table that is moved.

    Attributes:
        name: with its schema.
        bytes: with its indexes, on the old server.
        has_key: whether it has what tells one row from another; one without gets REPLICA IDENTITY FULL for the time.
        is_unlogged: whether its rows are copied in the pause, as an UNLOGGED table is not replicated.
    """

    name: str
    bytes: int
    has_key: bool
    is_unlogged: bool


@attrs.frozen(kw_only=True)
class Plan:
    """What an upgrade would do.

    Attributes:
        old: the version of the server that is left, such as 16.
        new: that of the server that is moved to.
        tables: what is moved.
        obstacles: what has to be changed first, each with how.
        notes: what to know, and to do by hand.
        is_copying: whether the new server follows the old one already.
    """

    old: int
    new: int
    tables: tuple[PlannedTable, ...]
    obstacles: tuple[str, ...]
    notes: tuple[str, ...]
    is_copying: bool


def plan(old: str, new: str) -> Plan:
    """Read from both servers what an upgrade would do, and what is against it; nothing is changed.

    Args:
        old: the URL of the database that is left.
        new: the URL of a database on the new server, where nothing is in it.

    Raises:
        DatabaseUnavailableError: one of them cannot be reached.

    Example:
        >>> plan("postgresql://old.example/shop", "postgresql://new.example/shop").obstacles  # doctest: +SKIP
        ('The old server has wal_level=replica: …',)
    """
    with both(old, new) as sides:
        return look(sides)


def look(sides: Sides) -> Plan:
    """Return the plan for two servers that are connected to."""
    tables = tuple(
        PlannedTable(name=name, bytes=size, is_unlogged=unlogged, has_key=key)
        for name, size, unlogged, key in sides.old.ask(_TABLES)
    )
    copying = sides.is_copying
    return Plan(
        old=sides.old.major,
        new=sides.new.major,
        tables=tables,
        obstacles=() if copying else (*_of_the_old(sides, tables), *_of_the_new(sides)),
        notes=tuple(_notes(sides, tables)),
        is_copying=copying,
    )


def _of_the_old(sides: Sides, tables: tuple[PlannedTable, ...]) -> Iterator[str]:
    ((wal_level, may, slots, senders, large, standby),) = sides.old.ask(_OLD)
    if standby:
        yield "The old server is a standby: give the URL of the primary."
    if wal_level != "logical":
        yield (
            f"The old server has wal_level={wal_level}: ALTER SYSTEM SET wal_level = logical, and restart it"
            " (a short pause of its own)."
        )
    if not may:
        yield "The role on the old server may not replicate: ALTER ROLE … REPLICATION, or take a superuser."
    if not slots or not senders:
        yield "The old server has no slot or sender left: raise max_replication_slots and max_wal_senders."
    if not tables:
        yield "The old database has no tables: there is nothing to move."
    if large:
        yield "The database has large objects, which are not replicated: move them into bytea, or use pg_upgrade."


def _of_the_new(sides: Sides) -> Iterator[str]:
    ((may, standby),) = sides.new.ask(_NEW)
    if sides.new.major <= sides.old.major:
        yield f"The new server is {sides.new.major}, and the old one {sides.old.major}: it must be newer."
    if standby:
        yield "The new server is a standby: give the URL of the primary."
    if not may:
        yield "The role on the new server must be a superuser, to subscribe and to copy owners and grants."
    ((theirs,),), ((ours,),) = sides.old.ask(_ENCODING), sides.new.ask(_ENCODING)
    if theirs != ours:
        yield f"The new database is {ours}, and the old one {theirs}: create it with the encoding of the old one."
    if filled := sides.new.ask(_TABLES):
        yield f"The new database has {len(filled)} tables: give an empty one."
    missing = {name for (name,) in sides.old.ask(_EXTENSIONS)} - {name for (name,) in sides.new.ask(_AVAILABLE)}
    if missing:
        yield f"The new server does not have the extensions {', '.join(sorted(missing))}: install them there."
    roles = {name for (name,) in sides.old.ask(_ROLES)} - {name for (name,) in sides.new.ask(_KNOWN_ROLES)}
    if roles:
        yield f"The new server does not have the roles {', '.join(sorted(roles))}: pg_dumpall --roles-only copies them."


def _notes(sides: Sides, tables: tuple[PlannedTable, ...]) -> Iterator[str]:
    yield "Deploy no migration until the switch: changes of the schema are not replicated."
    for table in tables:
        if not table.has_key and not table.is_unlogged:
            yield f"{table.name} has no primary key: it gets REPLICA IDENTITY FULL for the time, so writes cost more."
        if table.is_unlogged:
            yield f"{table.name} is UNLOGGED: its rows are copied in the pause."
    settings = [name for (name,) in sides.old.ask(_SETTINGS)]
    if settings:
        yield f"Settings of the database or of roles in it are not copied: {', '.join(settings)}."
