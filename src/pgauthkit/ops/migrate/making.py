"""What the models make, by the server's own account: made in schemas of the moment, described, and rolled back."""

import re
import secrets
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import attrs
from sqlalchemy import CheckConstraint, Connection, Engine, ForeignKeyConstraint, Index, MetaData, Table, text

from pgauthkit.models import SCHEMA
from pgauthkit.ops.migrate.autogenerate.casting import casts, type_of
from pgauthkit.ops.migrate.autogenerate.views import View, read_views
from pgauthkit.ops.migrate.catalog import Item
from pgauthkit.ops.migrate.details import describe_in_full

__all__ = ["Made", "make"]

_FIRST: Final = text(
    "SELECT set_config('search_path', concat_ws(', ', CAST(:first AS text), current_setting('search_path')), true)"
)
# Only what a model can say: not how rows are stored, sampled, secured or replicated.
_UNSAID: Final = {
    "table": re.compile(
        r" (?:ROW LEVEL SECURITY ENABLED|FORCED|REPLICA IDENTITY (?:NOTHING|FULL|USING INDEX \S+))"
        r"| PARTITION (?:FOR VALUES|DEFAULT).*"
    ),
    "column": re.compile(
        r"(?: STORAGE \w+)?(?: COMPRESSION \w+)?(?: STATISTICS \d+)?(?: OPTIONS \(.*\))?$"
        # The sequence of a serial column keeps its name when the table or the column is renamed.
        r"|(?<=nextval)\('(?:[^']|'')*'::regclass\)"
    ),
    # SQLAlchemy writes neither; the second is new in PostgreSQL 18.
    "constraint": re.compile(r"(?<=\)) NO INHERIT(?= NOT VALID$|$)| NOT ENFORCED$"),
    "index": re.compile(r" CLUSTER(?= INVALID|$)"),
}
# What the database has of these and the models have not is left alone.
_ALONE: Final = frozenset({"sequence"})
_PERIODS: Final = re.compile(r"(?<=[(, ])PERIOD (?=\S)| WITHOUT OVERLAPS(?=\))")
_COLUMNS: Final = text(
    "SELECT nspname, format('%s.%s', relname, conname), array_agg(attname::text)"
    " FROM pg_constraint JOIN pg_class ON pg_class.oid = conrelid JOIN pg_namespace ON pg_namespace.oid = relnamespace"
    " JOIN pg_attribute ON attrelid = conrelid AND attnum = ANY(conkey)"
    " WHERE contype IN ('c', 'x') AND nspname = ANY(:schemas) GROUP BY 1, 2"
    " UNION ALL SELECT nspname, relname, array_agg(attname::text)"
    " FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace JOIN pg_attribute ON attrelid = pg_class.oid"
    " WHERE relkind IN ('v', 'm') AND attnum > 0 AND nspname = ANY(:schemas) GROUP BY 1, 2"
)


@attrs.frozen(kw_only=True)
class Made:
    """The definitions of the models' tables, with what belongs to them and the types that they use.

    Attributes:
        wanted: as the models make them.
        found: as they are in the database.
        tables: the schema and the name of each table, by its full name in the catalog.
        home: the schema of a table without one.
        dropped: the exclusion constraints of tables that no model has.
        columns: of CHECKs and exclusion constraints that are on one side alone, by their full names; and of views, as
            the models make them.
        casts: the types to cast to on both ways, by the full names of columns that need it.
        types: of the columns that are in the database, by their full names.
        concurrent: the indexes, by their full names, that the models ask to be made beside writes.
        views: all of the database, by their full names.
    """

    wanted: Mapping[Item, str]
    found: Mapping[Item, str]
    tables: Mapping[str, tuple[str, str]]
    home: str
    dropped: Mapping[Item, str]
    columns: Mapping[str, frozenset[str]]
    casts: Mapping[str, tuple[str, str]] = attrs.field(factory=dict[str, tuple[str, str]])
    types: Mapping[str, str] = attrs.field(factory=dict[str, str])
    concurrent: frozenset[str] = frozenset()
    views: Mapping[str, View] = attrs.field(factory=dict[str, View])


def make(engine: Engine, metadata: MetaData) -> Made:
    """Make the tables of some models beside those of a database, and describe both. It is rolled back.

    Args:
        engine: of the database; a connection of its own is opened.
        metadata: the models; tables of ours are left alone.

    Raises:
        DBAPIError: the server cannot make them, such as without the right to create a schema.

    Example:
        >>> make(engine, Base.metadata).wanted  # doctest: +SKIP
        {Item(kind='column', name='public.posts.id', owner='public.posts'): 'integer NOT NULL', …}
    """
    tables = [table for table in metadata.tables.values() if table.schema != SCHEMA]
    with engine.connect() as connection:
        # The schema that a table without one is in, which the driver has asked for on connecting.
        home = str(connection.dialect.default_schema_name)
        names = {table.schema or home for table in tables} | _schemas_besides(metadata, tables) | {home}
        scratch = {name: f"pgauthkit_compare_{secrets.token_hex(6)}" for name in sorted(names)}
        connection.execution_options(schema_translate_map={name: scratch[name] for name in names})
        found, columns = (
            describe_in_full(connection, list(scratch)),
            _columns(connection, {one: one for one in scratch}),
        )
        views = read_views(connection)
        with _plain(tables) as concurrent:
            wanted = _wanted(connection, metadata, tables, scratch, home)
        columns |= _columns(connection, {other: real for real, other in scratch.items()})
        recast = casts(connection, _retyped(wanted, found, connection.dialect.identifier_preparer.quote, scratch))
        connection.rollback()
        known = {f"{table.schema or home}.{table.name}": (table.schema or home, table.name) for table in tables}
        return Made(
            wanted=_of(_unvalidated(wanted, found, tables, home), known),
            found={item: said for item, said in _of(found, known).items() if item.kind not in _ALONE or item in wanted},
            tables=known,
            home=home,
            dropped={item: said for item, said in found.items() if _is_unread(item, said) and item.owner not in known},
            columns=columns,
            casts=recast,
            types={item.name: type_of(said)[0] for item, said in found.items() if item.kind == "column"},
            concurrent=frozenset(f"{table.schema or home}.{index.name}" for table, index in concurrent),
            views=views,
        )


def _retyped(
    wanted: Mapping[Item, str], found: Mapping[Item, str], quoted: Callable[[str], str], scratch: Mapping[str, str]
) -> dict[str, tuple[str, str]]:
    """Return the old and the new type of columns, as both are there for a moment."""

    def there(kind: str) -> str:
        for real, other in scratch.items():
            kind = kind.replace(f"{quoted(real)}.", f"{other}.")
        return kind

    columns = [item for item in wanted if item.kind == "column" and item in found]
    pairs = {item.name: (type_of(found[item])[0], type_of(wanted[item])[0]) for item in columns}
    return {name: (old, there(new)) for name, (old, new) in pairs.items() if old != new}


@contextmanager
def _plain(tables: list[Table]) -> Generator[list[tuple[Table, Index]]]:
    """Let indexes be made in a transaction."""
    found = [(table, index) for table in tables for index in table.indexes if _option(index, "concurrently")]
    for _, index in found:
        index.dialect_options["postgresql"]["concurrently"] = False
    try:
        yield found
    finally:
        for _, index in found:
            index.dialect_options["postgresql"]["concurrently"] = True


def _option(item: Any, name: str) -> Any:  # noqa: ANN401 - any construct, any option
    return item.dialect_options["postgresql"][name]


def _unvalidated(wanted: dict[Item, str], found: Mapping[Item, str], tables: list[Table], home: str) -> dict[Item, str]:
    """Return what is wanted with NOT VALID where a model says so, unless it has been validated since."""
    for table in tables:
        for one in table.constraints:
            if isinstance(one, CheckConstraint | ForeignKeyConstraint) and _option(one, "not_valid"):
                owner = f"{table.schema or home}.{table.name}"
                item = Item(kind="constraint", name=f"{owner}.{one.name}", owner=owner)
                if item in wanted and found.get(item) != wanted[item]:
                    wanted[item] += " NOT VALID"
    return wanted


def _columns(connection: Connection, schemas: Mapping[str, str]) -> dict[str, frozenset[str]]:
    rows = connection.execute(_COLUMNS, {"schemas": list(schemas)})
    return {f"{schemas[schema]}.{name}": frozenset(columns) for schema, name, columns in rows}


def _schemas_besides(metadata: MetaData, tables: list[Table]) -> set[str]:
    types = [column.type for table in tables for column in table.columns]
    owners = [*(getattr(kind, "item_type", kind) for kind in types), *metadata._sequences.values()]  # noqa: SLF001 # pyright: ignore[reportPrivateUsage]  # there is no public way
    return {str(schema) for owner in owners if (schema := getattr(owner, "schema", None))}


def _wanted(
    connection: Connection, metadata: MetaData, tables: list[Table], scratch: Mapping[str, str], home: str
) -> dict[Item, str]:
    connection.rollback()  # With it goes the search path that describing has set.
    for name in scratch.values():
        connection.exec_driver_sql(f"CREATE SCHEMA {name}")
    # First, so that what has no schema is made there; then as it was, for types and functions of extensions.
    connection.execute(_FIRST, {"first": scratch[home]})
    metadata.create_all(connection, tables=tables, checkfirst=False)
    quote = connection.dialect.identifier_preparer.quote
    made: dict[Item, str] = {}
    for item, definition in describe_in_full(connection, list(scratch.values())).items():
        name, owner, said = item.name, item.owner, definition
        for real, other in scratch.items():
            name, owner = name.replace(f"{other}.", f"{real}."), owner and owner.replace(f"{other}.", f"{real}.")
            said = said.replace(f"{other}.", f"{quote(real)}.")
        made[Item(kind=item.kind, name=name, owner=owner)] = said
    return made


def _of(items: Mapping[Item, str], tables: Mapping[str, object]) -> dict[Item, str]:
    kinds = ("table", "column", "constraint", "comment", "index", "view")
    return {
        item: _sayable(item, said)
        for item, said in items.items()
        if item.kind in {"type", "sequence"} or (item.kind in kinds and item.owner in tables)
    }


def _sayable(item: Item, said: str) -> str:
    if item.kind == "constraint" and said.startswith(("PRIMARY KEY", "UNIQUE", "FOREIGN KEY")):
        said = _PERIODS.sub("", said)
    return _UNSAID[item.kind].sub("", said) if item.kind in _UNSAID else said


def _is_unread(item: Item, said: str) -> bool:
    """Say whether SQLAlchemy does not read it, so that a table that is made again would be without it."""
    return item.kind == "constraint" and said.startswith("EXCLUDE")
